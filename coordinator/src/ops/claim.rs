//! A worker wants work.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use ffleet_protocol::{
    id::JobId,
    job::Need,
    limits,
    problem::Code,
    task::{ClaimAnswer, ClaimRequest, Command, Grant},
};
use futures_util::future::{join_all, try_join};
use rand::seq::SliceRandom;
use tokio::time::Instant;

use super::{
    Caller, OpError,
    taking::Look,
    transition::ring,
    workers::{known, running_here},
};
use crate::{
    app::App,
    domain::{Event, Holder, is_suspect, share, unfit},
    store::{
        Conflicting, StoreError,
        claim::Candidate,
        commit::Guard,
        tasks::{SeenJob, SeenTask, transition},
    },
};

/// Waiting claims look by themselves every so often, in case a ring was lost: as long as nothing is to be had, one look for all.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Pages of the queue that one look goes through.
const PAGES: usize = 8;

/// Slots that one claim may fill.
const SLOTS: u32 = 256;

/// Grants tasks, at once if there are any, or as soon as there are, or none when the wait is over. The same token gets
/// the same grants again.
pub async fn claim(app: &App, who: &Caller, request: ClaimRequest) -> Result<Option<ClaimAnswer>, OpError> {
    if !(1..=SLOTS).contains(&request.free_slots) {
        return Err(OpError::field(Code::BadField, "free_slots", format!("expected 1 to {SLOTS}")));
    }
    let wait = Duration::from_secs(request.wait_s.min(limits::LONG_POLL_S).min(app.config.timing.long_poll_s));
    let until = Instant::now() + wait;
    // A copy of this very request that comes while it waits gets the same answer.
    let _turn = app.taking.turn(request.token).await;
    let repeated = granted(app, &request).await?;
    if repeated.is_some() {
        known(app, who, &request.worker).await?;
        return Ok(repeated);
    }
    loop {
        let needs = async { Ok(app.needs.all(&app.store).await?) };
        let (worker, needs) = try_join(known(app, who, &request.worker), needs).await?;
        running_here(&worker, request.incarnation)?;
        let takes_work = worker.standing.takes_work();
        let fits = |need: &Need| takes_work && unfit(need, &worker.capabilities).is_none();
        let fitting: Vec<i64> = needs.iter().filter(|(_, need)| fits(need)).map(|(id, _)| *id).collect();
        // A worker that takes nothing now must not be woken instead of one that would.
        let waiting = app.bells.wait_for_work(fitting.clone(), takes_work.then(|| needs.clone()));
        if !fitting.is_empty() {
            match take(app, who, &request, &fitting).await? {
                Taken::Grants(grants) if grants.is_empty() => {}
                // What the bell rang meanwhile is handed on when `waiting` is dropped.
                Taken::Grants(grants) => return Ok(Some(ClaimAnswer { grants })),
                Taken::Before => return granted(app, &request).await,
                // Perhaps to another delivery of this very request, whose sender waits for the answer to this one.
                Taken::Lost => {
                    let before = granted(app, &request).await?;
                    if before.is_some() {
                        return Ok(before);
                    }
                }
                Taken::WorkerChanged => continue,
            }
        }
        tokio::select! {
            () = waiting.woken() => waiting.looks(),
            () = wanted(app, &fitting, until) => {}
            () = app.leaving.cancelled() => {}
        }
        if Instant::now() >= until || app.leaving.is_cancelled() {
            // A copy at another coordinator may have got them.
            return granted(app, &request).await;
        }
    }
}

/// Waits until a task with one of these needs can be claimed, or until then. All who wait share one look every so often.
async fn wanted(app: &App, needs: &[i64], until: Instant) {
    loop {
        let now = Instant::now();
        if now >= until {
            return;
        }
        tokio::time::sleep_until(until.min(now + LOOK_AGAIN)).await;
        match app.wanted.get(app.store.wanted()).await {
            Ok(wanted) if !needs.iter().any(|need| wanted.contains(need)) => {}
            // The claim itself finds out what is wrong.
            Ok(_) | Err(_) => return,
        }
    }
}

