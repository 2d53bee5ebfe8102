//! The feed of transitions, as server-sent events.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use ffleet_protocol::{Timestamp, event::Event, id::EventId, limits};
use futures_util::stream::{self, Stream};
use jiff::SignedDuration;

use super::{Caller, OpError};
use crate::{app::App, store::listing::id_at};

/// Ids are given before the commit, and a commit that waited for 5 s is not begun any more, so that nothing appears behind what is older than this.
const SETTLE: SignedDuration = SignedDuration::from_secs(10);
/// How often the feed is looked at; it is late by the settle window anyway.
const LOOK: Duration = Duration::from_secs(1);
const PAGE: u64 = 500;

struct Feed {
    app: Arc<App>,
    who: Caller,
    after: EventId,
    ready: VecDeque<Bytes>,
    quiet: Duration,
    opened: bool,
}

/// Follows the transitions of the jobs that the caller may see, after `last` or from now on. Each is told at least once.
pub async fn open(
    app: Arc<App>,
    who: &Caller,
    last: Option<EventId>,
) -> Result<impl Stream<Item = Bytes> + use<>, OpError> {
    let now = app.store.now().await?;
    let after = last.unwrap_or_else(|| settled(now));
    let feed = Feed { app, who: who.clone(), after, ready: VecDeque::new(), quiet: Duration::ZERO, opened: false };
    Ok(stream::unfold(feed, |mut feed| async move {
        let next = feed.next().await?;
        Some((next, feed))
    }))
}

/// The id below which nothing new appears any more.
fn settled(now: Timestamp) -> EventId {
    EventId(id_at(now.saturating_sub(SETTLE).unwrap_or(Timestamp::MIN)))
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        if !self.opened {
            self.opened = true;
            return Some(Bytes::from_static(b": listening\n\n"));
        }
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.app.leaving.is_cancelled() {
                return None;
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the feed of transitions ends");
                return None;
            }
            if !self.ready.is_empty() {
                self.quiet = Duration::ZERO;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.app.leaving.cancelled() => {}
            }
            self.quiet += LOOK;
            if self.quiet >= Duration::from_secs(limits::KEEP_ALIVE_S) {
                self.quiet = Duration::ZERO;
                return Some(Bytes::from_static(b": alive\n\n"));
            }
        }
    }

    async fn look(&mut self) -> Result<(), OpError> {
        let only = self.who.only();
        let until = settled(self.app.store.now().await?);
        let events = self.app.store.events(self.after, until, only, PAGE).await?;
        let all = (events.len() as u64) < PAGE;
        for event in events {
            self.after = event.id;
            self.ready.push_back(frame(&event));
        }
        if all {
            // What others did in between need not be read again.
            self.after = self.after.max(until);
        }
        Ok(())
    }
}

/// One event in the format of the HTML standard, section 9.2.
fn frame(event: &Event) -> Bytes {
    Bytes::from(format!("id: {}\nevent: transition\ndata: {}\n\n", event.id, crate::store::json(event)))
}
