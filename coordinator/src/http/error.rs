//! Every word that callers are told when something did not go well.

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use ffleet_protocol::{
    Timestamp,
    id::RequestId,
    problem::{Code, FieldError, Problem},
    sign::{WINDOW_FUTURE_S, WINDOW_PAST_S},
    state::Role,
};

use crate::ops::{OpError, Refused};

/// Seconds after which an unavailable coordinator may be asked again.
const RETRY_AFTER_S: &str = "1";

/// Why a request is not answered as it hoped.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The operation said no.
    #[error(transparent)]
    Op(#[from] OpError),
    /// One answer for every fault of a signature, so that nothing can be probed. The cause is in our log.
    #[error(
        "no signature of a known key holds for this request; check the key file, that the account is enabled and may \
         come from this address, and that the coordinator was addressed by one of its public names. The coordinator's \
         log tells the cause under this request id"
    )]
    Unauthorized,
    /// The signature holds, its time does not.
    #[error(
        "the request was signed at {}, and here it is {}; it must arrive between {WINDOW_FUTURE_S} s before and \
         {WINDOW_PAST_S} s after it was signed, and before it expires. Set the clock of the machine that signed it",
        clock(*.created),
        clock(*.now)
    )]
    ClockSkew {
        /// When it says it was signed.
        created: i64,
        /// Our time.
        now: i64,
    },
    /// A known account, and not its business.
    #[error("this call is for {wanted}; the account that signed it is {is}", is = role_words(*.is))]
    WrongRole {
        /// Who may.
        wanted: &'static str,
        /// Who came.
        is: Role,
    },
    /// It cannot be read.
    #[error("{detail}")]
    BadRequest {
        /// In which way.
        code: Code,
        /// For people.
        detail: String,
        /// Where.
        errors: Vec<FieldError>,
    },
    /// The body came too slowly.
    #[error("the body did not arrive within {seconds} s; send it faster, or less at once")]
    SlowBody {
        /// How long it may take.
        seconds: u64,
    },
    /// More body than the call takes.
    #[error("the body is larger than the {limit} bytes that this call takes; send less at once")]
    TooLarge {
        /// What it takes.
        limit: usize,
    },
    /// Not JSON.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    /// A cursor of somebody else's.
    #[error("{0}")]
    BadCursor(String),
    /// What a path names cannot be.
    #[error("there is no {text:?}: {why}")]
    NoSuch {
        /// Which kind of thing.
        code: Code,
        /// What was asked for.
        text: String,
        /// Why there can be none.
        why: String,
    },
    /// No route.
    #[error(
        "no call has the path {0}; check the coordinator's address and `public_base_path`. /openapi.json lists every call"
    )]
    NotFound(String),
    /// A route, by other methods.
    #[error("this path takes {allow}")]
    MethodNotAllowed {
        /// What it takes, as in the header `Allow`.
        allow: String,
    },
    /// A fault of ours, in words that stay in our log.
    #[error("internal error")]
    Fault(String),
}

