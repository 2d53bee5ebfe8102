//! Deciding guards: one SELECT per table for a whole batch of commits, then by hand, in the order in which they came.

use std::collections::{HashMap, HashSet};

use ffleet_protocol::id::{AccountId, KeyId, TaskId, Token, WorkerId};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    commit::{Commit, Conflicting, Guard},
    row,
};

/// What the database says about everything that the guards of a batch name.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    versions: HashMap<Key, i64>,
    held: HashMap<TaskId, (i64, Option<Uuid>)>,
    /// Workers that take work, with their current start.
    taking: HashMap<String, Uuid>,
    taken: HashSet<Guard>,
    /// Whose each identity is.
    identities: HashMap<(String, String), Uuid>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Job(Uuid),
    Task(Uuid),
    Output(Uuid),
    Worker(String),
    Account(String),
}

/// Rows that one SELECT asks for; a power of two.
const AT_ONCE: usize = 512;

impl Facts {
    /// Looks everything up.
    pub(crate) async fn read(db: &impl ConnectionTrait, commits: &[Commit]) -> Result<Self, DbErr> {
        let mut facts = Self::default();
        let guards: Vec<&Guard> = commits.iter().flat_map(|commit| &commit.guards).collect();
        facts.versions(db, &guards).await?;
        facts.held(db, &guards).await?;
        facts.taking(db, &guards).await?;
        facts.fresh(db, &guards).await?;
        facts.identities(db, &guards).await?;
        Ok(facts)
    }

    async fn versions(&mut self, db: &impl ConnectionTrait, guards: &[&Guard]) -> Result<(), DbErr> {
        let (mut jobs, mut tasks, mut outputs, mut workers, mut accounts) = (vec![], vec![], vec![], vec![], vec![]);
        for (key, _) in guards.iter().filter_map(|guard| versioned(guard)) {
            match key {
                Key::Job(id) => jobs.push(id),
                Key::Task(id) => tasks.push(id),
                Key::Output(id) => outputs.push(id),
                Key::Worker(id) => workers.push(id),
                Key::Account(id) => accounts.push(id),
            }
        }
        macro_rules! look {
            ($table:ident, $id:ident, $ids:expr, $key:expr, $idty:ty) => {
                for part in $ids.chunks(AT_ONCE) {
                    let found: Vec<($idty, i64)> = row::$table::Entity::find()
                        .select_only()
                        .column(row::$table::Column::$id)
                        .column(row::$table::Column::Version)
                        .filter(row::$table::Column::$id.is_in(row::padded(part)))
                        .into_tuple()
                        .all(db)
                        .await?;
                    self.versions.extend(found.into_iter().map(|(id, version)| ($key(id), version)));
                }
            };
        }
        look!(job, Id, jobs, Key::Job, Uuid);
        look!(task, Id, tasks, Key::Task, Uuid);
        look!(output, TaskId, outputs, Key::Output, Uuid);
        look!(worker, Id, workers, Key::Worker, String);
        look!(account, Id, accounts, Key::Account, String);
        Ok(())
    }

    async fn held(&mut self, db: &impl ConnectionTrait, guards: &[&Guard]) -> Result<(), DbErr> {
        let ids: Vec<Uuid> =
            guards.iter().filter_map(|guard| if let Guard::Held(id, ..) = guard { Some(id.0) } else { None }).collect();
        for part in ids.chunks(AT_ONCE) {
            let found: Vec<(Uuid, i64, Option<Uuid>)> = row::task::Entity::find()
                .select_only()
                .column(row::task::Column::Id)
                .column(row::task::Column::Epoch)
                .column(row::task::Column::HolderToken)
                .filter(row::task::Column::Id.is_in(row::padded(part)))
                .filter(row::task::Column::WorkerId.is_not_null())
                .into_tuple()
                .all(db)
                .await?;
            self.held.extend(found.into_iter().map(|(id, epoch, token)| (TaskId(id), (epoch, token))));
        }
        Ok(())
    }

