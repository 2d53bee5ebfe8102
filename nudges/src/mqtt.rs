//! MQTT 3.1.1, which brokers of version 5 speak as well.

use std::{sync::Arc, time::Duration};

use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS, TlsConfiguration, Transport};
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

use crate::{
    Interest,
    advice::explained,
    config::Places,
    heard::Heard,
    nudge::{body, source, topic_of_path},
    ringer::Ringer,
    state::Condition,
};

/// What waits within the client for the connection.
const REQUESTS: usize = 256;
/// A broker that says nothing for longer is asked whether it is still there.
const KEEP_ALIVE_S: u16 = 5;
/// And given up when it has not said anything for so long. The client library itself waits much longer for one that stands
/// still while its connection is open.
const SILENT: Duration = Duration::from_secs(12);
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that lasted for so long was a good one: the next try comes soon after its end.
const LASTED: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) interest: Interest,
    pub(crate) heard: Arc<Heard>,
    pub(crate) ringer: Ringer,
    pub(crate) condition: Arc<Condition>,
}

/// Connects, listens and rings for ever, at whichever address answers.
pub(crate) async fn run(places: Places, session: Session) {
    let mut pause = FIRST_PAUSE;
    for url in places.urls.iter().cycle() {
        let place = place(url);
        let options = session.options(url, places.ca.as_deref());
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS).build();
        let began = Instant::now();
        let why = session.serve(&client, events, &place).await;
        session.condition.lost(&place, &why);
        if began.elapsed() > LASTED {
            pause = FIRST_PAUSE;
        }
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn place(url: &Url) -> String {
    format!("{}://{}:{}", url.scheme(), url.host_str().unwrap_or_default(), port(url))
}

fn port(url: &Url) -> u16 {
    url.port().unwrap_or(if url.scheme() == "mqtts" { 8883 } else { 1883 })
}

impl Session {
    fn options(&self, url: &Url, ca: Option<&str>) -> MqttOptions {
        // Brokers end the older of two sessions of the same name.
        let id = format!("{}-{:08x}", self.name, rand::random::<u32>());
        let mut options = MqttOptions::new(id, (url.host_str().unwrap_or_default(), port(url)));
        options.set_keep_alive(KEEP_ALIVE_S).set_clean_session(true);
        if !url.username().is_empty() {
            let decoded = |text: &str| {
                let pair = format!("x={}", text.replace('+', "%2B"));
                let found = url::form_urlencoded::parse(pair.as_bytes()).next();
                found.map_or_else(String::new, |(_, value)| value.into_owned())
            };
            options.set_credentials(decoded(url.username()), decoded(url.password().unwrap_or_default()));
        }
        if url.scheme() == "mqtts" {
            options.set_transport(match ca {
                Some(ca) => Transport::tls_with_config(TlsConfiguration::Simple {
                    ca: ca.as_bytes().to_vec(),
                    alpn: None,
                    client_auth: None,
                }),
                None => Transport::tls_with_default_config(),
            });
        }
        options
    }

    /// Until something breaks; says what.
    async fn serve(&self, client: &AsyncClient, mut events: EventLoop, place: &str) -> String {
        let mut connected = false;
        let mut until = Instant::now() + PATIENCE;
        loop {
            let next = events.poll();
            // Not given up half way: what the event loop has begun, it must end.
            tokio::pin!(next);
            let event = loop {
                tokio::select! {
                    event = &mut next => break event,
                    () = sleep_until(until) => return explained("mqtt", "no answer in time"),
                    nudge = self.ringer.next(), if connected => {
                        let body = body(self.heard.source);
                        let options = PublishOptions::new(QoS::AtMostOnce);
                        if client.try_publish(nudge.path(), body, options).is_err() {
                            self.ringer.lost();
                        }
                    }
                }
            };
            if matches!(event, Ok(Event::Incoming(_))) {
                until = Instant::now() + SILENT;
            }
            match event {
                Err(error) => return explained("mqtt", &error.to_string()),
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    connected = true;
                    self.condition.connected(place);
                    for path in self.interest.paths() {
                        if let Err(error) = client.try_subscribe(path, QoS::AtLeastOnce) {
                            return error.to_string();
                        }
                    }
                }
                Ok(Event::Incoming(Incoming::Publish(publish))) => {
                    let topic = std::str::from_utf8(&publish.topic).ok().and_then(topic_of_path);
                    self.heard.take(source(&publish.payload), topic);
                }
                Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
            }
        }
    }
}
