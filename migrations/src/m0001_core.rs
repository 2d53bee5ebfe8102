//! Jobs, tasks, attempts, output, workers, accounts.
//!
//! Ids are 16-byte UUIDs, moments are microseconds since 1970 in UTC. CHECK constraints refuse rows that make no sense,
//! so that a fault in the code cannot become a fault in the data.

use sea_orm_migration::prelude::*;

use crate::sql::run;

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_core"
    }
}

/// Tables as SQL that every database takes; see [`crate::sql`] for the words in braces.
const TABLES: &[&str] = &[
    "CREATE TABLE installation (
        id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
        fingerprint {blob} NOT NULL,
        created_at BIGINT NOT NULL)",
    "CREATE TABLE accounts (
        id VARCHAR(64) NOT NULL PRIMARY KEY,
        role VARCHAR(16) NOT NULL CHECK (role IN ('client', 'worker', 'admin')),
        enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)),
        scope {text} NOT NULL,
        created_at BIGINT NOT NULL,
        version BIGINT NOT NULL)",
    "CREATE TABLE account_keys (
        key_id VARCHAR(64) NOT NULL PRIMARY KEY,
        account_id VARCHAR(64) NOT NULL,
        sealed {blob} NOT NULL,
        master_key_id VARCHAR(64) NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NULL)",
    "CREATE TABLE nonces (
        key_id VARCHAR(64) NOT NULL,
        nonce VARCHAR(128) NOT NULL,
        request_id {uuid} NOT NULL,
        expires_at BIGINT NOT NULL,
        PRIMARY KEY (key_id, nonce))",
    "CREATE TABLE idempotency (
        account_id VARCHAR(64) NOT NULL,
        idempotency_key VARCHAR(255) NOT NULL,
        body_hash {blob} NOT NULL,
        job_id {uuid} NOT NULL,
        nonce VARCHAR(128) NULL,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (account_id, idempotency_key))",
    "CREATE TABLE workers (
        id VARCHAR(64) NOT NULL PRIMARY KEY,
        account_id VARCHAR(64) NOT NULL,
        version BIGINT NOT NULL,
        state VARCHAR(16) NOT NULL CHECK (state IN ('offline', 'online', 'paused', 'draining')),
        paused BIGINT NOT NULL CHECK (paused IN (0, 1)),
        incarnation {uuid} NOT NULL,
        program_version VARCHAR(64) NOT NULL,
        capabilities {text} NOT NULL,
        beat BIGINT NOT NULL,
        registered_at BIGINT NOT NULL,
        seen_at BIGINT NOT NULL)",
    "CREATE TABLE needs (
        id {serial},
        canonical {unique_text},
        created_at BIGINT NOT NULL)",
    "CREATE TABLE jobs (
        id {uuid} NOT NULL PRIMARY KEY,
        requester VARCHAR(64) NOT NULL,
        version BIGINT NOT NULL,
        status VARCHAR(16) NOT NULL CHECK (status IN
            ('pending', 'assigned', 'running', 'canceling', 'completed', 'failed', 'canceled')),
        priority BIGINT NOT NULL,
        policy {text} NOT NULL,
        created_at BIGINT NOT NULL,
        started_at BIGINT NULL,
        ended_at BIGINT NULL,
        outcome {text} NULL,
        retry_of {uuid} NULL,
        monitored BIGINT NOT NULL CHECK (monitored IN (0, 1)),
        follower {uuid} NULL,
        beat BIGINT NOT NULL,
        client_until BIGINT NULL,
        purge_at BIGINT NULL,
        CHECK ((status IN ('completed', 'failed', 'canceled')) = (outcome IS NOT NULL)),
        CHECK ((outcome IS NULL) = (ended_at IS NULL)),
        CHECK ((outcome IS NULL) = (purge_at IS NULL)))",
    "CREATE TABLE job_specs (
        job_id {uuid} NOT NULL PRIMARY KEY,
        spec {long_text} NOT NULL,
        warnings {text} NOT NULL)",
    "CREATE TABLE job_labels (
        label_key VARCHAR(255) NOT NULL,
        label_value VARCHAR(255) NOT NULL,
        job_id {uuid} NOT NULL,
        PRIMARY KEY (label_key, label_value, job_id))",
    // A task is held by a worker exactly while it is leased, and can be claimed only while it waits.
    "CREATE TABLE tasks (
        id {uuid} NOT NULL PRIMARY KEY,
        job_id {uuid} NOT NULL,
        requester VARCHAR(64) NOT NULL,
        name VARCHAR(64) NOT NULL,
        version BIGINT NOT NULL,
        state VARCHAR(16) NOT NULL,
        epoch BIGINT NOT NULL,
        need_id BIGINT NOT NULL,
        neg_priority BIGINT NOT NULL,
        fair_key BIGINT NOT NULL,
        claim_need BIGINT NULL,
        claim_priority BIGINT NULL,
        live_priority BIGINT NULL,
        not_before BIGINT NULL,
        queue_deadline BIGINT NULL,
        worker_id VARCHAR(64) NULL,
        lease_until BIGINT NULL,
        holder_worker VARCHAR(64) NULL,
        holder_incarnation {uuid} NULL,
        holder_token {uuid} NULL,
        failures BIGINT NOT NULL,
        crashes BIGINT NOT NULL,
        rejections BIGINT NOT NULL,
        ran BIGINT NOT NULL CHECK (ran IN (0, 1)),
        detail {text} NOT NULL,
        signals {text} NOT NULL,
        created_at BIGINT NOT NULL,
        CHECK ((state IN ('assigned', 'running', 'publishing', 'canceling')) = (worker_id IS NOT NULL)),
        CHECK ((worker_id IS NULL) = (lease_until IS NULL)),
        CHECK (claim_need IS NULL OR state = 'pending'),
        CHECK ((claim_need IS NULL) = (claim_priority IS NULL)),
        CHECK ((state IN ('completed', 'failed', 'canceled')) = (live_priority IS NULL)),
        CHECK (queue_deadline IS NULL OR state IN ('pending', 'assigned')))",
    "CREATE TABLE task_deps (
        task_id {uuid} NOT NULL,
        job_id {uuid} NOT NULL,
        PRIMARY KEY (task_id, job_id))",
    "CREATE TABLE task_output (
        task_id {uuid} NOT NULL PRIMARY KEY,
        version BIGINT NOT NULL,
        epoch BIGINT NOT NULL,
        next_seq BIGINT NOT NULL,
        kept_bytes BIGINT NOT NULL,
        stdout_bytes BIGINT NOT NULL,
        stdout_taken BIGINT NOT NULL,
        stdout_lost BIGINT NOT NULL,
        progress {text} NULL,
        progress_at BIGINT NULL)",
    "CREATE TABLE log_chunks (
        task_id {uuid} NOT NULL,
        epoch BIGINT NOT NULL,
        batch_first BIGINT NOT NULL,
        stream VARCHAR(8) NOT NULL,
        batch_last BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        has_cr BIGINT NOT NULL,
        thinned BIGINT NOT NULL,
        data {long_blob} NOT NULL,
        PRIMARY KEY (task_id, epoch, batch_first, stream))",
    "CREATE TABLE attempts (
        task_id {uuid} NOT NULL,
        epoch BIGINT NOT NULL,
        job_id {uuid} NOT NULL,
        worker_id VARCHAR(64) NOT NULL,
        incarnation {uuid} NOT NULL,
        token {uuid} NOT NULL,
        grant_no BIGINT NOT NULL,
        claimed_at BIGINT NOT NULL,
        started_at BIGINT NULL,
        ended_at BIGINT NULL,
        end_kind VARCHAR(16) NULL,
        exit_code BIGINT NULL,
        exit_signal BIGINT NULL,
        failure VARCHAR(32) NULL,
        message {text} NULL,
        PRIMARY KEY (task_id, epoch),
        CHECK ((ended_at IS NULL) = (end_kind IS NULL)))",
    "CREATE TABLE events (
        id {uuid} NOT NULL PRIMARY KEY,
        at BIGINT NOT NULL,
        job_id {uuid} NOT NULL,
        task_id {uuid} NOT NULL,
        requester VARCHAR(64) NOT NULL,
        epoch BIGINT NOT NULL,
        from_state VARCHAR(16) NULL,
        to_state VARCHAR(16) NOT NULL,
        what VARCHAR(32) NOT NULL,
        actor VARCHAR(80) NOT NULL,
        worker_id VARCHAR(64) NULL,
        request_id {uuid} NOT NULL,
        source BIGINT NOT NULL)",
];

