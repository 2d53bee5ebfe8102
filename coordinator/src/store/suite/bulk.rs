//! What submitting and retrying in bulk rests on.

use std::collections::BTreeMap;

use ffleet_protocol::{id::JobId, job::JobSpec};

use super::{alice, conflict, job, make, new_job, nodes::Nodes, spec};
use crate::store::{Conflicting, commit::Commit, identities::take, jobs::retried, listing::Page};

pub(super) async fn an_identity_is_one_jobs(store: &Nodes) {
    let taking = |job: JobId, before: Option<JobId>| {
        let mut commit = Commit::default();
        take(&mut commit, &alice(), "same", before, job);
        commit
    };
    let whose = async || store.identities(&alice(), ["same", "other"]).await.unwrap().get("same").map(|(job, _)| *job);
    let [first, second, third] = [job(store).await, job(store).await, job(store).await];
    let both = futures_util::future::join_all([first, second].map(|id| store.commit(taking(id, None)))).await;
    let lost: Vec<_> = both.iter().filter_map(conflict).collect();
    assert_eq!(lost, [Conflicting::Identity], "two runs of one command");
    let holder = whose().await.unwrap();
    let other = if holder == first { second } else { first };
    let both = [other, third].map(|id| store.commit(taking(id, Some(holder))));
    let both = futures_util::future::join_all(both).await;
    assert_eq!(both.iter().filter_map(conflict).collect::<Vec<_>>(), [Conflicting::Identity], "one takes it over");
    let heir = whose().await.unwrap();
    assert_eq!(store.identities(&"bob".parse().unwrap(), ["same"]).await.unwrap().len(), 0, "each account has its own");
    let others: Vec<JobId> = [first, second, third].into_iter().filter(|id| *id != heir).collect();
    store.purge(&others).await.unwrap();
    assert_eq!(whose().await, Some(heir), "it is kept as long as the job that has it");
    store.purge(&[heir]).await.unwrap();
    assert_eq!(whose().await, None);
    assert_eq!(conflict(&store.commit(taking(job(store).await, None)).await), None);
}

pub(super) async fn a_repeated_job_is_told_from_others(store: &Nodes) {
    let labels: BTreeMap<String, String> = [("show".to_owned(), "repeated".to_owned())].into();
    let labelled = JobSpec { labels, ..spec() };
    let [old, other, new] = [(); 3].map(|()| make(store, new_job(labelled.clone(), 1, 1)));
    let (old, other, new) = (old.await, other.await, new.await);
    let row = store.job(old).await.unwrap().unwrap();
    store.commit(retried(&row, new)).await.unwrap();
    assert_eq!(
        conflict(&store.commit(retried(&row, other)).await),
        Some(Conflicting::Job),
        "on the same reading, once"
    );
    let page = async |retried| {
        store.settled().await;
        let label = Some(("show".to_owned(), "repeated".to_owned()));
        let page = store.page(&Page { label, retried, limit: 10, ..Page::default() }).await.unwrap();
        page.into_iter().map(|job| (job.id, job.retried_by)).collect::<Vec<_>>()
    };
    assert_eq!(page(Some(true)).await, [(old, Some(new))]);
    assert_eq!(page(Some(false)).await, [(new, None), (other, None)]);
    assert_eq!(page(None).await.len(), 3);
}