impl ApiError {
    /// A request that cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::BadRequest { code: Code::BadRequest, detail: detail.into(), errors: Vec::new() }
    }

    /// A part of a request that cannot be read, by what serde says about it. `place` is where it stood, perhaps without the
    /// field that the message is about.
    pub fn unreadable(place: &str, what: &str, hint: &str) -> Self {
        let named = ["unknown field `", "missing field `", "duplicate field `"].iter();
        let named = named.filter_map(|words| what.strip_prefix(words)?.split('`').next()).next();
        let field = match (place, named) {
            ("" | "." | "?", None) => "the body".to_owned(),
            ("" | "." | "?", Some(name)) => name.to_owned(),
            (place, Some(name)) if place != name && !place.ends_with(&format!(".{name}")) => format!("{place}.{name}"),
            (place, _) => place.to_owned(),
        };
        let code = if what.starts_with("unknown field `") { Code::UnknownField } else { Code::BadRequest };
        Self::BadRequest {
            code,
            detail: format!("{field}: {what}{hint}"),
            errors: vec![FieldError { field, detail: what.to_owned() }],
        }
    }

    /// A parameter of the query that cannot be read.
    pub fn parameter(field: &str, what: &str) -> Self {
        let unknown = what.starts_with("unknown field `") || what.starts_with("unknown parameter");
        Self::BadRequest {
            code: if unknown { Code::UnknownField } else { Code::BadRequest },
            detail: format!("query parameter {field}: {what}"),
            errors: vec![FieldError { field: field.to_owned(), detail: what.to_owned() }],
        }
    }

    /// For programs.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Op(OpError::Refused(refused)) => refused.code,
            Self::Op(OpError::Unavailable(_)) => Code::Unavailable,
            Self::Op(OpError::Internal(_)) | Self::Fault(_) => Code::Internal,
            Self::Unauthorized => Code::Unauthorized,
            Self::ClockSkew { .. } => Code::ClockSkew,
            Self::WrongRole { .. } => Code::WrongRole,
            Self::BadRequest { code, .. } => *code,
            Self::SlowBody { .. } => Code::SlowBody,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::UnsupportedMediaType(_) => Code::UnsupportedMediaType,
            Self::BadCursor(_) => Code::BadCursor,
            Self::NoSuch { code, .. } => *code,
            Self::NotFound(_) => Code::NotFound,
            Self::MethodNotAllowed { .. } => Code::MethodNotAllowed,
        }
    }

    /// What the caller is told. Nothing of an internal cause is in it.
    #[must_use]
    pub fn problem(&self, request: RequestId) -> Problem {
        let code = self.code();
        let detail = match self {
            Self::Op(OpError::Refused(refused)) => refused.detail.clone(),
            Self::Op(OpError::Internal(_)) | Self::Fault(_) => {
                "the coordinator's log tells the cause under this request id; ask whoever runs it".to_owned()
            }
            other => other.to_string(),
        };
        let mut problem = Problem::new(code, detail, request);
        match self {
            Self::Op(OpError::Refused(refused)) => {
                let Refused { code: _, detail: _, errors, next_seq, state, outcome } = refused.as_ref().clone();
                (problem.errors, problem.next_seq, problem.state, problem.outcome) = (errors, next_seq, state, outcome);
            }
            Self::BadRequest { errors, .. } => problem.errors.clone_from(errors),
            Self::ClockSkew { now, .. } => problem.server_time = Some(*now),
            Self::Op(OpError::Unavailable(_) | OpError::Internal(_))
            | Self::Unauthorized
            | Self::WrongRole { .. }
            | Self::SlowBody { .. }
            | Self::TooLarge { .. }
            | Self::UnsupportedMediaType(_)
            | Self::BadCursor(_)
            | Self::NoSuch { .. }
            | Self::NotFound(_)
            | Self::MethodNotAllowed { .. }
            | Self::Fault(_) => {}
        }
        problem
    }

    /// The answer to the request of this id. Causes inside are logged here, once.
    pub fn answer(&self, request: RequestId) -> HttpResponse {
        match self {
            Self::Op(OpError::Internal(cause)) => tracing::error!(request.id = %request, "internal error: {cause:#}"),
            Self::Fault(cause) => tracing::error!(request.id = %request, "internal error: {cause}"),
            Self::Op(OpError::Refused(_) | OpError::Unavailable(_))
            | Self::Unauthorized
            | Self::ClockSkew { .. }
            | Self::WrongRole { .. }
            | Self::BadRequest { .. }
            | Self::SlowBody { .. }
            | Self::TooLarge { .. }
            | Self::UnsupportedMediaType(_)
            | Self::BadCursor(_)
            | Self::NoSuch { .. }
            | Self::NotFound(_)
            | Self::MethodNotAllowed { .. } => {}
        }
        let problem = self.problem(request);
        let mut answer = HttpResponse::build(self.status_code());
        answer.content_type("application/problem+json");
        if answer_is(&problem, StatusCode::UNAUTHORIZED) {
            answer.insert_header((WWW_AUTHENTICATE, "Signature realm=\"ffleet\""));
        }
        if answer_is(&problem, StatusCode::SERVICE_UNAVAILABLE) {
            answer.insert_header((RETRY_AFTER, RETRY_AFTER_S));
        }
        if let Self::MethodNotAllowed { allow } = self {
            answer.insert_header((ALLOW, allow.as_str()));
        }
        answer.body(serde_json::to_vec(&problem).unwrap_or_default())
    }
}

/// Only the status: the words are written where the request's id is known ([`super::trace`]).
impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

fn answer_is(problem: &Problem, status: StatusCode) -> bool {
    problem.status == status.as_u16()
}

fn clock(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| format!("second {seconds}"), |time| time.to_string())
}

fn role_words(role: Role) -> &'static str {
    match role {
        Role::Client => "a client",
        Role::Worker => "a worker",
        Role::Admin => "an admin",
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    async fn told(error: &ApiError) -> (HttpResponse<()>, String) {
        let id = RequestId::new();
        let (head, body) = error.answer(id).into_parts();
        let body = String::from_utf8(to_bytes(body).await.unwrap().to_vec()).unwrap();
        assert!(body.contains(&id.to_string()));
        (head, body)
    }

    #[actix_web::test]
    async fn an_internal_cause_is_not_shown() {
        let cause = anyhow::anyhow!("password hunter2").context("connecting to mysql://secret");
        for error in [ApiError::Op(OpError::Internal(cause)), ApiError::Fault("hunter2 at secret".to_owned())] {
            let (head, body) = told(&error).await;
            assert_eq!(head.status(), 500);
            assert!(!body.contains("hunter2") && !body.contains("secret"), "{body}");
        }
    }

    #[actix_web::test]
    async fn unavailable_says_when_to_come_again() {
        let (head, body) = told(&ApiError::Op(OpError::Unavailable("leaving".to_owned()))).await;
        assert_eq!((head.status().as_u16(), head.headers().get(RETRY_AFTER).unwrap().as_bytes()), (503, &b"1"[..]));
        assert!(body.contains("\"leaving\""));
    }

    #[actix_web::test]
    async fn a_refusal_keeps_what_programs_need() {
        let mut refused = Refused {
            code: Code::LogGap,
            detail: "records are missing".to_owned(),
            errors: Vec::new(),
            next_seq: Some(7),
            state: None,
            outcome: None,
        };
        let (head, body) = told(&ApiError::Op(OpError::Refused(Box::new(refused.clone())))).await;
        assert_eq!(head.status(), 409);
        assert!(body.contains("\"code\":\"log_gap\"") && body.contains("\"next_seq\":7"), "{body}");
        refused.errors = vec![FieldError { field: "args[3]".to_owned(), detail: "no".to_owned() }];
        let (_, body) = told(&ApiError::Op(OpError::Refused(Box::new(refused)))).await;
        assert!(body.contains("args[3]"));
    }

    #[test]
    fn both_clocks_are_named() {
        let problem = ApiError::ClockSkew { created: 0, now: 3600 }.problem(RequestId::new());
        assert!(problem.detail.contains("1970-01-01T00:00:00Z") && problem.detail.contains("1970-01-01T01:00:00Z"));
        assert_eq!(problem.server_time, Some(3600));
    }
}
