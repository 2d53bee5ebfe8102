//! What every database must do, whichever node of it is asked.

mod bulk;
mod heartbeats;
mod lost;
mod newer;
mod nodes;
mod races;

use std::collections::BTreeMap;

use nodes::Nodes;

use ffleet_protocol::{
    Timestamp,
    id::{AccountId, EventId, Incarnation, JobId, KeyId, RequestId, Token, WorkerId},
    job::{JobSpec, Need},
    log::{Data, FollowRecord, LineEnd, Record},
    state::{CancelReason, JobStatus, Stream, TaskStatus},
};
use futures_util::StreamExt;
use jiff::SignedDuration;

use super::{
    Conflicting, Store, StoreError, Writers,
    commit::{Commit, Guard},
    idempotency::{Used, remember},
    jobs::{NewJob, NewTask, Retention},
    listing::Page,
    logs::{self, Appended},
    needs::Needs,
    tasks::{Actor, SeenJob, transition},
};
use crate::domain::{Event, Holder, Lapse, Policy, Quote};

const KEEP: Retention = Retention { finished: SignedDuration::from_hours(1), failed: SignedDuration::from_hours(2) };

fn actor() -> Actor {
    Actor { name: "tester".to_owned(), request_id: RequestId::new() }
}

fn alice() -> AccountId {
    "alice".parse().unwrap()
}

