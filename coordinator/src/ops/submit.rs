//! Somebody wants jobs done.

use std::collections::{HashMap, HashSet};

use ffleet_nudges::Nudge;
use ffleet_protocol::{
    id::JobId,
    job::{BatchAnswer, BatchRequest, JobSpec, Need, Submitted},
    limits,
    problem::{Code, FieldError},
    state::JobStatus,
};
use sha2::{Digest, Sha256};

use super::{Caller, IdempotencyKey, OpError, no_such_job, replayed};
use crate::{
    app::App,
    plan::{self, Plan},
    store::{
        Conflicting, StoreError,
        commit::Commit,
        idempotency::{Used, remember},
        identities::take,
        jobs::{NewJob, NewTask, retried},
    },
};

/// Looks at what others wrote, and decisions that are taken again.
const TRIES: u32 = 8;

/// Makes a job, or finds the one that an earlier request with the same key made. Says whether it is new.
pub async fn one(
    app: &App,
    who: &Caller,
    spec: JobSpec,
    key: Option<IdempotencyKey>,
) -> Result<(Submitted, bool), OpError> {
    make(app, who, spec, key, None).await
}

/// Makes a job that may repeat another one.
pub(super) async fn make(
    app: &App,
    who: &Caller,
    spec: JobSpec,
    key: Option<IdempotencyKey>,
    retry_of: Option<JobId>,
) -> Result<(Submitted, bool), OpError> {
    if let Some(key) = &key {
        check_key("Idempotency-Key", &key.key)?;
    }
    // Nearly every key is new. So the job is made first, and an earlier one is looked for only when that did not work: what
    // was answered once is answered again, whatever would be said of the request now. A lost race means that somebody else
    // wrote a moment ago; then what was written is seen.
    for _ in 0..TRIES {
        let mut spec = spec.clone();
        let mut before = None;
        if let Some(identity) = &spec.identity {
            match app.store.identities(&who.account, [identity.as_str()]).await?.get(identity) {
                None => {}
                Some((job, _)) if retry_of == Some(*job) => before = Some(*job),
                // The newest job of this identity is another one, and stays it.
                Some(_) if retry_of.is_some() => spec.identity = None,
                Some(&(id, status)) => {
                    let earlier = earlier(app, who, key.as_ref()).await?;
                    return Ok((earlier.unwrap_or_else(|| existing(id, status)), false));
                }
            }
        }
        let item = Item { before, ..Item::of(spec, key.clone(), String::new(), retry_of) };
        let mut extra = if key.is_none() { who.once() } else { Commit::default() };
        if let Some(old) = retry_of {
            let old = app.store.job(old).await?.ok_or_else(no_such_job)?;
            extra.join(retried(&old, item.id));
        }
        let failed = match submit(app, who, vec![item], extra).await {
            Ok(mut made) => {
                let made = made.pop().map(|made| (made, true));
                return made.ok_or_else(|| OpError::Internal(anyhow::anyhow!("a submit of one job made none")));
            }
            Err(failed) => failed,
        };
        match (earlier(app, who, key.as_ref()).await?, failed) {
            (Some(earlier), _) => return Ok((earlier, false)),
            (None, Failed::Op(error)) => return Err(error),
            (None, Failed::Raced) => {}
        }
    }
    Err(OpError::Unavailable("the same is being submitted at the same time; try again".to_owned()))
}