    async fn taking(&mut self, db: &impl ConnectionTrait, guards: &[&Guard]) -> Result<(), DbErr> {
        use row::worker::Column as C;
        let ids: HashSet<&str> = guards
            .iter()
            .filter_map(|guard| if let Guard::WorkerTakes(id, _) = guard { Some(id.as_str()) } else { None })
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found: Vec<(String, Uuid)> = row::worker::Entity::find()
            .select_only()
            .columns([C::Id, C::Incarnation])
            .filter(C::Id.is_in(ids))
            .filter(C::State.eq("online"))
            .into_tuple()
            .all(db)
            .await?;
        self.taking.extend(found);
        Ok(())
    }

    async fn identities(&mut self, db: &impl ConnectionTrait, guards: &[&Guard]) -> Result<(), DbErr> {
        use row::job_identity::Column as C;
        let mut asked: HashMap<&str, Vec<&str>> = HashMap::new();
        for guard in guards {
            if let Guard::Identity(account, identity, _) = guard {
                asked.entry(account.as_str()).or_default().push(identity);
            }
        }
        for (account, identities) in asked {
            for part in identities.chunks(AT_ONCE) {
                let found: Vec<(String, Uuid)> = row::job_identity::Entity::find()
                    .select_only()
                    .columns([C::Identity, C::JobId])
                    .filter(C::AccountId.eq(account))
                    .filter(C::Identity.is_in(part.iter().copied()))
                    .into_tuple()
                    .all(db)
                    .await?;
                let found = found.into_iter().map(|(identity, job)| ((account.to_owned(), identity), job));
                self.identities.extend(found);
            }
        }
        Ok(())
    }

    /// Looks for the rows that must not be there.
    async fn fresh(&mut self, db: &impl ConnectionTrait, guards: &[&Guard]) -> Result<(), DbErr> {
        use row::{account, need, worker};
        macro_rules! exists {
            ($guard:expr, $entity:ty, $condition:expr) => {
                if <$entity>::find().filter($condition).limit(1).one(db).await?.is_some() {
                    self.taken.insert((*$guard).clone());
                }
            };
        }
        self.fresh_pairs(db, guards).await?;
        for guard in guards {
            if let Guard::FreshWorker(id) = guard {
                exists!(guard, worker::Entity, worker::Column::Id.eq(id.as_str()));
            } else if let Guard::FreshAccount(id) = guard {
                exists!(guard, account::Entity, account::Column::Id.eq(id.as_str()));
            } else if let Guard::FreshNeed(canonical) = guard {
                exists!(guard, need::Entity, need::Column::Canonical.eq(canonical.as_str()));
            }
        }
        Ok(())
    }

    /// Pairs, by the first of the two: a batch has many of few accounts, and one list is found sooner than many pairs.
    async fn fresh_pairs(&mut self, db: &impl ConnectionTrait, guards: &[&Guard]) -> Result<(), DbErr> {
        use row::{attempt, idempotency, nonce};
        let (mut nonces, mut keys, mut grants) = (HashMap::new(), HashMap::new(), HashMap::new());
        for guard in guards {
            if let Guard::FreshNonce(key_id, text) = guard {
                nonces.entry(key_id).or_insert_with(Vec::new).push(text.as_str());
            } else if let Guard::FreshIdempotency(account, key) = guard {
                keys.entry(account).or_insert_with(Vec::new).push(key.as_str());
            } else if let Guard::FreshGrant(worker, token, _) = guard {
                let tokens = grants.entry(worker).or_insert_with(Vec::new);
                if tokens.last() != Some(&token.0) {
                    tokens.push(token.0);
                }
            }
        }
        macro_rules! look {
            ($table:ident, $first:ident, $second:ident, $pairs:expr, $as:ty, $with:expr, $taken:expr) => {
                for (first, all) in $pairs {
                    for part in all.chunks(AT_ONCE) {
                        let found: Vec<$as> = $table::Entity::find()
                            .select_only()
                            .columns($with)
                            .filter($table::Column::$first.eq(first.as_str()))
                            .filter($table::Column::$second.is_in(row::padded(part)))
                            .into_tuple()
                            .all(db)
                            .await?;
                        self.taken.extend(found.into_iter().map(|found| $taken(first, found)));
                    }
                }
            };
        }
        let used = |key: &KeyId, (text,): (String,)| Guard::FreshNonce(key.clone(), text);
        look!(nonce, KeyId, Nonce, nonces, (String,), [nonce::Column::Nonce], used);
        let known = |account: &AccountId, (key,): (String,)| Guard::FreshIdempotency(account.clone(), key);
        look!(idempotency, AccountId, IdempotencyKey, keys, (String,), [idempotency::Column::IdempotencyKey], known);
        let given = |worker: &WorkerId, (token, number)| Guard::FreshGrant(worker.clone(), Token(token), number);
        look!(attempt, WorkerId, Token, grants, (Uuid, i64), [attempt::Column::Token, attempt::Column::GrantNo], given);
        Ok(())
    }

