//! Nudge topics: where somebody may want to look again. A nudge carries a topic and nothing else.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::{BadId, JobId, WorkerId};

/// What a nudge is about, written `queue:7`, `worker:box1` or `job:<uuid>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Topic {
    /// Tasks with this need have become claimable; the number is the need's row.
    Queue(i64),
    /// Something about this worker's own tasks, such as a cancel or a signal.
    Worker(WorkerId),
    /// Something about this job: a transition, output, progress.
    Job(JobId),
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(need) => write!(f, "queue:{need}"),
            Self::Worker(id) => write!(f, "worker:{id}"),
            Self::Job(id) => write!(f, "job:{id}"),
        }
    }
}

impl FromStr for Topic {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad =
            || BadId { what: "topic", text: text.to_owned(), why: "expected queue:NUMBER, worker:NAME or job:UUID" };
        match text.split_once(':') {
            Some(("queue", need)) => need.parse().map(Self::Queue).map_err(|_| bad()),
            Some(("worker", id)) => id.parse().map(Self::Worker).map_err(|_| bad()),
            Some(("job", id)) => id.parse().map(Self::Job).map_err(|_| bad()),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Topic {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> String {
        topic.to_string()
    }
}

/// The answer of `GET /v1/watch?topic=…&since=CURSOR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WatchAnswer {
    /// For the next `since`.
    pub cursor: String,
    /// Which of the topics may have news; empty when the wait was over.
    #[schema(value_type = Vec<String>)]
    pub topics: Vec<Topic>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_as_they_are_written() {
        for topic in [Topic::Queue(7), Topic::Worker(WorkerId::new("gpu-1").unwrap()), Topic::Job(JobId::new())] {
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
        for bad in ["", "queue", "queue:x", "worker:", "job:1", "jobs:1"] {
            assert!(bad.parse::<Topic>().is_err());
        }
    }
}