/// Makes many jobs, all or none. Those that an earlier batch made, and those whose identity there is, are found.
pub async fn batch(app: &App, who: &Caller, request: BatchRequest) -> Result<BatchAnswer, OpError> {
    check_batch(&request)?;
    let keys: Vec<String> = request.jobs.iter().map(|item| item.idempotency_key.clone()).collect();
    for _ in 0..TRIES {
        let mut known = HashMap::new();
        for part in keys.chunks(500) {
            known.extend(app.store.idempotency_of(&who.account, part).await?);
        }
        let mut kept = HashMap::new();
        let identities: Vec<&str> = request.jobs.iter().filter_map(|item| item.job.identity.as_deref()).collect();
        for part in identities.chunks(500) {
            kept.extend(app.store.identities(&who.account, part.iter().copied()).await?);
        }
        let mut answers: Vec<Option<Submitted>> = Vec::with_capacity(keys.len());
        let mut fresh = Vec::new();
        for (index, item) in request.jobs.iter().enumerate() {
            let json = crate::store::json(&item.job);
            let hash: [u8; 32] = Sha256::digest(&json).into();
            if let Some(used) = known.get(&item.idempotency_key) {
                answers.push(Some(answer_of(app, who, used, &hash).await?));
                continue;
            }
            let before = item.job.identity.as_ref().and_then(|identity| kept.get(identity));
            if let Some((id, status)) = before
                && !request.again
            {
                answers.push(Some(existing(*id, *status)));
                continue;
            }
            answers.push(None);
            fresh.push(Item {
                id: JobId::new(),
                spec: item.job.clone(),
                json,
                key: Some(IdempotencyKey { key: item.idempotency_key.clone(), body_hash: hash }),
                field: format!("jobs[{index}]."),
                retry_of: None,
                before: before.map(|(id, _)| *id),
            });
        }
        let made = if fresh.is_empty() { Ok(Vec::new()) } else { submit(app, who, fresh, Commit::default()).await };
        match made {
            Ok(made) => {
                let mut made = made.into_iter();
                let jobs = answers.into_iter().filter_map(|known| known.or_else(|| made.next())).collect();
                return Ok(BatchAnswer { jobs });
            }
            Err(Failed::Raced) => {}
            Err(Failed::Op(error)) => return Err(error),
        }
    }
    Err(OpError::Unavailable("the same batch is being submitted at the same time; send it again".to_owned()))
}

/// The answer about a job that was there already.
fn existing(id: JobId, status: JobStatus) -> Submitted {
    Submitted { id, status, existing: true, warnings: Vec::new() }
}

/// One job of a submit.
struct Item {
    id: JobId,
    spec: JobSpec,
    /// The spec as it is kept.
    json: String,
    key: Option<IdempotencyKey>,
    /// What the names of its fields begin with in errors.
    field: String,
    retry_of: Option<JobId>,
    /// Whose the identity is that this job takes over.
    before: Option<JobId>,
}

impl Item {
    fn of(spec: JobSpec, key: Option<IdempotencyKey>, field: String, retry_of: Option<JobId>) -> Self {
        Self { id: JobId::new(), json: crate::store::json(&spec), spec, key, field, retry_of, before: None }
    }
}

enum Failed {
    /// Somebody else wrote what this would have written, or depends on.
    Raced,
    Op(OpError),
}

impl<E: Into<OpError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Op(error.into())
    }
}

