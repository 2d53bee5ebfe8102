//! Counters for monitoring, in the text format that Prometheus reads (version 0.0.4).

use actix_web::{HttpRequest, HttpResponse, Responder, body::BoxBody, web::Data};

use super::{
    describe::{Describe, Sketch},
    health::Machine,
};
use crate::app::App;

/// Name, what it counts, and how many.
type Counter = (&'static str, &'static str, u64);

/// What has been counted since the start.
#[derive(Debug)]
pub struct Counters(Vec<Counter>);

impl Counters {
    fn text(&self) -> String {
        let counter =
            |(name, about, n): &Counter| format!("# HELP {name} {about}\n# TYPE {name} counter\n{name} {n}\n");
        self.0.iter().map(counter).collect()
    }
}

impl Responder for Counters {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(self.text())
    }
}

impl Describe for Counters {
    fn describe(sketch: &mut Sketch) {
        sketch.text("200", "A counter a line, with its meaning.", "text/plain");
    }
}

/// `GET /metrics`
pub async fn metrics(app: Data<App>, _: Machine) -> Counters {
    let meter = app.store.meter();
    Counters(vec![
        (
            "ffleet_db_statements_total",
            "Database statements, those that begin and end transactions aside.",
            meter.statements(),
        ),
        ("ffleet_db_commits_total", "Database transactions that were committed.", meter.commits()),
        (
            "ffleet_nudges_heard_total",
            "Nudges of other coordinators that brokers have brought.",
            app.brokers.get().map_or(0, ffleet_nudges::Brokers::heard),
        ),
        (
            "ffleet_nudges_dropped_total",
            "Nudges that found no broker; whoever waits looks by themselves.",
            app.brokers.get().map_or(0, |brokers| brokers.states().iter().map(|state| state.dropped).sum()),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_named_explained_and_counted() {
        let text = Counters(vec![("a_total", "What a counts.", 3)]).text();
        assert_eq!(text, "# HELP a_total What a counts.\n# TYPE a_total counter\na_total 3\n");
    }
}