fn spec() -> JobSpec {
    serde_json::from_str(r#"{"args": ["-i", "$Media/a.mkv"]}"#).unwrap()
}

fn policy() -> Policy {
    Policy::for_job(&crate::domain::Defaults::default(), &spec())
}

fn new_job(spec: JobSpec, need_id: i64, fair_key: i64) -> NewJob {
    NewJob {
        id: JobId::new(),
        requester: alice(),
        json: super::json(&spec),
        spec,
        warnings: Vec::new(),
        retry_of: None,
        client_until: None,
        tasks: vec![NewTask { name: "main".to_owned(), need_id, fair_key }],
    }
}

async fn make(store: &Nodes, job: NewJob) -> JobId {
    let id = job.id;
    store.commit(job.commit(&actor(), store.now().await.unwrap())).await.unwrap();
    id
}

async fn job(store: &Nodes) -> JobId {
    make(store, new_job(spec(), 1, 1)).await
}

fn holder(name: &str) -> Holder {
    Holder { worker: name.parse().unwrap(), incarnation: Incarnation::new(), token: Token::new() }
}

fn quote(holder: &Holder, epoch: u32) -> Quote {
    Quote { epoch, token: holder.token, worker: holder.worker.clone() }
}

/// The commit of an event on the only task of a job that was read.
fn decided(seen: &SeenJob, event: &Event) -> Commit {
    let next = seen.tasks[0].task.on(event, seen.now, &policy()).unwrap();
    transition(seen, &seen.tasks[0], &next, &actor(), KEEP, Writers::Many).unwrap().0
}

async fn happen(store: &Nodes, id: JobId, event: &Event) -> SeenJob {
    let seen = store.seen_job(id).await.unwrap().unwrap();
    store.commit(decided(&seen, event)).await.unwrap();
    store.seen_job(id).await.unwrap().unwrap()
}

async fn run(store: &Nodes, id: JobId, holder: &Holder) -> SeenJob {
    happen(store, id, &Event::Claimed { holder: holder.clone() }).await;
    happen(store, id, &Event::Accepted { quote: quote(holder, 1) }).await
}

fn conflict(result: &Result<(), StoreError>) -> Option<Conflicting> {
    match result {
        Err(StoreError::Conflict(what)) => Some(*what),
        Ok(()) => None,
        Err(other) => panic!("{other:?}"),
    }
}

async fn what_must_be_fresh_is_taken_once(store: &Nodes) {
    let key: KeyId = "alice.key".parse().unwrap();
    let once = || {
        let mut commit = Commit::default();
        commit.use_nonce(&key, "the-same", RequestId::new(), 1);
        commit
    };
    let both = futures_util::future::join_all([store.commit(once()), store.commit(once())]).await;
    let taken: Vec<_> = both.iter().map(conflict).collect();
    assert!(taken.contains(&None) && taken.contains(&Some(Conflicting::Nonce)), "{taken:?}");
    assert_eq!(conflict(&store.commit(once()).await), Some(Conflicting::Nonce), "and never again");

    let used = |job: JobId| Used { job, body_hash: vec![1], nonce: None };
    let first = JobId::new();
    for (id, expected) in [(first, None), (JobId::new(), Some(Conflicting::Idempotency))] {
        let mut commit = Commit::default();
        remember(&mut commit, &alice(), "key-1", &used(id), 1);
        assert_eq!(conflict(&store.commit(commit).await), expected);
    }
    assert_eq!(store.idempotency(&alice(), "key-1").await.unwrap(), Some(used(first)));
}

async fn a_lost_guard_writes_nothing(store: &Nodes) {
    let id = job(store).await;
    let seen = store.seen_job(id).await.unwrap().unwrap();
    let cancel = Event::CancelRequested { by: "alice".to_owned(), reason: CancelReason::Requested };
    store.commit(decided(&seen, &cancel)).await.unwrap();
    let mut late = decided(&seen, &Event::Claimed { holder: holder("late") });
    late.use_nonce(&"k".parse().unwrap(), "late-nonce", RequestId::new(), 1);
    assert!(conflict(&store.commit(late).await).is_some());
    let mut again = Commit::default();
    again.use_nonce(&"k".parse().unwrap(), "late-nonce", RequestId::new(), 1);
    assert_eq!(conflict(&store.commit(again).await), None, "its nonce is free");
    assert_eq!(store.seen_job(id).await.unwrap().unwrap().job.status, JobStatus::Canceled);
}

async fn one_that_cannot_be_written_harms_no_other(store: &Nodes) {
    let good: Vec<NewJob> = (0..8).map(|n| new_job(spec(), 1, n)).collect();
    let ids: Vec<JobId> = good.iter().map(|job| job.id).collect();
    let now = store.now().await.unwrap();
    let mut commits: Vec<Commit> = good.into_iter().map(|job| job.commit(&actor(), now)).collect();
    let mut bad = new_job(spec(), 1, 1).commit(&actor(), now);
    bad.rows.jobs[0].status = "nonsense".to_owned();
    commits.insert(4, bad);
    let results = futures_util::future::join_all(commits.into_iter().map(|commit| store.commit(commit))).await;
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1, "the table refuses nonsense");
    assert_eq!(store.standing(&ids).await.unwrap().len(), 8);
}

async fn a_row_is_read_as_it_was_written(store: &Nodes) {
    let (id, who) = (job(store).await, holder("box"));
    let claimed = happen(store, id, &Event::Claimed { holder: who.clone() }).await;
    assert_eq!(claimed.tasks[0].task.state.holder(), Some(&who));
    let running = happen(store, id, &Event::Accepted { quote: quote(&who, 1) }).await;
    assert_eq!(running.job.status, JobStatus::Running);
    assert!(running.job.started_at.is_some());
    let lapsed = happen(store, id, &Event::LeaseLapsed { lapse: Lapse::Superseded }).await;
    let task = &lapsed.tasks[0].task;
    assert_eq!((task.state.status(), task.counters.crashes), (TaskStatus::Pending, 1));
    assert!(task.avoids(&who.worker, lapsed.now).is_some() && task.ran);
    let attempts = store.attempts(id).await.unwrap();
    assert!(attempts[&task.id][0].end.is_some());
}