/// What an earlier request with this token was granted, as far as it is still held. A token whose grants are all over gets
/// nothing more: whoever waits for that answer is long gone.
async fn granted(app: &App, request: &ClaimRequest) -> Result<Option<ClaimAnswer>, OpError> {
    let earlier = app.store.granted(&request.worker, request.token).await?;
    if earlier.is_empty() {
        return Ok(None);
    }
    let jobs: Vec<JobId> = earlier.iter().map(|(_, job, _)| *job).collect();
    let commands = app.store.commands(&jobs).await?;
    let mut grants = Vec::new();
    for seen in app.store.seen_jobs(&jobs).await? {
        for task in &seen.tasks {
            let number = earlier.iter().position(|(id, _, epoch)| *id == task.task.id && *epoch == task.task.epoch);
            if let Some(number) = number
                && task.task.state.lease().is_some()
            {
                grants.extend(grant(app, &seen, task, &commands).map(|grant| (number, grant)));
            }
        }
    }
    Ok(Some(ClaimAnswer { grants: in_order(grants) }))
}

/// Grants in the order of their numbers, so that a repeated claim gets the same answer.
fn in_order<N: Ord + Copy>(mut grants: Vec<(N, Grant)>) -> Vec<Grant> {
    grants.sort_by_key(|(number, _)| *number);
    grants.into_iter().map(|(_, grant)| grant).collect()
}

/// What came of looking for work.
enum Taken {
    Grants(Vec<Grant>),
    /// Another delivery of the same request was faster and has the grants.
    Before,
    /// There was something, and somebody else has it.
    Lost,
    /// The worker's row was written meanwhile, by its heartbeat as a rule: look at it again at once.
    WorkerChanged,
}

/// Takes what there is, up to this worker's share. Tasks that avoid this worker, or that others take meanwhile, may fill
/// a page; then the next one is looked at.
async fn take(app: &App, who: &Caller, request: &ClaimRequest, needs: &[i64]) -> Result<Taken, OpError> {
    let waiting = app.bells.waiting().max(1) as u64;
    let window = u64::from(request.free_slots) * waiting.clamp(4, 16);
    let mut numbers: VecDeque<i64> = VecDeque::new();
    let mut grants = Vec::new();
    let mut lost = false;
    let mut after = None;
    let mut look = app.taking.look(&app.bells);
    for page in 0..PAGES {
        let mut candidates = app.store.claimable(needs, window, after.as_ref()).await?;
        candidates.truncate(usize::try_from(window).unwrap_or(usize::MAX));
        let last = candidates.last().cloned();
        let whole = (candidates.len() as u64) < window;
        if page == 0 {
            numbers = (0..i64::from(share(candidates.len() as u64, waiting, request.free_slots))).collect();
        }
        shuffle_equals(&mut candidates, app.taking.has_company());
        let mut candidates = candidates.into_iter();
        loop {
            let part = look.mark(&mut candidates, numbers.len());
            if part.is_empty() {
                break;
            }
            match take_these(app, who, request, &part, &mut numbers, &mut look).await? {
                Taken::Grants(mut taken) => grants.append(&mut taken),
                Taken::Lost => lost = true,
                Taken::WorkerChanged if !grants.is_empty() => return Ok(Taken::Grants(grants)),
                other @ (Taken::Before | Taken::WorkerChanged) => return Ok(other),
            }
        }
        if whole || !grants.is_empty() {
            break;
        }
        after = last;
    }
    Ok(if grants.is_empty() && lost { Taken::Lost } else { Taken::Grants(grants) })
}

/// Claims that look at the same window would all try the same rows in the same order, and all but one would lose each
/// time. Priorities stay in order. Turns do while this coordinator's claims are the only ones, which know of each other; when
/// others are at it as well, turns stay in order from window to window only.
fn shuffle_equals(candidates: &mut [Candidate], in_company: bool) {
    let mut rng = rand::rng();
    let turn = |candidate: &Candidate| (!in_company).then_some(candidate.fair_key);
    for part in candidates.chunk_by_mut(|a, b| (a.neg_priority, turn(a)) == (b.neg_priority, turn(b))) {
        part.shuffle(&mut rng);
    }
}

