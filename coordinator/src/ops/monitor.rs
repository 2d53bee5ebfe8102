//! The client of a monitored job is still there.

use ffleet_protocol::{
    id::JobId,
    job::{Canceled, ClientHeartbeat},
    problem::Code,
};

use super::{Caller, OpError, no_such_job, replayed};
use crate::{
    app::App,
    store::{Conflicting, StoreError, jobs::client_beat},
};

/// Takes a heartbeat. A new follower takes the job over; an older beat of the same one, overtaken on its way, counts for
/// nothing. Beats of several followers have no common order, so it is the nonce that makes a replay keep no job alive.
pub async fn beat(app: &App, who: &Caller, id: JobId, heartbeat: ClientHeartbeat) -> Result<Canceled, OpError> {
    for _ in 0..16 {
        let job = app.store.job(id).await?.filter(|job| who.acts_for(&job.requester)).ok_or_else(no_such_job)?;
        if !job.monitored {
            return Err(OpError::refused(
                Code::NotMonitored,
                "this job was submitted without --monitor; it needs no heartbeat",
            ));
        }
        let repeated = job.follower == Some(heartbeat.follower) && heartbeat.beat <= job.beat;
        if job.status.is_terminal() || repeated {
            return Ok(Canceled { id, status: job.status });
        }
        let until = app.client_until(app.store.now().await?);
        let mut commit = client_beat(&job, heartbeat.follower, heartbeat.beat, until);
        commit.join(who.once());
        match app.store.commit(commit).await {
            Ok(()) => return Ok(Canceled { id, status: job.status }),
            Err(StoreError::Conflict(Conflicting::Nonce)) => return Err(replayed()),
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OpError::Unavailable("this job keeps changing; send the heartbeat again".to_owned()))
}