/// Every index, with the question it answers.
const INDEXES: &[&str] = &[
    // the keys of an account
    "CREATE INDEX account_keys_account ON account_keys (account_id)",
    // what has passed its time
    "CREATE INDEX nonces_expiry ON nonces (expires_at)",
    "CREATE INDEX idempotency_age ON idempotency (created_at)",
    "CREATE INDEX idempotency_job ON idempotency (job_id)",
    // listings: newest first, of one requester or of one status
    "CREATE INDEX jobs_requester ON jobs (requester, id)",
    "CREATE INDEX jobs_status ON jobs (status, id)",
    // what ended within the last day
    "CREATE INDEX jobs_ended ON jobs (ended_at, status)",
    "CREATE INDEX jobs_client ON jobs (client_until)",
    "CREATE INDEX jobs_purge ON jobs (purge_at)",
    "CREATE INDEX job_labels_job ON job_labels (job_id)",
    // the claim: a union of one short read per need
    "CREATE INDEX tasks_claim ON tasks (claim_need, neg_priority, fair_key, id)",
    // fair turns: the lowest claimable key of a priority, a requester's highest unfinished one
    "CREATE INDEX tasks_claim_priority ON tasks (claim_priority, fair_key)",
    "CREATE INDEX tasks_live ON tasks (requester, live_priority, fair_key)",
    "CREATE INDEX tasks_job ON tasks (job_id)",
    // what waits for other jobs
    "CREATE INDEX tasks_state ON tasks (state, id)",
    "CREATE INDEX tasks_worker ON tasks (worker_id)",
    // what time does
    "CREATE INDEX tasks_lease ON tasks (lease_until)",
    "CREATE INDEX tasks_ripe ON tasks (not_before)",
    "CREATE INDEX tasks_queue_deadline ON tasks (queue_deadline)",
    "CREATE INDEX task_deps_job ON task_deps (job_id)",
    // a repeated claim finds its grants, and cannot make others
    "CREATE UNIQUE INDEX attempts_grant ON attempts (worker_id, token, grant_no)",
    "CREATE INDEX attempts_job ON attempts (job_id)",
    "CREATE INDEX events_job ON events (job_id)",
    "CREATE INDEX events_at ON events (at)",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait hides the lifetime, and its implementations have to")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in TABLES.iter().chain(INDEXES) {
            run(manager, sql).await?;
        }
        Ok(())
    }
}
