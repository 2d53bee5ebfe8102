//! The words for where a job, task or worker stands, and for how an attempt went.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$vdoc:meta])* $variant:ident = $word:tt,)+
            $(; $(#[$odoc:meta])* $other:ident)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
            $($(#[$odoc])* #[serde(other, rename = "unknown")] $other,)?
        }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire, in the database and on the screen.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    $(Self::$other => "unknown",)?
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { text: text.to_owned(), known: Self::ALL.iter().map(|w| w.as_str()).collect() }),
                }
            }
        }
    };
}

/// For `#[serde(deserialize_with)]`, where people write: a word that is none is a mistake that they are told.
pub(crate) fn known<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err = UnknownWord>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// A word that is none of those expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is none of {}", known.join(", "))]
pub struct UnknownWord {
    /// What was given.
    pub text: String,
    /// What would have been understood.
    pub known: Vec<&'static str>,
}

words!(
    /// Where a task stands.
    TaskStatus {
        /// Waits for other tasks.
        Blocked = "blocked",
        /// Waits for a worker.
        Pending = "pending",
        /// A worker has it and checks whether it can run it.
        Assigned = "assigned",
        /// A worker runs it.
        Running = "running",
        /// The program has ended well; its outputs are being put in place.
        Publishing = "publishing",
        /// Somebody wants it stopped; its worker has not confirmed yet.
        Canceling = "canceling",
        /// Ended well.
        Completed = "completed",
        /// Ended badly.
        Failed = "failed",
        /// Stopped on request.
        Canceled = "canceled",
        ;
        /// Of a newer version: it goes on, for all that this one knows.
        Unknown
    }
);

impl TaskStatus {
    /// Whether nothing can follow.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }

    /// Whether a worker holds a lease on it.
    #[must_use]
    pub fn is_leased(self) -> bool {
        matches!(self, Self::Assigned | Self::Running | Self::Publishing | Self::Canceling)
    }
}

words!(
    /// Where a job stands: a fold over its tasks.
    JobStatus {
        /// No task has a worker yet.
        Pending = "pending",
        /// A worker prepares.
        Assigned = "assigned",
        /// At least one task runs.
        Running = "running",
        /// It is being stopped.
        Canceling = "canceling",
        /// Every task ended well.
        Completed = "completed",
        /// A task failed.
        Failed = "failed",
        /// It was stopped on request.
        Canceled = "canceled",
        ;
        /// Of a newer version: it goes on, for all that this one knows.
        Unknown
    }
);

