//! What handlers take from the path and the query. Nothing here fails before the signature was verified: arguments of a
//! handler are made side by side, so these keep the text and are read inside the handler.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    marker::PhantomData,
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::QueryPayloadError, web};
use ffleet_protocol::{
    id::{AccountId, BadId, JobId, TaskId, WorkerId},
    problem::Code,
};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// An id in a path, as `{id}`.
pub trait PathId: FromStr<Err = BadId> + 'static {
    /// What is said when there is no such thing; a text that cannot be an id names nothing either.
    const MISSING: Code;
}

impl PathId for JobId {
    const MISSING: Code = Code::NoSuchJob;
}

impl PathId for TaskId {
    const MISSING: Code = Code::NoSuchTask;
}

impl PathId for WorkerId {
    const MISSING: Code = Code::NoSuchWorker;
}

impl PathId for AccountId {
    const MISSING: Code = Code::NoSuchAccount;
}

/// The id in the path.
#[derive(Debug)]
pub struct Id<T> {
    text: String,
    kind: PhantomData<T>,
}

impl<T: PathId> Id<T> {
    /// The id, if it is one.
    pub fn get(self) -> Result<T, ApiError> {
        self.text.parse().map_err(|BadId { text, why, what: _ }| ApiError::NoSuch {
            code: T::MISSING,
            text,
            why: why.to_owned(),
        })
    }
}

impl<T: PathId> FromRequest for Id<T> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().query("id").to_owned();
        ready(Ok(Self { text, kind: PhantomData }))
    }
}

/// A query string.
#[derive(Debug)]
pub struct Query<T> {
    text: String,
    kind: PhantomData<T>,
}

/// What can be read from a query string.
pub trait FromQuery: Sized + 'static {
    /// Reads it strictly: a parameter that is not known is an error that names it.
    fn from_query(text: &str) -> Result<Self, ApiError>;
}

impl<T: FromQuery> Query<T> {
    /// What the query says.
    pub fn get(self) -> Result<T, ApiError> {
        T::from_query(&self.text)
    }
}

impl<T: 'static> FromRequest for Query<T> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { text: request.query_string().to_owned(), kind: PhantomData }))
    }
}

/// The parameters of a query, in order.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, ApiError> {
    web::Query::from_query(text).map(web::Query::into_inner).map_err(|error| ApiError::bad_request(words(&error)))
}

/// Reads the fields of a struct, each at most once.
pub fn fields<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    web::Query::from_query(text).map(web::Query::into_inner).map_err(|error| {
        let error = words(&error);
        match culprit::<T>(text, &error) {
            Some(field) => ApiError::parameter(&field, &error),
            None => ApiError::bad_request(format!("query: {error}")),
        }
    })
}

/// The reader does not say which parameter it could not read, so each is read alone: the one with the same complaint it is.
fn culprit<T: DeserializeOwned>(text: &str, complaint: &str) -> Option<String> {
    let alone = |pair: &&str| web::Query::<T>::from_query(pair).is_err_and(|error| words(&error) == complaint);
    let pair = text.split('&').find(alone)?;
    pairs(pair).ok()?.pop().map(|(name, _)| name)
}

fn words(error: &QueryPayloadError) -> String {
    match error {
        QueryPayloadError::Deserialize(error) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use ffleet_protocol::job::JobFilter;

    use super::*;

    fn wrong(text: &str) -> String {
        fields::<JobFilter>(text).unwrap_err().to_string()
    }

    #[test]
    fn filters_are_read_strictly() {
        let filter: JobFilter =
            fields("status=pending,running&label=a%3Db&limit=5&since=2026-01-02T03:04:05Z").unwrap();
        assert_eq!(filter.status.as_deref(), Some("pending,running"));
        assert_eq!(filter.label.as_deref(), Some("a=b"));
        assert_eq!(filter.limit, Some(5));
        assert!(filter.since.is_some());
        assert_eq!(fields::<JobFilter>("").unwrap(), JobFilter::default());
        assert!(wrong("stauts=pending").contains("unknown field `stauts`"), "{}", wrong("stauts=pending"));
        assert!(wrong("limit=5&limit=6").contains("duplicate field `limit`"), "{}", wrong("limit=5&limit=6"));
        assert!(
            wrong("status=x&limit=many").starts_with("query parameter limit: "),
            "{}",
            wrong("status=x&limit=many")
        );
        assert!(wrong("since=yesterday").starts_with("query parameter since: "), "{}", wrong("since=yesterday"));
    }

    #[actix_web::test]
    async fn what_cannot_be_an_id_names_nothing() {
        let id = async |text: &str| {
            let request = TestRequest::get().param("id", text.to_owned()).to_http_request();
            Id::<JobId>::extract(&request).await.unwrap().get()
        };
        let job = JobId::new();
        assert_eq!(id(&job.to_string()).await.unwrap(), job);
        let error = id("last").await.unwrap_err();
        assert_eq!(error.code(), Code::NoSuchJob);
        assert!(error.to_string().contains("\"last\"") && error.to_string().contains("UUID"), "{error}");
    }
}