/// Everything is checked before anything is written; then all of it is one commit.
async fn submit(app: &App, who: &Caller, items: Vec<Item>, extra: Commit) -> Result<Vec<Submitted>, Failed> {
    let plans = plans(app, who, &items)?;
    dependencies_exist(app, who, &items).await?;
    needs_have_room(app, &items, &plans).await?;
    let now = app.store.now().await?;
    let mut commit = extra;
    let mut turns = turns(app, who, &items, &plans).await?;
    let mut made = Vec::with_capacity(items.len());
    let mut needs = Vec::new();
    for (item, plan) in items.into_iter().zip(plans) {
        let id = item.id;
        let mut warnings = Vec::new();
        let mut tasks = Vec::with_capacity(plan.tasks.len());
        for task in plan.tasks {
            let need_id = need_id(app, &task.need, &item.field).await?;
            warnings.extend(app.workers.warning(&app.store, &task.need).await?);
            let fair_key = turns.get_mut(&item.spec.priority).and_then(Vec::pop).unwrap_or_default();
            needs.push(need_id);
            tasks.push(NewTask { name: task.name, need_id, fair_key });
        }
        if let Some(key) = &item.key {
            let nonce = who.nonce.as_ref().map(|used| used.nonce.clone());
            let used = Used { job: id, body_hash: key.body_hash.to_vec(), nonce };
            remember(&mut commit, &who.account, &key.key, &used, now.as_microsecond());
        }
        if let Some(identity) = &item.spec.identity {
            take(&mut commit, &who.account, identity, item.before, id);
        }
        let blocked = !item.spec.after.is_empty();
        let client_until = item.spec.monitor.then(|| app.client_until(now));
        let job = NewJob {
            id,
            requester: who.account.clone(),
            spec: item.spec,
            json: item.json,
            warnings: warnings.clone(),
            retry_of: item.retry_of,
            client_until,
            tasks,
        };
        commit.join(job.commit(&who.actor(), now));
        made.push((Submitted { id, status: JobStatus::Pending, existing: false, warnings }, blocked));
    }
    match app.store.commit(commit).await {
        Ok(()) => {}
        Err(StoreError::Conflict(Conflicting::Nonce)) => return Err(Failed::Op(replayed())),
        Err(StoreError::Conflict(_)) => return Err(Failed::Raced),
        Err(error) => return Err(error.into()),
    }
    for need in needs {
        app.ring(&Nudge::Queue(need));
    }
    for (submitted, _) in made.iter().filter(|(_, blocked)| *blocked) {
        // What they wait for may have ended while they were being made; nobody else would look before the janitor does.
        if let Err(error) = super::unblock::job(app, &who.actor(), submitted.id).await {
            tracing::warn!(job.id = %submitted.id, %error, "whether job {} may start is left to the janitor", submitted.id);
        }
    }
    Ok(made.into_iter().map(|(submitted, _)| submitted).collect())
}

fn plans(app: &App, who: &Caller, items: &[Item]) -> Result<Vec<Plan>, OpError> {
    let rules = app.rules(who.raw_paths);
    let mut errors: Vec<FieldError> = Vec::new();
    let mut first: Option<plan::BadSpec> = None;
    let mut plans = Vec::with_capacity(items.len());
    for item in items {
        match plan::plan(&item.spec, &rules) {
            Ok(plan) => plans.push(plan),
            Err(bad) => {
                errors.extend(bad.errors.iter().map(|error| FieldError {
                    field: format!("{}{}", item.field, error.field),
                    detail: error.detail.clone(),
                }));
                first.get_or_insert(bad);
            }
        }
    }
    match first {
        None => Ok(plans),
        Some(bad) => Err(OpError::fields(bad.code, bad.detail, errors)),
    }
}

async fn dependencies_exist(app: &App, who: &Caller, items: &[Item]) -> Result<(), OpError> {
    let all: HashSet<JobId> = items.iter().flat_map(|item| item.spec.after.iter().copied()).collect();
    let mut known = HashMap::new();
    for part in all.into_iter().collect::<Vec<_>>().chunks(500) {
        known.extend(app.store.standing(part).await?);
    }
    for item in items {
        for (index, job) in item.spec.after.iter().enumerate() {
            if !known.get(job).is_some_and(|(_, owner)| who.sees(owner)) {
                let field = format!("{}after[{index}]", item.field);
                let detail = format!("there is no job {job}, or it is not yours; `ffleet job list` shows yours");
                return Err(OpError::field(Code::NoSuchDependency, &field, detail));
            }
        }
    }
    Ok(())
}

/// The turns of all new tasks, by priority; the first one is the last of its list.
async fn turns(app: &App, who: &Caller, items: &[Item], plans: &[Plan]) -> Result<HashMap<i32, Vec<i64>>, StoreError> {
    let mut wanted: HashMap<i32, usize> = HashMap::new();
    for (item, plan) in items.iter().zip(plans) {
        *wanted.entry(item.spec.priority).or_default() += plan.tasks.len();
    }
    let mut turns = HashMap::new();
    for (priority, n) in wanted {
        let mut taken = app.turns.take(&app.store, &who.account, priority, who.weight, n).await?;
        taken.reverse();
        turns.insert(priority, taken);
    }
    Ok(turns)
}

