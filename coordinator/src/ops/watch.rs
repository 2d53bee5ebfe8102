//! The long-poll doorbell.

use std::time::Duration;

use ffleet_protocol::{
    limits,
    problem::Code,
    state::Role,
    topic::{Topic, WatchAnswer},
};

use super::{Caller, OpError, no_such_job};
use crate::app::App;

/// Topics of one watch.
const TOPICS: usize = 100;

/// Answers when one of the topics may have news since the cursor, or when the wait is over.
pub async fn watch(app: &App, who: &Caller, topics: Vec<Topic>, since: Option<String>) -> Result<WatchAnswer, OpError> {
    if topics.is_empty() || topics.len() > TOPICS {
        let detail = format!("expected 1 to {TOPICS} topics, found {}", topics.len());
        return Err(OpError::field(Code::BadField, "topic", detail));
    }
    for topic in &topics {
        may_hear(app, who, topic).await?;
    }
    let listening = app.bells.listen(&topics);
    let (cursor, news) = app.bells.news(&topics, since.as_deref());
    if since.is_none() || !news.is_empty() {
        return Ok(WatchAnswer { cursor, topics: news });
    }
    let wait = Duration::from_secs(app.config.timing.long_poll_s.min(limits::LONG_POLL_S));
    tokio::select! {
        () = listening.heard() => {}
        () = tokio::time::sleep(wait) => {}
        () = app.leaving.cancelled() => {}
    }
    let (cursor, topics) = app.bells.news(&topics, since.as_deref());
    Ok(WatchAnswer { cursor, topics })
}

async fn may_hear(app: &App, who: &Caller, topic: &Topic) -> Result<(), OpError> {
    let no_such_worker = || OpError::refused(Code::NoSuchWorker, "there is no such worker, or it is not yours");
    match topic {
        Topic::Job(id) => {
            app.store.job(*id).await?.filter(|job| who.sees(&job.requester)).ok_or_else(no_such_job)?;
        }
        Topic::Worker(id) => {
            app.store.worker(id).await?.filter(|worker| who.acts_for(&worker.account)).ok_or_else(no_such_worker)?;
        }
        Topic::Queue(_) => {
            if who.role == Role::Client {
                return Err(OpError::refused(Code::WrongRole, "queues are for workers; watch your job instead"));
            }
        }
    }
    Ok(())
}