impl JobStatus {
    /// Whether nothing can follow.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

words!(
    /// Where a worker stands.
    WorkerState {
        /// Not heard of, or gone.
        Offline = "offline",
        /// Takes work.
        Online = "online",
        /// Takes no new work until resumed.
        Paused = "paused",
        /// Takes no new work and leaves when its last task has ended.
        Draining = "draining",
        ;
        /// Of a newer version. Whether the worker gets work is decided where that word is known.
        Unknown
    }
);

words!(
    /// What a running task is busy with, for people; it decides nothing.
    Phase {
        /// Paths and space are being checked.
        Preflight = "preflight",
        /// Inputs are being brought.
        Fetching = "fetching",
        /// Inputs are being looked at.
        Probing = "probing",
        /// The program is being started.
        Starting = "starting",
        /// The program runs.
        Encoding = "encoding",
        /// Segments are being written.
        Packaging = "packaging",
        /// Viewers are being served.
        Serving = "serving",
        /// A live connection is being restored.
        Reconnecting = "reconnecting",
        /// Outputs are being checked.
        Verifying = "verifying",
        /// The program is being stopped.
        Stopping = "stopping",
        ;
        /// Of a newer version; it decides nothing.
        Unknown
    }
);

words!(
    /// Why an attempt or a task did not end well.
    FailureClass {
        /// The program ended with a code other than 0 and nothing better is known.
        ExitCode = "exit_code",
        /// The program was killed by a signal that nobody here sent.
        Signaled = "signaled",
        /// It ran longer than its job allows.
        TimedOut = "timed_out",
        /// The program could not be started.
        NotStarted = "not_started",
        /// No hardware encoder session was free.
        EncoderSessionLimit = "encoder_session_limit",
        /// The program does not know the encoder.
        NoSuchEncoder = "no_such_encoder",
        /// The program does not know the filter.
        NoSuchFilter = "no_such_filter",
        /// A file system was full.
        DiskFull = "disk_full",
        /// An input does not exist.
        InputNotFound = "input_not_found",
        /// An input could not be decoded.
        InputCorrupt = "input_corrupt",
        /// An output exists already and the command does not overwrite.
        OutputExists = "output_exists",
        /// The machine had no memory left.
        OutOfMemory = "out_of_memory",
        /// A file could not be opened for want of rights.
        PermissionDenied = "permission_denied",
        /// The program did not understand its options.
        BadOption = "bad_option",
        /// A stream could not be reached over the network.
        Network = "network",
        /// The worker could not do its part.
        WorkerError = "worker_error",
        /// More standard output than an attempt may deliver.
        StdoutTooLarge = "stdout_too_large",
        /// Standard output was lost on its way.
        StdoutLost = "stdout_lost",
        /// It was interrupted after its reader had seen standard output.
        OutputInterrupted = "output_interrupted",
        /// It outlived its queue timeout.
        QueueTimeout = "queue_timeout",
        /// Every worker refused it.
        Unplaceable = "unplaceable",
        /// It took several workers with it.
        Poison = "poison",
        /// Something it waits for did not complete.
        DependencyFailed = "dependency_failed",
        /// The worker lost the lease.
        LeaseLapsed = "lease_lapsed",
        ;
        /// Of a newer version: not transient. The code, the signal and the message beside it are as good as ever.
        Unknown
    }
);

impl FailureClass {
    /// Whether the same command may well end differently next time: the cause lies in a machine's passing state.
    #[must_use]
    pub fn is_transient(self) -> bool {
        use FailureClass as F;
        match self {
            F::EncoderSessionLimit
            | F::DiskFull
            | F::OutOfMemory
            | F::Network
            | F::WorkerError
            | F::NotStarted
            | F::LeaseLapsed => true,
            F::ExitCode
            | F::Signaled
            | F::TimedOut
            | F::NoSuchEncoder
            | F::NoSuchFilter
            | F::InputNotFound
            | F::InputCorrupt
            | F::OutputExists
            | F::PermissionDenied
            | F::BadOption
            | F::StdoutTooLarge
            | F::StdoutLost
            | F::OutputInterrupted
            | F::QueueTimeout
            | F::Unplaceable
            | F::Poison
            | F::DependencyFailed
            | F::Unknown => false,
        }
    }
}

words!(
    /// Why a task was, or is being, canceled.
    CancelReason {
        /// Its requester or an admin asked.
        Requested = "requested",
        /// The client that monitors it went silent.
        ClientGone = "client_gone",
        /// Another task of the same job failed.
        SiblingFailed = "sibling_failed",
        ;
        /// Of a newer version. Stopped is stopped.
        Unknown
    }
);

words!(
    /// Which way to ask a running program to stop. The exit decides what becomes of the task.
    SignalKind {
        /// FFmpeg's `q`: finish the file and end well.
        Quit = "quit",
        /// SIGINT.
        Interrupt = "interrupt",
        /// SIGTERM.
        Terminate = "terminate",
        ;
        /// Of a newer version: its worker passes nothing on, and says so.
        Unknown
    }
);

words!(
    /// What brings a worker its nudges.
    Carrier {
        /// Its calls to a coordinator, which answers when there is news.
        LongPoll = "long_poll",
        /// A broker for AMQP.
        Amqp = "amqp",
        /// A broker for MQTT.
        Mqtt = "mqtt",
        ;
        /// Of a newer version; it decides nothing.
        Unknown
    }
);

words!(
    /// What an account may do.
    Role {
        /// Submits and follows its own jobs.
        Client = "client",
        /// Claims and runs tasks.
        Worker = "worker",
        /// Everything.
        Admin = "admin",
    }
);

words!(
    /// Where a record of output came from.
    Stream {
        /// Standard output, byte for byte.
        Stdout = "stdout",
        /// Standard error, a line at a time.
        Stderr = "stderr",
        /// The worker's own words about the attempt.
        Worker = "worker",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    /// What a person writes is looked at word by word, and so are the tables; only what machines say may be newer than we are.
    #[test]
    fn words_of_a_newer_version_are_unknown_where_machines_say_them() {
        fn read<T: serde::de::DeserializeOwned>() -> Option<T> {
            serde_json::from_str("\"newfangled\"").ok()
        }
        assert_eq!(read(), Some(TaskStatus::Unknown));
        assert_eq!(read(), Some(JobStatus::Unknown));
        assert_eq!(read(), Some(WorkerState::Unknown));
        assert_eq!(read(), Some(Phase::Unknown));
        assert_eq!(read(), Some(FailureClass::Unknown));
        assert_eq!(read(), Some(CancelReason::Unknown));
        assert_eq!(read(), Some(SignalKind::Unknown));
        assert_eq!(read(), Some(Carrier::Unknown));
        assert_eq!((read::<Role>(), read::<Stream>()), (None, None), "whose meaning nobody may miss");
        for word in ["newfangled", "unknown"] {
            assert!(word.parse::<JobStatus>().is_err() && word.parse::<SignalKind>().is_err());
        }
        assert!(!JobStatus::Unknown.is_terminal() && !TaskStatus::Unknown.is_leased());
        assert_eq!(serde_json::to_value(Phase::Unknown).unwrap(), "unknown");
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for word in TaskStatus::ALL {
            assert_eq!(word.as_str().parse(), Ok(*word));
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
        }
        for word in FailureClass::ALL {
            assert_eq!(word.as_str().parse(), Ok(*word));
        }
        assert_eq!("run".parse::<JobStatus>().unwrap_err().to_string().split(' ').next(), Some("\"run\""));
    }
}