async fn claims_come_in_order(store: &Nodes) {
    let urgent = JobSpec { priority: 5, ..spec() };
    let mut expected = Vec::new();
    for (spec, need, turn) in [(urgent.clone(), 72, 9), (urgent, 71, 10), (spec(), 71, 1), (spec(), 72, 2)] {
        expected.push(make(store, new_job(spec, need, turn)).await);
    }
    make(store, new_job(spec(), 73, 0)).await;
    store.settled().await;
    let found = store.claimable(&[71, 72], 10, None).await.unwrap();
    let jobs: Vec<JobId> = found.iter().map(super::claim::Candidate::job).collect();
    assert_eq!(jobs, expected, "priority, then turn; other needs are not looked at");
    for (index, last) in found.iter().enumerate() {
        let rest = store.claimable(&[71, 72], 10, Some(last)).await.unwrap();
        assert_eq!(rest, found[index + 1..], "the next page begins where the last one ended");
    }
    assert_eq!(store.claimable(&[], 10, None).await.unwrap(), []);
}

async fn waiting_tasks_ripen(store: &Nodes) {
    let (id, who) = (make(store, new_job(spec(), 81, 1)).await, holder("box"));
    happen(store, id, &Event::Claimed { holder: who.clone() }).await;
    let reject = Event::Rejected { quote: quote(&who, 1), reason: "no space".to_owned() };
    let waits = happen(store, id, &reject).await;
    store.settled().await;
    assert_eq!(store.claimable(&[81], 1, None).await.unwrap(), [], "it waits");
    assert_eq!(store.ripen(waits.now, 10).await.unwrap(), [] as [i64; 0]);
    let later = waits.now + SignedDuration::from_secs(6);
    assert_eq!(store.ripen(later, 10).await.unwrap(), [81]);
    store.settled().await;
    assert_eq!(store.claimable(&[81], 1, None).await.unwrap().len(), 1);
    assert_eq!(store.ripen(later, 10).await.unwrap(), [] as [i64; 0], "once");
}

fn record(seq: u64, stream: Stream, text: &str) -> Record {
    let end = (stream == Stream::Stderr).then_some(LineEnd::Lf);
    Record { seq, stream, at: Timestamp::UNIX_EPOCH, data: Data::Text(text.to_owned()), end }
}

async fn logs_keep_their_order(store: &Nodes) {
    let (id, who) = (job(store).await, holder("box"));
    let mut seen = run(store, id, &who).await;
    let task = seen.tasks[0].task.id;
    for batch in [1..=3_u64, 4..=4, 5..=9] {
        let records: Vec<Record> = batch
            .clone()
            .map(|n| record(n, if n % 2 == 0 { Stream::Stdout } else { Stream::Stderr }, &format!("line {n}")))
            .collect();
        let new = Appended { epoch: 1, next_seq: batch.end() + 1, stdout_bytes: 1, stdout_lost: false, progress: None };
        let (mut commit, _) = logs::append(task, &seen.tasks[0].output, &records, &new, seen.now);
        commit.guards.push(Guard::Held(task, 1, who.token));
        store.commit(commit.clone()).await.unwrap();
        assert_eq!(conflict(&store.commit(commit).await), Some(Conflicting::Output), "a batch is taken once");
        seen = store.seen_job(id).await.unwrap().unwrap();
    }
    assert_eq!(seen.tasks[0].task.next_seq, 10);
    for after in 0..=9 {
        let lines = store.lines_after(task, 1, after, None, 32).await.unwrap().lines;
        let numbers: Vec<u64> = lines.iter().map(|line| line.seq).collect();
        assert_eq!(numbers, ((after + 1)..=9).collect::<Vec<_>>());
    }
    let first = &store.lines_after(task, 1, 0, None, 32).await.unwrap().lines[0];
    assert!(
        matches!(serde_json::from_slice(&first.json).unwrap(), FollowRecord::Output { record, .. } if record.seq == 1)
    );
    let stdout = store.lines_after(task, 1, 0, Some(Stream::Stdout), 32).await.unwrap().lines;
    assert_eq!(stdout.iter().map(|line| line.seq).collect::<Vec<_>>(), [2, 4, 6, 8]);
    // However small the pages, nothing is left out between them.
    for limit in 3..=8 {
        let (mut after, mut numbers) = (0, Vec::new());
        loop {
            let read = store.lines_after(task, 1, after, None, limit).await.unwrap();
            numbers.extend(read.lines.iter().map(|line| line.seq));
            after = read.through;
            if !read.more {
                break;
            }
        }
        assert_eq!(numbers, (1..=9).collect::<Vec<_>>(), "{limit} chunks at a time");
    }
    // No word of an attempt whose lease is another one's.
    let stranger = Appended { epoch: 1, next_seq: 11, stdout_bytes: 1, stdout_lost: false, progress: None };
    let (mut commit, _) =
        logs::append(task, &seen.tasks[0].output, &[record(10, Stream::Stderr, "x")], &stranger, seen.now);
    commit.guards.push(Guard::Held(task, 1, Token::new()));
    assert_eq!(conflict(&store.commit(commit).await), Some(Conflicting::Task));
}

