//! The doorbell, and the whole at a glance.

use actix_web::web::{Data, Json};
use ffleet_protocol::{
    topic::{Topic, WatchAnswer},
    worker::FleetStatus,
};
use utoipa::ToSchema;

use super::{
    auth::{Anyone, Signed},
    error::ApiError,
    params::{self, FromQuery, Query},
};
use crate::{app::App, ops};

/// What to wait for.
#[derive(Debug, Default, PartialEq, Eq, ToSchema)]
pub struct Interest {
    /// May be given several times: `queue:NUMBER`, `worker:NAME` or `job:UUID`.
    #[schema(value_type = Vec<String>)]
    topic: Vec<Topic>,
    /// The cursor of the answer before. Without one the wait begins now.
    since: Option<String>,
}

impl FromQuery for Interest {
    fn from_query(text: &str) -> Result<Self, ApiError> {
        let mut interest = Self::default();
        for (name, value) in params::pairs(text)? {
            match name.as_str() {
                "topic" => interest
                    .topic
                    .push(value.parse().map_err(|error| ApiError::parameter("topic", &format!("{error}")))?),
                "since" if interest.since.is_none() => interest.since = Some(value),
                "since" => return Err(ApiError::parameter("since", "it is given twice")),
                _ => return Err(ApiError::parameter(&name, "unknown parameter, expected topic or since")),
            }
        }
        if interest.topic.is_empty() {
            return Err(ApiError::parameter("topic", "name at least one: queue:NUMBER, worker:NAME or job:UUID"));
        }
        Ok(interest)
    }
}

/// `GET /v1/watch`
pub async fn watch(app: Data<App>, who: Signed<Anyone>, query: Query<Interest>) -> Result<Json<WatchAnswer>, ApiError> {
    let Interest { topic, since } = query.get()?;
    Ok(Json(ops::watch::watch(&app, &who, topic, since).await?))
}

/// `GET /v1/status`
pub async fn status(app: Data<App>, who: Signed<Anyone>) -> Result<Json<FleetStatus>, ApiError> {
    Ok(Json(ops::status::status(&app, &who).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_may_be_repeated_and_nothing_else() {
        let interest = Interest::from_query("topic=queue:7&topic=worker%3Abox&since=abc").unwrap();
        assert_eq!(interest.topic, [Topic::Queue(7), "worker:box".parse().unwrap()]);
        assert_eq!(interest.since.as_deref(), Some("abc"));
        for (query, part) in [
            ("", "at least one"),
            ("topic=jobs", "queue:NUMBER"),
            ("topic=queue:1&since=a&since=b", "given twice"),
            ("topic=queue:1&wait=5", "query parameter wait: unknown"),
        ] {
            let error = Interest::from_query(query).unwrap_err().to_string();
            assert!(error.contains(part), "{query:?} gave {error}");
        }
    }
}
