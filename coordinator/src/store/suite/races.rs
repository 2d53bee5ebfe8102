//! Several who write at the same moment.

use ffleet_protocol::{
    account::Scope,
    id::{KeyId, RequestId},
    state::{CancelReason, JobStatus, Role, Stream},
};

use super::{
    KEEP, actor, conflict, decided, happen, holder, job, make, new_job, nodes::Nodes, policy, record, run, spec,
};
use crate::{
    domain::{Event, Lapse},
    store::{
        Conflicting, Writers,
        accounts::{self, AccountRow, KeyRow},
        commit::{Commit, Guard},
        jobs::NewTask,
        logs::{self, Appended},
        tasks::transition,
    },
};

pub(super) async fn a_commit_is_exclusive(store: &Nodes) {
    let id = job(store).await;
    let seen = store.seen_job(id).await.unwrap().unwrap();
    let claims = (0..16).map(|n| decided(&seen, &Event::Claimed { holder: holder(&format!("w{n}")) }));
    let results = futures_util::future::join_all(claims.map(|commit| store.commit(commit))).await;
    let won = results.into_iter().filter(|result| conflict(result).is_none()).count();
    assert_eq!(won, 1, "sixteen workers, one claim");
    let after = store.seen_job(id).await.unwrap().unwrap();
    assert_eq!((after.tasks[0].task.epoch, after.job.status), (1, JobStatus::Assigned));
    assert_eq!(store.attempts(id).await.unwrap().values().map(Vec::len).sum::<usize>(), 1, "losers leave no attempt");
}

/// Commits that go together, and one of them that comes too late.
pub(super) async fn many_at_once_are_each_told_the_truth(store: &Nodes) {
    let ids = futures_util::future::join_all((0..40).map(|_| job(store))).await;
    let mut commits = Vec::new();
    for id in &ids {
        let seen = store.seen_job(*id).await.unwrap().unwrap();
        commits.push(decided(&seen, &Event::Claimed { holder: holder("box") }));
    }
    happen(store, ids[7], &Event::Claimed { holder: holder("other") }).await;
    let results = futures_util::future::join_all(commits.into_iter().map(|commit| store.commit(commit))).await;
    let lost: Vec<usize> = (0..ids.len()).filter(|n| conflict(&results[*n]).is_some()).collect();
    assert_eq!(lost, [7]);
    for (index, id) in ids.iter().enumerate() {
        let seen = store.seen_job(*id).await.unwrap().unwrap();
        let by = if index == 7 { "other" } else { "box" };
        assert_eq!(seen.tasks[0].task.state.holder().map(|holder| holder.worker.as_str()), Some(by), "{index}");
        assert_eq!((seen.job.status, seen.tasks[0].task.epoch), (JobStatus::Assigned, 1));
    }
}

/// An append reads the task and writes the output; an end reads the output and writes the task.
pub(super) async fn an_end_and_an_append_do_not_both_win(store: &Nodes) {
    for _ in 0..20 {
        let (id, who) = (job(store).await, holder("box"));
        let seen = run(store, id, &who).await;
        let task = seen.tasks[0].task.id;
        let new = Appended { epoch: 1, next_seq: 2, stdout_bytes: 0, stdout_lost: false, progress: None };
        let records = [record(1, Stream::Stderr, "x")];
        let mut append = logs::append(task, &seen.tasks[0].output, &records, &new, seen.now).0;
        append.guards.push(Guard::Held(task, 1, who.token));
        let end = decided(&seen, &Event::LeaseLapsed { lapse: Lapse::Superseded });
        let both = futures_util::future::join_all([store.commit(append), store.commit(end)]).await;
        let won = both.iter().filter(|result| conflict(result).is_none()).count();
        assert_eq!(won, 1, "{both:?}");
    }
}

pub(super) async fn a_fold_cannot_be_stale(store: &Nodes) {
    let mut two = new_job(spec(), 1, 1);
    two.tasks.push(NewTask { name: "second".to_owned(), need_id: 1, fair_key: 2 });
    let id = make(store, two).await;
    let seen = store.seen_job(id).await.unwrap().unwrap();
    let cancel = Event::CancelRequested { by: "alice".to_owned(), reason: CancelReason::Requested };
    let commits: Vec<Commit> = seen
        .tasks
        .iter()
        .map(|task| {
            let next = task.task.on(&cancel, seen.now, &policy()).unwrap();
            transition(&seen, task, &next, &actor(), KEEP, Writers::Many).unwrap().0
        })
        .collect();
    let results = futures_util::future::join_all(commits.into_iter().map(|commit| store.commit(commit))).await;
    let won = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1, "both tasks end on the same reading of the job: the second decides again");
}

pub(super) async fn names_are_told_apart_by_every_letter(store: &Nodes) {
    let key: KeyId = "alice.key".parse().unwrap();
    for nonce in ["Case", "case", "case ", "cäse", "case\u{301}"] {
        let mut commit = Commit::default();
        commit.use_nonce(&key, nonce, RequestId::new(), 1);
        assert_eq!(conflict(&store.commit(commit).await), None, "{nonce:?}");
    }
}

/// Whoever removes an account has decided on what it was, and takes its keys along or nothing.
pub(super) async fn an_account_is_removed_as_it_was_seen_or_not_at_all(store: &Nodes) {
    let now = store.now().await.unwrap();
    let account = AccountRow {
        id: "leaving".parse().unwrap(),
        role: Role::Client,
        enabled: true,
        scope: Scope::default(),
        created_at: now,
        version: 1,
    };
    let key = KeyRow {
        key_id: "leaving.1".parse().unwrap(),
        account: account.id.clone(),
        sealed: vec![1],
        master_key_id: "m".to_owned(),
        created_at: now,
        expires_at: None,
    };
    store.commit(accounts::add(&account, &key)).await.unwrap();
    store.commit(accounts::update(&AccountRow { enabled: false, ..account.clone() })).await.unwrap();
    assert_eq!(conflict(&store.commit(accounts::remove(&account)).await), Some(Conflicting::Account));
    let (seen, keys) = store.account(&account.id).await.unwrap().unwrap();
    assert_eq!((seen.enabled, keys.len()), (false, 1), "its key is still there");
    assert_eq!(conflict(&store.commit(accounts::remove(&seen)).await), None);
    assert!(store.account(&account.id).await.unwrap().is_none());
}