async fn a_claim_brings_each_grant_once(store: &Nodes) {
    let (worker, token): (WorkerId, Token) = ("twice".parse().unwrap(), Token::new());
    for expected in [None, Some(Conflicting::Grant)] {
        let id = job(store).await;
        let seen = store.seen_job(id).await.unwrap().unwrap();
        let holder = Holder { worker: worker.clone(), incarnation: Incarnation::new(), token };
        let mut commit = decided(&seen, &Event::Claimed { holder });
        commit.guards.push(Guard::FreshGrant(worker.clone(), token, 0));
        assert_eq!(conflict(&store.commit(commit).await), expected);
    }
    assert_eq!(store.granted(&worker, token).await.unwrap().len(), 1);
}

async fn needs_are_rows(store: &Nodes) {
    let need = |program: &str| Need {
        program: program.to_owned(),
        variables: ["Media".parse().unwrap()].into(),
        requirements: ffleet_protocol::job::Requirements::default(),
    };
    let (here, there) = (Needs::default(), Needs::default());
    let wanted = need("ffmpeg");
    let both = [here.id(store, &wanted, 500), there.id(store, &wanted, 500)];
    let ids = futures_util::future::join_all(both).await;
    let ids: Vec<_> = ids.into_iter().map(Result::unwrap).collect();
    assert!(ids[0].is_some() && ids[0] == ids[1], "two coordinators, one row: {ids:?}");
    let all = here.all(store).await.unwrap().len();
    assert_eq!(here.id(store, &need("ffprobe"), all).await.unwrap(), None, "the limit");
    let other = there.id(store, &need("ffprobe"), 500).await.unwrap();
    assert_eq!(here.id(store, &need("ffprobe"), 0).await.unwrap(), other, "what is there already is no new one");
}

async fn pages_are_stable(store: &Nodes) {
    let labels: BTreeMap<String, String> = [("show".to_owned(), "pages".to_owned())].into();
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(make(store, new_job(JobSpec { labels: labels.clone(), ..spec() }, 1, n)).await);
    }
    made.reverse();
    let page = Page { label: Some(("show".to_owned(), "pages".to_owned())), limit: 2, ..Page::default() };
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        store.settled().await;
        let part = store.page(&Page { before, ..page.clone() }).await.unwrap();
        make(store, new_job(JobSpec { labels: labels.clone(), ..spec() }, 1, 9)).await;
        let Some(last) = part.last() else { break };
        before = Some(last.id);
        seen.extend(part.iter().map(|job| job.id));
    }
    assert_eq!(seen, made, "what is made meanwhile shifts nothing");
    let none = Page { statuses: vec![JobStatus::Running], ..page };
    assert_eq!(store.page(&none).await.unwrap(), []);
}

