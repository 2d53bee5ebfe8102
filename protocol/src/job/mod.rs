//! Jobs: what a client asks for and what it is told about them.

mod spec;
mod view;

pub use spec::{BatchAnswer, BatchItem, BatchRequest, JobSpec, Need, Requirements, RetryPolicy, RetryRule, Submitted};
pub use view::{
    AttemptEnd, AttemptView, Canceled, ClientHeartbeat, Explanation, JobFilter, JobPage, JobSummary, JobView, Outcome,
    SignalRequest, TaskExplanation, TaskView, WorkerReason,
};
