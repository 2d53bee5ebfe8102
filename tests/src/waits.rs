//! Waiting for something about a job, by following it through the product's own stream.

use std::time::Duration;

use ffleet_client::Follower;
use ffleet_protocol::{
    id::JobId,
    job::JobView,
    log::{Data, FollowRecord},
    state::{JobStatus, Stream},
    topic::Topic,
};

use crate::{Fleet, PATIENCE};

/// A wait for something about one job.
pub struct Wait<'a> {
    fleet: &'a Fleet,
    job: JobId,
    patience: Duration,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(fleet: &'a Fleet, job: JobId) -> Self {
        Self { fleet, job, patience: PATIENCE }
    }

    /// For what may take longer than usual.
    #[must_use]
    pub fn patiently(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Waits until the job has this status. Fails the test at once if the job ends otherwise.
    pub async fn until(self, status: JobStatus) -> JobView {
        self.seen(status.as_str(), |record| match record {
            FollowRecord::Status { status: seen, .. } => *seen == status,
            FollowRecord::Outcome { outcome, .. } => outcome.status == status,
            _ => false,
        })
        .await;
        self.fleet.job(self.job).await
    }

    /// Waits until the job has ended, however.
    pub async fn until_done(self) -> JobView {
        self.seen("its end", |record| matches!(record, FollowRecord::Outcome { .. })).await;
        self.fleet.job(self.job).await
    }

    /// Waits until an attempt with this number has begun; gives the worker's name.
    pub async fn until_attempt(self, number: u32) -> String {
        let seen = self
            .seen(
                &format!("attempt {number}"),
                |record| matches!(record, FollowRecord::Attempt { epoch, .. } if *epoch >= number),
            )
            .await;
        match seen.last() {
            Some(FollowRecord::Attempt { worker, .. }) => worker.to_string(),
            _ => unreachable!("the last record is the one waited for"),
        }
    }

    /// Waits until an attempt other than the last one has ended with this number or a higher one.
    pub async fn until_attempt_ended(self, number: u32) {
        self.seen(
            &format!("the end of attempt {number}"),
            |record| matches!(record, FollowRecord::AttemptEnded { epoch, .. } if *epoch >= number),
        )
        .await;
    }

    /// Waits until the job's stderr has this text in one record.
    pub async fn until_says(self, text: &str) {
        self.seen(&format!("{text:?}"), |record| {
            matches!(record, FollowRecord::Output { record, .. }
                if matches!(&record.data, Data::Text(said) if said.contains(text)))
        })
        .await;
    }

    /// Waits until some media has been written.
    pub async fn until_progress(self) {
        self.seen(
            "progress",
            |record| matches!(record, FollowRecord::Progress { progress, .. } if progress.out_time_us > Some(0)),
        )
        .await;
    }

    /// The same by the doorbell alone, for a job whose output would keep a follower busy.
    pub async fn until_over(self) -> JobView {
        let topics = [Topic::Job(self.job)];
        let waiting = async {
            let mut cursor = None;
            loop {
                // The cursor first: what happens after the look rings.
                let rung = self.fleet.chief().watch(&topics, cursor.as_deref()).await.unwrap();
                let view = self.fleet.job(self.job).await;
                if view.summary.status.is_terminal() {
                    return view;
                }
                cursor = Some(rung.cursor);
            }
        };
        let over = tokio::time::timeout(self.patience, waiting).await;
        over.unwrap_or_else(|_| panic!("job {} did not end within {:?}", self.job, self.patience))
    }

    /// Everything that a follower from the beginning sees, to the end.
    pub async fn everything(self) -> Vec<FollowRecord> {
        self.seen("its end", |record| matches!(record, FollowRecord::Outcome { .. })).await
    }

    async fn seen(&self, what: &str, is_it: impl Fn(&FollowRecord) -> bool) -> Vec<FollowRecord> {
        let mut follower = Follower::patient(self.fleet.chief().clone(), self.job, None, self.patience);
        let mut seen = Vec::new();
        let following = async {
            while let Some(record) = follower.next().await.unwrap_or_else(|error| panic!("following: {error}")) {
                let found = is_it(&record);
                let ended = matches!(record, FollowRecord::Outcome { .. });
                seen.push(record);
                if found {
                    return true;
                }
                if ended {
                    return false;
                }
            }
            panic!("the stream of job {} ended without an outcome", self.job)
        };
        match tokio::time::timeout(self.patience, following).await {
            Ok(true) => seen,
            Ok(false) => panic!("job {} ended without {what}; seen: {seen:#?}", self.job),
            Err(_) => panic!("job {}: no {what} within {:?}; seen: {seen:#?}", self.job, self.patience),
        }
    }
}

/// The bytes of one stream in what a follower saw.
#[must_use]
pub fn output(seen: &[FollowRecord], stream: Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in seen {
        if let FollowRecord::Output { record, .. } = record
            && record.stream == stream
        {
            bytes.extend(record.data.bytes().unwrap_or_default());
        }
    }
    bytes
}

/// The records of stderr in what a follower saw, as text.
#[must_use]
pub fn stderr_text(seen: &[FollowRecord]) -> Vec<String> {
    let mut lines = Vec::new();
    for record in seen {
        if let FollowRecord::Output { record, .. } = record
            && record.stream == Stream::Stderr
        {
            lines.push(String::from_utf8_lossy(&record.data.bytes().unwrap_or_default()).into_owned());
        }
    }
    lines
}
