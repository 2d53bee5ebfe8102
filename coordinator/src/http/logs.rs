//! Output: appended by workers, followed by clients.

use actix_web::web::{Data, Json};
use bytes::Bytes;
use ffleet_protocol::{
    id::{JobId, TaskId},
    log::{BadCursor, Cursor, LogAnswer, LogBatch},
};
use futures_util::Stream;
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use super::{
    answer::Lines,
    auth::{Agent, Large, Requester, Signed},
    error::ApiError,
    params::{self, FromQuery, Id, Query},
};
use crate::{app::App, ops};

/// Where to begin and whether to stay.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// The cursor of an earlier answer; without one the output begins at its beginning.
    after: Option<String>,
    /// Whether to go on until the job has ended: `true`, or no value at all.
    #[serde(default, deserialize_with = "flag")]
    follow: bool,
}

impl FromQuery for From {
    fn from_query(text: &str) -> Result<Self, ApiError> {
        params::fields(text)
    }
}

impl From {
    fn cursor(&self) -> Result<Cursor, ApiError> {
        let bad = |error: BadCursor| ApiError::BadCursor(format!("after: {error}"));
        self.after.as_deref().map_or(Ok(Cursor::default()), |text| text.parse().map_err(bad))
    }
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(de::Error::custom(format!("{other:?} is neither true nor false"))),
    }
}

/// `GET /v1/jobs/{id}/logs`
pub async fn follow(
    app: Data<App>,
    who: Signed<Requester>,
    id: Id<JobId>,
    from: Query<From>,
) -> Result<Lines<impl Stream<Item = Bytes> + 'static>, ApiError> {
    let from = from.get()?;
    Ok(Lines(ops::follow::open(app.into_inner(), &who, id.get()?, from.cursor()?, from.follow).await?))
}

/// `POST /v1/tasks/{id}/logs`
pub async fn append(
    app: Data<App>,
    call: Signed<Agent, Large<LogBatch>>,
    id: Id<TaskId>,
) -> Result<Json<LogAnswer>, ApiError> {
    let (who, batch) = call.into_parts();
    Ok(Json(ops::log::append(&app, &who, id.get()?, batch).await?))
}

#[cfg(test)]
mod tests {
    use ffleet_protocol::problem::Code;

    use super::*;

    #[test]
    fn follow_is_a_flag() {
        for (query, follow) in [
            ("", false),
            ("follow", true),
            ("follow=", true),
            ("follow=true", true),
            ("follow=1", true),
            ("follow=0", false),
        ] {
            assert_eq!(From::from_query(query).unwrap().follow, follow, "{query}");
        }
        let error = From::from_query("follow=maybe").unwrap_err().to_string();
        assert_eq!(error, "query parameter follow: \"maybe\" is neither true nor false");
        assert!(From::from_query("folow").unwrap_err().to_string().contains("folow"));
    }

    #[test]
    fn a_strange_cursor_is_named() {
        assert_eq!(From::from_query("after=%25%25").unwrap().cursor().unwrap_err().code(), Code::BadCursor);
        assert_eq!(From::from_query("").unwrap().cursor().unwrap(), Cursor::default());
    }
}