    /// Takes a commit into the batch if all its guards hold, counting what it will have changed; otherwise says which
    /// guard does not.
    pub(crate) fn admit(&mut self, commit: &Commit) -> Result<(), Conflicting> {
        if let Some(lost) = commit.guards.iter().find(|guard| !self.holds(guard)) {
            return Err(lost.what());
        }
        for guard in &commit.guards {
            match guard {
                Guard::FreshNonce(..)
                | Guard::FreshIdempotency(..)
                | Guard::FreshWorker(_)
                | Guard::FreshAccount(_)
                | Guard::FreshNeed(_)
                | Guard::FreshGrant(..) => {
                    self.taken.insert(guard.clone());
                }
                Guard::Identity(account, identity, _) => {
                    // It is another job's now. Whoever read it before comes again in the next batch.
                    self.identities.insert((account.as_str().to_owned(), identity.clone()), Uuid::nil());
                }
                Guard::Held(..) | Guard::WorkerTakes(..) => {}
                Guard::Job(..) | Guard::Task(..) | Guard::Output(..) | Guard::Worker(..) | Guard::Account(..) => {
                    // Whoever guards a row also bumps it; a later commit of this batch that read the same version loses.
                    if let Some((key, version)) = versioned(guard) {
                        self.versions.insert(key, version + 1);
                    }
                    if let Guard::Worker(id, _) = guard {
                        self.taking.remove(id.as_str());
                    }
                    if let Guard::Task(id, _) = guard {
                        // Its lease may be another one now. Whoever needs it held comes again in the next batch.
                        self.held.remove(id);
                    }
                }
            }
        }
        Ok(())
    }

    fn holds(&self, guard: &Guard) -> bool {
        if let Some((key, version)) = versioned(guard) {
            return self.versions.get(&key) == Some(&version);
        }
        if let Guard::Held(id, epoch, token) = guard {
            return self.held.get(id) == Some(&(i64::from(*epoch), Some(token.0)));
        }
        if let Guard::WorkerTakes(id, incarnation) = guard {
            return self.taking.get(id.as_str()) == Some(&incarnation.0);
        }
        if let Guard::Identity(account, identity, job) = guard {
            let whose = self.identities.get(&(account.as_str().to_owned(), identity.clone()));
            return whose.copied() == job.map(|job| job.0);
        }
        !self.taken.contains(guard)
    }
}

fn versioned(guard: &Guard) -> Option<(Key, i64)> {
    match guard {
        Guard::Job(id, version) => Some((Key::Job(id.0), *version)),
        Guard::Task(id, version) => Some((Key::Task(id.0), *version)),
        Guard::Output(id, version) => Some((Key::Output(id.0), *version)),
        Guard::Worker(id, version) => Some((Key::Worker(id.as_str().to_owned()), *version)),
        Guard::Account(id, version) => Some((Key::Account(id.as_str().to_owned()), *version)),
        Guard::Held(..)
        | Guard::WorkerTakes(..)
        | Guard::FreshNonce(..)
        | Guard::FreshIdempotency(..)
        | Guard::Identity(..)
        | Guard::FreshWorker(_)
        | Guard::FreshAccount(_)
        | Guard::FreshNeed(_)
        | Guard::FreshGrant(..) => None,
    }
}
