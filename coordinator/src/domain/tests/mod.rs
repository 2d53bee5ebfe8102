//! The rules, written down a second time: as tables and as walks.

mod claim;
mod finish;
mod job;
mod lease;
mod logcap;
mod needs;
mod policy;
mod share;
mod table;
mod walk;
mod worker;

use ffleet_protocol::{
    Timestamp,
    id::{Incarnation, TaskId, Token, WorkerId},
    state::{CancelReason, FailureClass, TaskStatus},
    task::{Exit, Output},
};
use jiff::SignedDuration;

use super::{
    AttemptChange, Defaults, Event, Finish, Holder, Lapse, Lease, Next, Policy, Quote, Refusal, Task, TaskState,
};

/// So many seconds into the story.
fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000 + second)
}

fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).unwrap()
}

fn holder(name: &str) -> Holder {
    Holder { worker: worker(name), incarnation: Incarnation::new(), token: Token::new() }
}

fn policy() -> Policy {
    let spec = serde_json::from_str(r#"{"args":[]}"#).unwrap();
    Policy::for_job(&Defaults::default(), &spec)
}

fn fresh() -> Task {
    Task::new(TaskId::new(), false)
}

fn outputs() -> Vec<Output> {
    vec![Output { path: "$Media/out.mkv".into(), size: 7, sha256: "5a".repeat(32) }]
}

/// What the holder of the current epoch would quote.
fn quote(task: &Task) -> Quote {
    let holder = task.state.holder().expect("nobody ever held it");
    Quote { epoch: task.epoch, token: holder.token, worker: holder.worker.clone() }
}

fn exits(exit: Exit) -> Finish {
    Finish { exit, failure: None, message: String::new(), tail: String::new(), outputs: Vec::new() }
}

fn code(code: i32) -> Finish {
    exits(Exit::Code { code })
}

fn fails(failure: FailureClass) -> Finish {
    Finish { failure: Some(failure), ..code(1) }
}

/// A task in the middle of its story, told briefly: each verb panics when it is refused.
#[derive(Clone)]
struct Story {
    task: Task,
    now: i64,
    policy: Policy,
    last: Option<Next>,
}

impl Story {
    fn begins() -> Self {
        Self { task: fresh(), now: 0, policy: policy(), last: None }
    }

    fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    fn after(mut self, seconds: i64) -> Self {
        self.now += seconds;
        self
    }

    fn ask(&self, event: &Event) -> Result<Next, Refusal> {
        self.task.on(event, at(self.now), &self.policy)
    }

    fn takes(mut self, event: &Event) -> Self {
        let next = self.ask(event).unwrap_or_else(|why| panic!("{event:?} in {:?}: {why}", self.task.state));
        self.task = next.task.clone();
        self.last = Some(next);
        self
    }

    fn claimed(self, by: &str) -> Self {
        self.takes(&Event::Claimed { holder: holder(by) })
    }

    fn accepted(self) -> Self {
        let quote = quote(&self.task);
        self.takes(&Event::Accepted { quote })
    }

    fn runs(self, by: &str) -> Self {
        self.claimed(by).accepted()
    }

    fn rejected(self, reason: &str) -> Self {
        let quote = quote(&self.task);
        self.takes(&Event::Rejected { quote, reason: reason.to_owned() })
    }

    fn published(self) -> Self {
        let quote = quote(&self.task);
        self.takes(&Event::Published { quote, outputs: outputs() })
    }

    fn finished(self, end: Finish) -> Self {
        let quote = quote(&self.task);
        self.takes(&Event::Finished { quote, end })
    }

    fn canceled(self) -> Self {
        self.takes(&Event::CancelRequested { by: "ann".to_owned(), reason: CancelReason::Requested })
    }

    /// Waits until the lease is over and lets it lapse.
    fn lapsed(mut self) -> Self {
        let until = self.task.state.lease().expect("no lease").until;
        self.now = until.as_second() - at(0).as_second();
        self.takes(&Event::LeaseLapsed { lapse: Lapse::Over })
    }

    fn status(&self) -> TaskStatus {
        self.task.state.status()
    }

    fn not_before(&self) -> Option<i64> {
        match &self.task.state {
            TaskState::Pending { not_before, .. } => not_before.map(|t| t.as_second() - at(self.now).as_second()),
            other => panic!("not pending: {other:?}"),
        }
    }

    fn failure(&self) -> (FailureClass, String) {
        match &self.task.state {
            TaskState::Failed { failure, message, .. } => (*failure, message.clone()),
            other => panic!("not failed: {other:?}"),
        }
    }

    fn word(&self) -> &'static str {
        self.last.as_ref().map_or("", |next| next.what)
    }

    fn attempt(&self) -> Option<AttemptChange> {
        self.last.as_ref().and_then(|next| next.attempt.clone())
    }

    fn lease(&self) -> Lease {
        self.task.state.lease().expect("no lease").clone()
    }
}
