//! Errors on the wire: RFC 9457 `application/problem+json`, with a code for programs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{id::RequestId, job::Outcome, state::TaskStatus};

/// What an error answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the code is documented.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's meaning in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// For programs; never changes.
    pub code: String,
    /// For people: what was wrong and what to do.
    pub detail: String,
    /// To find the request in the coordinator's log.
    pub request_id: RequestId,
    /// Single fields, where several were wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// With `clock_skew`: the server's time in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_time: Option<i64>,
    /// With `log_gap`: the number the next record must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_seq: Option<u64>,
    /// With `stale_lease`, `too_late` and `wrong_state`: where the task stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskStatus>,
    /// With `stale_lease`: how the task ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where, such as `args[3]`.
    pub field: String,
    /// What is wrong and what to do.
    pub detail: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)+) => {
        /// Every error code there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// Every code, as documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The HTTP status it comes with.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// Its meaning in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

codes! {
    /// The signature is missing or does not hold.
    Unauthorized = "unauthorized", 401, "The request is not signed by a known key";
    /// The signature holds; its time is outside the window.
    ClockSkew = "clock_skew", 401, "The signature's time is too far from the server's";
    /// A request that was taken already.
    Replayed = "replayed", 401, "This signed request was taken before";
    /// The account's role may not call this.
    WrongRole = "wrong_role", 403, "This account's role may not do that";
    /// The body is not what the call takes.
    BadRequest = "bad_request", 400, "The request could not be understood";
    /// The body is not JSON at all.
    BrokenJson = "broken_json", 400, "The body is not valid JSON";
    /// The body or the query has a field that there is not.
    UnknownField = "unknown_field", 400, "There is no such field";
    /// The body came too slowly.
    SlowBody = "slow_body", 408, "The body did not arrive in time";
    /// The body is larger than the call takes.
    TooLarge = "too_large", 413, "The request is too large";
    /// The body is not declared as JSON.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be application/json";
    /// No such path.
    NotFound = "not_found", 404, "There is nothing here";
    /// The path takes other methods.
    MethodNotAllowed = "method_not_allowed", 405, "This path does not take this method";
    /// No such job, or not yours.
    NoSuchJob = "no_such_job", 404, "No such job";
    /// No such task, or not yours.
    NoSuchTask = "no_such_task", 404, "No such task";
    /// No such worker, or not yours.
    NoSuchWorker = "no_such_worker", 404, "No such worker";
    /// No such account.
    NoSuchAccount = "no_such_account", 404, "No such account";
    /// The name is taken.
    AccountExists = "account_exists", 409, "An account of this name exists";
    /// The last admin cannot be disabled or removed, nor can one's own account.
    LastAdmin = "last_admin", 409, "The last admin cannot go";
    /// The worker's name belongs to another account.
    WorkerTaken = "worker_taken", 409, "This worker's name belongs to another account";
    /// A newer incarnation of the worker has registered.
    Superseded = "superseded", 409, "A newer start of this worker has registered";
    /// The worker must register first.
    NotRegistered = "not_registered", 409, "This worker is not registered";
    /// Worker and coordinator speak different versions.
    ProtocolVersion = "protocol_version", 409, "Worker and coordinator speak different versions";
    /// The lease quoted is not, or no longer, the task's.
    StaleLease = "stale_lease", 409, "This attempt is over; stop working on it";
    /// The task stands where this is not possible.
    WrongState = "wrong_state", 409, "Not possible where the task stands";
    /// The outputs are being put in place already.
    TooLate = "too_late", 409, "Too late to cancel";
    /// Records of output are missing.
    LogGap = "log_gap", 409, "Records of output are missing";
    /// The job has not ended.
    NotEnded = "not_ended", 409, "The job has not ended";
    /// The job is not monitored.
    NotMonitored = "not_monitored", 409, "The job is not monitored";
    /// The idempotency key came with another body before.
    IdempotencyMismatch = "idempotency_mismatch", 422, "This idempotency key came with another request before";
    /// A field's value is not allowed.
    BadField = "bad_field", 422, "A field's value is not allowed";
    /// The coordinator does not know the program.
    UnknownProgram = "unknown_program", 422, "The coordinator does not allow this program";
    /// More arguments than are taken.
    TooManyArguments = "too_many_arguments", 422, "A command has too many arguments";
    /// An argument that no program could be given, because it is too long.
    ArgumentTooLong = "argument_too_long", 422, "An argument is too long";
    /// An argument that no program could be given, because it holds a NUL byte.
    NulByte = "nul_byte", 422, "An argument holds a NUL byte";
    /// An argument is no path template.
    BadTemplate = "bad_template", 422, "An argument is not a path template";
    /// A path variable that this installation does not have.
    UnknownVariable = "unknown_variable", 422, "No such path variable";
    /// An absolute path under no variable.
    PathOutside = "path_outside", 422, "A path lies outside every path variable";
    /// A path whose `..` lead out of its variable.
    PathLeaves = "path_leaves", 422, "A path leads out of its path variable";
    /// Standard input as an input.
    StdinNotSupported = "stdin_not_supported", 422, "Standard input cannot be an input";
    /// A job to wait for does not exist.
    NoSuchDependency = "no_such_dependency", 422, "A job to wait for does not exist";
    /// Too many distinct requirements.
    TooManyNeeds = "too_many_needs", 422, "Too many distinct sets of requirements";
    /// A cursor nobody gave out.
    BadCursor = "bad_cursor", 400, "This cursor was not given out here";
    /// More requests than the proxy in front takes from one address or key; try again.
    TooManyRequests = "too_many_requests", 429, "Too many requests";
    /// The server leaves or its database does not answer; try again.
    Unavailable = "unavailable", 503, "Not now; try again";
    /// A fault of ours.
    Internal = "internal", 500, "Something went wrong on our side";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Problem {
    /// A problem of this code, with words for people.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>, request_id: RequestId) -> Self {
        Self {
            kind: format!("urn:ffleet:error:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code: code.as_str().to_owned(),
            detail: detail.into(),
            request_id,
            errors: Vec::new(),
            server_time: None,
            next_seq: None,
            state: None,
            outcome: None,
        }
    }

    /// Whether it is of this code.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }
}
