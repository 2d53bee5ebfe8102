//! Whether what a commit was decided on still holds.

use rusqlite::params;

use super::{commit::Guard, sqlite::Sqlite};

/// The first of these guards that does not hold.
pub(super) fn broken<'a>(db: &Sqlite, guards: &'a [Guard]) -> rusqlite::Result<Option<&'a Guard>> {
    for guard in guards {
        if !holds(db, guard)? {
            return Ok(Some(guard));
        }
    }
    Ok(None)
}

fn holds(db: &Sqlite, guard: &Guard) -> rusqlite::Result<bool> {
    let found = |sql: &str, values: &[&dyn rusqlite::ToSql]| db.look::<i64>(sql, values).map(|found| found.is_some());
    Ok(match guard {
        Guard::Job(id, version) => found("SELECT 1 FROM jobs WHERE id = ? AND version = ?", &[&id.0, version])?,
        Guard::Task(id, version) => found("SELECT 1 FROM tasks WHERE id = ? AND version = ?", &[&id.0, version])?,
        Guard::Output(id, version) => {
            found("SELECT 1 FROM task_output WHERE task_id = ? AND version = ?", &[&id.0, version])?
        }
        Guard::Worker(id, version) => {
            found("SELECT 1 FROM workers WHERE id = ? AND version = ?", &[&id.as_str(), version])?
        }
        Guard::Account(id, version) => {
            found("SELECT 1 FROM accounts WHERE id = ? AND version = ?", &[&id.as_str(), version])?
        }
        Guard::Held(id, epoch, token) => found(
            "SELECT 1 FROM tasks WHERE id = ? AND epoch = ? AND holder_token = ? AND worker_id IS NOT NULL",
            &[&id.0, epoch, &token.0],
        )?,
        Guard::WorkerTakes(id, incarnation) => found(
            "SELECT 1 FROM workers WHERE id = ? AND incarnation = ? AND state = 'online'",
            &[&id.as_str(), &incarnation.0],
        )?,
        Guard::FreshNonce(key, nonce) => {
            !found("SELECT 1 FROM nonces WHERE key_id = ? AND nonce = ?", &[&key.as_str(), nonce])?
        }
        Guard::FreshIdempotency(account, key) => {
            !found("SELECT 1 FROM idempotency WHERE account_id = ? AND idempotency_key = ?", &[&account.as_str(), key])?
        }
        Guard::Identity(account, identity, job) => {
            let sql = "SELECT job_id FROM job_identities WHERE account_id = ? AND identity = ?";
            db.look::<uuid::Uuid>(sql, params![account.as_str(), identity])? == job.map(|job| job.0)
        }
        Guard::FreshWorker(id) => !found("SELECT 1 FROM workers WHERE id = ?", &[&id.as_str()])?,
        Guard::FreshAccount(id) => !found("SELECT 1 FROM accounts WHERE id = ?", &[&id.as_str()])?,
        Guard::FreshNeed(canonical) => !found("SELECT 1 FROM needs WHERE canonical = ?", &[canonical])?,
        Guard::FreshGrant(worker, token, number) => !found(
            "SELECT 1 FROM attempts WHERE worker_id = ? AND token = ? AND grant_no = ?",
            &[&worker.as_str(), &token.0, number],
        )?,
    })
}