async fn retention_leaves_nothing(store: &Nodes) {
    let (id, who) = (job(store).await, holder("box"));
    let seen = run(store, id, &who).await;
    let task = seen.tasks[0].task.id;
    let new = Appended { epoch: 1, next_seq: 2, stdout_bytes: 0, stdout_lost: false, progress: None };
    let records = [record(1, Stream::Stderr, "x")];
    store.commit(logs::append(task, &seen.tasks[0].output, &records, &new, seen.now).0).await.unwrap();
    let cancel = Event::CancelRequested { by: "alice".to_owned(), reason: CancelReason::Requested };
    happen(store, id, &cancel).await;
    let ended = happen(store, id, &Event::LeaseLapsed { lapse: Lapse::Left }).await;
    assert_eq!(ended.job.status, JobStatus::Canceled);
    store.settled().await;
    assert!(!store.expired(ended.now, 1_000).await.unwrap().contains(&id), "its time is not over");
    assert!(store.expired(ended.now + SignedDuration::from_hours(2), 1_000).await.unwrap().contains(&id));
    assert_eq!(store.purge_output(&[id], 10).await.unwrap(), 1);
    store.purge(&[id]).await.unwrap();
    assert!(store.seen_job(id).await.unwrap().is_none() && store.output(task).await.unwrap().is_none());
    assert!(store.spec(id).await.unwrap().is_none() && store.attempts(id).await.unwrap().is_empty());
    let (first, last) = (EventId(uuid::Uuid::nil()), EventId(uuid::Uuid::max()));
    store.settled().await;
    assert!(!store.events(first, last, None, 10_000).await.unwrap().iter().any(|event| event.job == id));
}

/// Coordinators that start together, one of them after another has died half way.
async fn starts_together_find_the_tables(urls: &[String]) -> Vec<Store> {
    // A file has one coordinator, which may be started again.
    let at_once = if urls[0].starts_with("sqlite:") { 1 } else { 3 };
    let starts: Vec<_> = urls.iter().cycle().take(3).map(|url| Store::open(url)).collect();
    let stores: Vec<_> = futures_util::stream::iter(starts).buffered(at_once).map(Result::unwrap).collect().await;
    let id = JobId::new();
    let mut job = new_job(spec(), 1, 1);
    job.id = id;
    stores[0].commit(job.commit(&actor(), stores[0].now().await.unwrap())).await.unwrap();
    assert!(stores[2].seen_job(id).await.unwrap().is_some());
    stores
}

/// Everything, against one database.
async fn exercise(urls: &[String]) {
    let store = &Nodes::of(starts_together_find_the_tables(urls).await);
    races::a_commit_is_exclusive(store).await;
    what_must_be_fresh_is_taken_once(store).await;
    bulk::an_identity_is_one_jobs(store).await;
    bulk::a_repeated_job_is_told_from_others(store).await;
    a_lost_guard_writes_nothing(store).await;
    one_that_cannot_be_written_harms_no_other(store).await;
    races::many_at_once_are_each_told_the_truth(store).await;
    a_row_is_read_as_it_was_written(store).await;
    races::a_fold_cannot_be_stale(store).await;
    races::an_end_and_an_append_do_not_both_win(store).await;
    claims_come_in_order(store).await;
    waiting_tasks_ripen(store).await;
    logs_keep_their_order(store).await;
    a_claim_brings_each_grant_once(store).await;
    needs_are_rows(store).await;
    races::names_are_told_apart_by_every_letter(store).await;
    races::an_account_is_removed_as_it_was_seen_or_not_at_all(store).await;
    heartbeats::heartbeats_at_the_same_moment_are_few_transactions(store).await;
    pages_are_stable(store).await;
    retention_leaves_nothing(store).await;
    newer::an_older_coordinator_starts_on_tables_that_were_added_to(&urls[0]).await;
    store.probe().await.unwrap();
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    exercise(&[format!("sqlite://{}/ffleet.db", folder.path().display())]).await;
}

#[tokio::test]
async fn mariadb() {
    exercise(&[nodes::mariadb().await]).await;
}

#[tokio::test]
async fn galera_with_writers_on_all_nodes() {
    exercise(&nodes::galera().await).await;
}

#[tokio::test]
async fn postgres() {
    exercise(&[nodes::postgres().await]).await;
}
