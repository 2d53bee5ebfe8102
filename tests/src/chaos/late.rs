//! A worker that takes a task, goes silent beyond its lease, and comes back with words about it when others have it.

use std::time::Duration;

use ffleet_client::{ApiError, Follower};
use ffleet_protocol::{
    id::Token,
    log::FollowRecord,
    problem::Code,
    task::{Order, TaskAnswer},
};

use super::stage::Stage;
use crate::{Hand, Held, checker::Invariant};

/// How long it looks for a task, in rounds.
const ROUNDS: usize = 20;
/// How long the work lasts that it makes, in milliseconds: others still have it when the late word comes.
const LONG: u64 = 4_000;
/// How long it waits for somebody else to have its task.
const PATIENCE: Duration = Duration::from_secs(90);

/// Plays the late worker; whether it came to that.
pub(super) async fn play(stage: &Stage, number: usize) -> bool {
    let hand = stage.fleet.tagged_hand(&format!("late-{number}"), 1, &["fake"]).await;
    let Some(held) = take(stage, &hand, number).await else { return false };
    let done = others_have_it(stage, &held).await;
    if done {
        speak(stage, &hand, &held).await;
    }
    // It may count as gone already.
    let _ = hand.leave().await;
    done
}

/// Claims and accepts a task, and says a little about it. Where others are quicker, it makes more work.
async fn take(stage: &Stage, hand: &Hand, number: usize) -> Option<Held> {
    for round in 0..ROUNDS {
        for n in 0..round.min(4) {
            stage.extra(stage.fleet.api(), &format!("late-{number}-{round}-{n}"), LONG).await;
        }
        if let Ok(Some(answer)) = hand.claim_with(Token::new(), 1, 1).await
            && let Some(grant) = answer.grants.into_iter().next()
        {
            let held = Held { grant };
            if hand.accept(&held).await.is_ok() {
                // Seen or not, it is gone before anybody else has the task.
                let _ = hand.log(&held, 1, &["here I am"]).await;
                return Some(held);
            }
        }
    }
    None
}

/// Waits until a later attempt has begun, or there will be none.
async fn others_have_it(stage: &Stage, held: &Held) -> bool {
    let mut follower = Follower::patient(stage.fleet.chief().clone(), held.grant.job, None, PATIENCE);
    let waiting = async {
        while let Ok(Some(record)) = follower.next().await {
            match record {
                FollowRecord::Attempt { task, epoch, .. } if task == held.task() && epoch > held.grant.epoch => {
                    return true;
                }
                FollowRecord::Outcome { .. } => return true,
                _ => {}
            }
        }
        false
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(false)
}

/// Says everything that a worker can say about a task. None of it may count.
async fn speak(stage: &Stage, hand: &Hand, held: &Held) {
    let words = [
        ("accept", hand.accept(held).await.map(|_: TaskAnswer| ())),
        ("finish", hand.finish(held, 1).await.map(|_| ())),
        ("append", hand.log(held, 2, &["and here I am again"]).await.map(|_| ())),
    ];
    for (word, said) in words {
        judge(stage, held, word, &said);
    }
    match hand.beat(&[held]).await {
        Ok(answer) if answer.verdicts.iter().all(|verdict| verdict.order == Order::Lost) => {
            stage.witness.seen().stale_refused += 1;
        }
        Ok(answer) => accepted(stage, held, &format!("heartbeat ({:?})", answer.verdicts)),
        // It was silent for so long that it has to register again.
        Err(ApiError::Problem(problem)) if problem.status == 409 => stage.witness.seen().stale_refused += 1,
        Err(error) => stage.witness.failure(&hand.id, format!("its late heartbeat failed: {error}")),
    }
}

fn judge(stage: &Stage, held: &Held, word: &str, said: &Result<(), ApiError>) {
    match said {
        Err(error) if error.is(Code::StaleLease) => stage.witness.seen().stale_refused += 1,
        Ok(()) => accepted(stage, held, word),
        Err(error) => {
            let (task, epoch) = (held.task(), held.grant.epoch);
            stage.witness.failure(format!("task {task}"), format!("a late {word} of epoch {epoch} failed: {error}"));
        }
    }
}

fn accepted(stage: &Stage, held: &Held, word: &str) {
    let (task, epoch) = (held.task(), held.grant.epoch);
    let what = format!("its {word} of epoch {epoch} was accepted after that epoch was over");
    stage.witness.violation(Invariant::I3, format!("task {task}"), what);
}