/// Tries to take these tasks, each under a number of its own; numbers of those that others took are free again.
async fn take_these(
    app: &App,
    who: &Caller,
    request: &ClaimRequest,
    candidates: &[Candidate],
    numbers: &mut VecDeque<i64>,
    look: &mut Look,
) -> Result<Taken, OpError> {
    let jobs: Vec<JobId> = candidates.iter().map(Candidate::job).collect();
    let (seen, commands) = try_join(app.store.seen_jobs(&jobs), app.store.commands(&jobs)).await?;
    let seen: HashMap<JobId, &SeenJob> = seen.iter().map(|seen| (seen.job.id, seen)).collect();
    let holder = Holder { worker: request.worker.clone(), incarnation: request.incarnation, token: request.token };
    let event = Event::Claimed { holder };
    let actor = who.actor();
    let limit = app.defaults().crash_limit;
    let is_suspect = |task: &SeenTask| is_suspect(task.task.counters.crashes, limit);
    let some = seen.values().flat_map(|seen| &seen.tasks).any(is_suspect);
    let mut room = !some || !app.store.holds_suspect(&request.worker, limit.saturating_sub(1).max(1)).await?;
    let (mut tries, mut commits) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let Some(seen) = seen.get(&candidate.job()) else { continue };
        let Some(task) = seen.task(candidate.task()) else { continue };
        let Ok(next) = task.task.on(&event, seen.now, &app.policy(&seen.job.policy)) else { continue };
        if is_suspect(task) && !std::mem::replace(&mut room, false) {
            continue;
        }
        let Some(number) = numbers.pop_front() else { break };
        let (mut commit, decided) = transition(seen, task, &next, &actor, app.retention(), app.store.writers())?;
        commit.guards.push(Guard::WorkerTakes(request.worker.clone(), request.incarnation));
        commit.guards.push(Guard::FreshGrant(request.worker.clone(), request.token, number));
        for attempt in &mut commit.rows.attempts {
            attempt.grant_no = number;
        }
        commits.push(app.store.commit(commit));
        tries.push((*seen, task, next, decided.after, number));
    }
    let results = join_all(commits).await;
    let mut grants = Vec::new();
    let (mut before, mut changed, mut lost) = (false, false, false);
    for (result, (seen, task, next, after, number)) in results.into_iter().zip(tries) {
        match result {
            Ok(()) => {
                look.took(task.task.id);
                app.store.remember(after);
                let taken = SeenTask { task: next.task.clone(), ..task.clone() };
                grants.extend(grant(app, seen, &taken, &commands).map(|grant| (number, grant)));
                ring(app, &next.wakes, &seen.job, task.row.need_id);
            }
            Err(StoreError::Conflict(Conflicting::Grant)) => before = true,
            Err(StoreError::Conflict(Conflicting::Worker)) => changed = true,
            // Another worker was faster; the next row may be free.
            Err(StoreError::Conflict(_)) => {
                numbers.push_back(number);
                app.taking.lost();
                lost = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(match grants.is_empty() {
        _ if before => Taken::Before,
        true if changed => Taken::WorkerChanged,
        true if lost => Taken::Lost,
        true | false => Taken::Grants(in_order(grants)),
    })
}

/// A grant as the worker is told it.
pub(super) fn grant(app: &App, seen: &SeenJob, task: &SeenTask, commands: &HashMap<JobId, Command>) -> Option<Grant> {
    let holder = task.task.state.holder()?;
    let policy = &seen.job.policy;
    Some(Grant {
        task: task.task.id,
        job: seen.job.id,
        epoch: task.task.epoch,
        token: holder.token,
        status: task.task.state.status(),
        command: commands.get(&seen.job.id)?.clone(),
        lease_s: app.policy(policy).lease_s,
        timeout_s: policy.timeout_s,
        rerun: task.task.ran,
        next_seq: task.task.next_seq,
        stdout_max_bytes: app.config.limits.stdout_max_bytes,
    })
}
