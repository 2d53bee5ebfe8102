//! An ended job is wanted once more: as a new job.

use ffleet_protocol::{id::JobId, job::Submitted, problem::Code};

use super::{Caller, IdempotencyKey, OpError, no_such_job};
use crate::app::App;

/// Makes a new job from the spec of one that has ended. Ended is ended: the old one stays as it is.
pub async fn retry(
    app: &App,
    who: &Caller,
    id: JobId,
    key: Option<IdempotencyKey>,
) -> Result<(Submitted, bool), OpError> {
    let job = app.store.job(id).await?.filter(|job| who.acts_for(&job.requester)).ok_or_else(no_such_job)?;
    if !job.status.is_terminal() {
        let detail = format!("job {id} is {}; wait for its end or cancel it first", job.status);
        return Err(OpError::refused(Code::NotEnded, detail));
    }
    let Some(mut spec) = app.store.whole_spec(id).await?.ok_or_else(no_such_job)? else {
        let detail = format!(
            "job {id} was submitted to a newer coordinator and asks for what this one, {}, does not know; ask one of that version",
            env!("CARGO_PKG_VERSION")
        );
        return Err(OpError::Unavailable(detail));
    };
    // What it waited for has been decided: the old job's end says how.
    spec.after.clear();
    super::submit::make(app, who, spec, key, Some(id)).await
}
