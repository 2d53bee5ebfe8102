//! What workers say about their tasks: accepted, rejected, publishing, finished.

use ffleet_protocol::{
    id::{TaskId, WorkerId},
    problem::Code,
    task::{AcceptRequest, FinishRequest, PublishingRequest, RejectRequest, TaskAnswer},
};

use super::{
    Caller, OpError,
    error::Refused,
    no_such_task,
    transition::{Verdict, apply, refused_to},
    workers::speaks_for,
};
use crate::{
    app::App,
    domain::{Event, Finish, Quote, Refusal, Task},
    store::{
        commit::Commit,
        tasks::{SeenJob, SeenTask},
    },
};

/// Longest reason or message that is kept, in bytes.
const WORDS: usize = 2_000;

/// The worker can run the task and begins.
pub async fn accept(app: &App, who: &Caller, id: TaskId, request: AcceptRequest) -> Result<TaskAnswer, OpError> {
    speaks_for(app, who, &request.worker).await?;
    let quote = Quote { epoch: request.epoch, token: request.token, worker: request.worker };
    report(app, who, id, &quote.worker, |_, _| Ok(Event::Accepted { quote: quote.clone() })).await
}

/// The worker cannot begin; another one may.
pub async fn reject(app: &App, who: &Caller, id: TaskId, request: RejectRequest) -> Result<TaskAnswer, OpError> {
    speaks_for(app, who, &request.worker).await?;
    let quote = Quote { epoch: request.epoch, token: request.token, worker: request.worker };
    let reason = shortened(request.reason);
    report(app, who, id, &quote.worker, |_, _| Ok(Event::Rejected { quote: quote.clone(), reason: reason.clone() }))
        .await
}

/// The program has ended well; its outputs are about to be put in place.
pub async fn publishing(
    app: &App,
    who: &Caller,
    id: TaskId,
    request: PublishingRequest,
) -> Result<TaskAnswer, OpError> {
    speaks_for(app, who, &request.worker).await?;
    let quote = Quote { epoch: request.epoch, token: request.token, worker: request.worker };
    let outputs = request.outputs;
    report(app, who, id, &quote.worker, |_, _| Ok(Event::Published { quote: quote.clone(), outputs: outputs.clone() }))
        .await
}

/// The attempt is over. Every record of its output must have come before.
pub async fn finish(app: &App, who: &Caller, id: TaskId, request: FinishRequest) -> Result<TaskAnswer, OpError> {
    speaks_for(app, who, &request.worker).await?;
    let quote = Quote { epoch: request.epoch, token: request.token, worker: request.worker.clone() };
    let last_seq = request.last_seq;
    let mut end = Finish::from(request);
    end.message = shortened(end.message);
    end.tail = shortened_to(end.tail, ffleet_protocol::limits::TAIL_BYTES);
    report(app, who, id, &quote.worker, |_, task| {
        let ours = task.task.epoch == quote.epoch
            && task
                .task
                .state
                .holder()
                .is_some_and(|holder| holder.token == quote.token && holder.worker == quote.worker)
            && !task.task.state.status().is_terminal();
        if ours && task.task.next_seq <= last_seq {
            return Err(gap(task.task.next_seq, last_seq));
        }
        Ok(Event::Finished { quote: quote.clone(), end: end.clone() })
    })
    .await
}

fn gap(next_seq: u64, last_seq: u64) -> OpError {
    OpError::Refused(Box::new(Refused {
        code: Code::LogGap,
        detail: format!("records {next_seq} to {last_seq} are missing; send them, or declare them as dropped, first"),
        errors: Vec::new(),
        next_seq: Some(next_seq),
        state: None,
        outcome: None,
    }))
}

async fn report(
    app: &App,
    who: &Caller,
    id: TaskId,
    worker: &WorkerId,
    event: impl Fn(&SeenJob, &SeenTask) -> Result<Event, OpError>,
) -> Result<TaskAnswer, OpError> {
    match apply(app, &who.actor(), id, |seen, task| Ok((event(seen, task)?, Commit::default()))).await? {
        Verdict::Applied(applied) => Ok(answer(&applied.next.task)),
        Verdict::Refused(Refusal::AlreadyRecorded, seen) => Ok(answer(&seen.task(id).ok_or_else(no_such_task)?.task)),
        Verdict::Refused(refusal, seen) => Err(refused_to(app, worker, &refusal, &seen, id).await?),
    }
}

fn answer(task: &Task) -> TaskAnswer {
    TaskAnswer { status: task.state.status(), next_seq: task.next_seq, outcome: task.state.outcome() }
}

fn shortened(text: String) -> String {
    shortened_to(text, WORDS)
}

/// The end of a text, which says more than its beginning.
fn shortened_to(text: String, bytes: usize) -> String {
    match text.len().checked_sub(bytes) {
        None | Some(0) => text,
        Some(over) => {
            let from = (over..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            text[from..].to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_end() {
        assert_eq!(shortened_to("abcd".to_owned(), 4), "abcd");
        assert_eq!(shortened_to("abcdé".to_owned(), 3), "dé");
        assert_eq!(shortened_to("éé".to_owned(), 3), "é", "never within a letter");
    }
}
