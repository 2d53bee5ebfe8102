//! What is rung, and who hears it, in the words of each broker.

use ffleet_protocol::{
    id::{AccountId, JobId, WorkerId},
    topic::Topic,
};

/// A topic, with the account whose business it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Nudge {
    /// Tasks with this need can be claimed.
    Queue(i64),
    /// Something about a worker's own tasks. Whose it is may not be known; then only coordinators hear it.
    Worker(Option<AccountId>, WorkerId),
    /// Something about a job.
    Job(AccountId, JobId),
}

/// What somebody wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// Everything, and to ring: a coordinator.
    All,
    /// All queues, and what is this worker's.
    Worker(AccountId, WorkerId),
    /// Whatever is about jobs of this account.
    Jobs(AccountId),
}

/// What topics begin with at an MQTT broker.
const ROOT: &str = "ffleet/nudges";

impl Nudge {
    /// What whoever hears it looks at.
    #[must_use]
    pub fn topic(&self) -> Topic {
        match self {
            Self::Queue(need) => Topic::Queue(*need),
            Self::Worker(_, id) => Topic::Worker(id.clone()),
            Self::Job(_, id) => Topic::Job(*id),
        }
    }

    fn words(&self) -> (&'static str, Option<String>, String) {
        match self {
            Self::Queue(need) => ("queue", None, need.to_string()),
            Self::Worker(account, id) => {
                let account = account.as_ref().map_or_else(|| "-".to_owned(), AccountId::to_string);
                ("worker", Some(account), id.to_string())
            }
            Self::Job(account, id) => ("job", Some(account.to_string()), id.to_string()),
        }
    }

    /// AMQP's routing key. Dots part its words, so those in names become colons, which names have not.
    pub(crate) fn key(&self) -> String {
        let (kind, account, id) = self.words();
        let words = [Some(kind.to_owned()), account, Some(id)].into_iter().flatten();
        words.map(|word| word.replace('.', ":")).collect::<Vec<_>>().join(".")
    }

    /// MQTT's topic.
    pub(crate) fn path(&self) -> String {
        let (kind, account, id) = self.words();
        [Some(ROOT.to_owned()), Some(kind.to_owned()), account, Some(id)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// The topic of a routing key.
pub(crate) fn topic_of_key(key: &str) -> Option<Topic> {
    let names: Vec<String> = key.split('.').map(|word| word.replace(':', ".")).collect();
    topic_of_words(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The topic of an MQTT topic.
pub(crate) fn topic_of_path(path: &str) -> Option<Topic> {
    let rest = path.strip_prefix(ROOT)?.strip_prefix('/')?;
    topic_of_words(&rest.split('/').collect::<Vec<_>>())
}

fn topic_of_words(words: &[&str]) -> Option<Topic> {
    match words {
        ["queue", need] => need.parse().ok().map(Topic::Queue),
        ["worker", _, id] => id.parse().ok().map(Topic::Worker),
        ["job", _, id] => id.parse().ok().map(Topic::Job),
        _ => None,
    }
}

impl Interest {
    /// Whether it may ring, too.
    pub(crate) fn rings(&self) -> bool {
        *self == Self::All
    }

    /// The keys to bind.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Self::All => vec!["#".to_owned()],
            Self::Worker(account, id) => {
                vec!["queue.*".to_owned(), Nudge::Worker(Some(account.clone()), id.clone()).key()]
            }
            Self::Jobs(account) => vec![format!("job.{}.*", account.as_str().replace('.', ":"))],
        }
    }

    /// The topics to subscribe to.
    pub(crate) fn paths(&self) -> Vec<String> {
        match self {
            Self::All => vec![format!("{ROOT}/#")],
            Self::Worker(account, id) => {
                vec![format!("{ROOT}/queue/+"), Nudge::Worker(Some(account.clone()), id.clone()).path()]
            }
            Self::Jobs(account) => vec![format!("{ROOT}/job/{account}/+")],
        }
    }
}

/// What a nudge carries besides its topic: who rang, so that it does not hear itself.
pub(crate) fn body(source: u64) -> Vec<u8> {
    format!("{source:016x}").into_bytes()
}

/// Reads it. Whoever may ring may write what they like: anything else is nobody's.
pub(crate) fn source(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok().filter(|text| text.len() == 16).and_then(|text| u64::from_str_radix(text, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rung_is_what_is_heard() {
        let account: AccountId = "farm.one".parse().unwrap();
        let worker = Nudge::Worker(Some(account.clone()), "box.7".parse().unwrap());
        assert_eq!(worker.key(), "worker.farm:one.box:7");
        let job = Nudge::Job(account, JobId::new());
        for nudge in [Nudge::Queue(7), worker.clone(), job.clone()] {
            assert_eq!(topic_of_path(&nudge.path()), Some(nudge.topic()), "{}", nudge.path());
        }
        for nudge in [Nudge::Queue(-7), worker, job, Nudge::Worker(None, "box".parse().unwrap())] {
            assert_eq!(topic_of_key(&nudge.key()), Some(nudge.topic()), "{}", nudge.key());
        }
        assert_eq!(source(&body(42)), Some(42));
    }

    #[test]
    fn nonsense_is_nothing() {
        for key in ["", "queue", "queue.x", "job.a.b", "jobs.a.b", "worker.a", "worker"] {
            assert_eq!(topic_of_key(key), None, "{key}");
        }
        for path in ["", "ffleet/nudges", "ffleet/nudges/queue/x", "ffleet/nudges/job/a", "x/queue/7"] {
            assert_eq!(topic_of_path(path), None, "{path}");
        }
        for bytes in [&b""[..], b"short", b"not hexadecimal!", &[0xff; 40]] {
            assert_eq!(source(bytes), None);
        }
    }
}