/// Needs are rows that stay, so none is made for a batch of which another one would be too many.
async fn needs_have_room(app: &App, items: &[Item], plans: &[Plan]) -> Result<(), OpError> {
    let known = app.needs.known();
    let is_new = |need: &Need| !known.iter().any(|(_, known)| known == need);
    if !plans.iter().flat_map(|plan| &plan.tasks).any(|task| is_new(&task.need)) {
        return Ok(());
    }
    let mut known: HashSet<Need> = app.needs.all(&app.store).await?.iter().map(|(_, need)| need.clone()).collect();
    for (item, plan) in items.iter().zip(plans) {
        for task in &plan.tasks {
            if known.insert(task.need.clone()) && known.len() > limits::NEEDS {
                return Err(too_many_needs(&item.field));
            }
        }
    }
    Ok(())
}

async fn need_id(app: &App, need: &Need, of: &str) -> Result<i64, OpError> {
    app.needs.id(&app.store, need, limits::NEEDS).await?.ok_or_else(|| too_many_needs(of))
}

fn too_many_needs(of: &str) -> OpError {
    OpError::field(
        Code::TooManyNeeds,
        &format!("{of}needs"),
        format!(
            "this job needs a combination of program, path variables, tags, encoders and device that no job had before, \
             and there are {} such combinations already; use fewer distinct ones",
            limits::NEEDS
        ),
    )
}

async fn earlier(app: &App, who: &Caller, key: Option<&IdempotencyKey>) -> Result<Option<Submitted>, OpError> {
    let Some(key) = key else { return Ok(None) };
    match app.store.idempotency(&who.account, &key.key).await? {
        None => Ok(None),
        Some(used) => Ok(Some(answer_of(app, who, &used, &key.body_hash).await?)),
    }
}

/// The first answer again, unless this is not the same request, or is exactly the same one sent by somebody else.
async fn answer_of(app: &App, who: &Caller, used: &Used, hash: &[u8; 32]) -> Result<Submitted, OpError> {
    if used.nonce.is_some() && used.nonce == who.nonce.as_ref().map(|used| used.nonce.clone()) {
        return Err(replayed());
    }
    if used.body_hash != hash {
        return Err(OpError::refused(
            Code::IdempotencyMismatch,
            format!("this idempotency key made job {} from another request; use a new key for a new job", used.job),
        ));
    }
    let warnings = app.store.spec(used.job).await?.map(|(_, warnings)| warnings).unwrap_or_default();
    Ok(Submitted { id: used.job, status: JobStatus::Pending, existing: false, warnings })
}

fn check_batch(request: &BatchRequest) -> Result<(), OpError> {
    let n = request.jobs.len();
    if n == 0 || n > limits::BATCH {
        let detail = format!("expected 1 to {} jobs, found {n}; send more in several batches", limits::BATCH);
        return Err(OpError::field(Code::BadField, "jobs", detail));
    }
    let (mut seen, mut identities) = (HashSet::new(), HashSet::new());
    for (index, item) in request.jobs.iter().enumerate() {
        let field = format!("jobs[{index}].idempotency_key");
        check_key(&field, &item.idempotency_key)?;
        if !seen.insert(&item.idempotency_key) {
            return Err(OpError::field(Code::BadField, &field, "another item of this batch has the same key"));
        }
        if let Some(identity) = &item.job.identity
            && !identities.insert(identity)
        {
            let field = format!("jobs[{index}].job.identity");
            return Err(OpError::field(Code::BadField, &field, "another item of this batch has the same identity"));
        }
    }
    Ok(())
}

fn check_key(field: &str, key: &str) -> Result<(), OpError> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(OpError::field(Code::BadField, field, "expected 1 to 255 visible ASCII characters, such as a UUID"))
}
