//! AMQP 0-9-1: a topic exchange, and for each listener a queue of its own that forgets quickly.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    tcp::OwnedTLSConfig,
    types::{AMQPValue, FieldTable},
};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::{
    Interest, Nudge,
    advice::explained,
    config::Places,
    heard::Heard,
    nudge::{body, source, topic_of_key},
    ringer::Ringer,
    state::Condition,
};

const EXCHANGE: &str = "ffleet.nudges";
/// A broker that takes longer to answer is not there.
const PATIENCE: Duration = Duration::from_secs(5);
/// A nudge that takes longer to hand over is given up, and the connection with it.
const BUDGET: Duration = Duration::from_secs(1);
/// Nudges that a listener has not fetched: so many, for so long.
const WAITING: i32 = 1_000;
const FORGOTTEN_MS: i32 = 10_000;
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
        match timeout(PATIENCE, session.connect(url, places.ca.clone())).await {
            Ok(Ok((connection, channel, consumer))) => {
                session.condition.connected(&place);
                let began = Instant::now();
                let why = session.serve(&channel, consumer).await;
                session.condition.lost(&place, &why);
                // One that is short of memory lets everybody in, and takes nothing.
                if began.elapsed() > LASTED {
                    pause = FIRST_PAUSE;
                }
                // In the background: a broker that stands still would hold us up.
                tokio::spawn(async move { timeout(BUDGET, connection.close(200, "going".into())).await });
            }
            Ok(Err(error)) => session.condition.lost(&place, &explained("amqp", &error.to_string())),
            Err(_) => session.condition.lost(&place, &explained("amqp", "no answer in time")),
        }
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn place(url: &Url) -> String {
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

impl Session {
    async fn connect(&self, url: &Url, ca: Option<String>) -> lapin::Result<(Connection, Channel, Consumer)> {
        let properties = ConnectionProperties::default().with_connection_name(self.name.clone().into());
        let tls = OwnedTLSConfig { identity: None, cert_chain: ca };
        let runtime = lapin::runtime::default_runtime()?;
        let connection = Connection::connect_with_config(url.as_str(), properties, tls, runtime).await?;
        let channel = connection.create_channel().await?;
        if self.interest.rings() {
            let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
        }
        let mut limits = FieldTable::default();
        limits.insert("x-max-length".into(), AMQPValue::LongInt(WAITING));
        limits.insert("x-message-ttl".into(), AMQPValue::LongInt(FORGOTTEN_MS));
        limits.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
        let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        // Brokers may tell users to keep to queues that bear their name.
        let name = format!("ffleet.{}.{:016x}", url.username(), rand::random::<u64>());
        let queue = channel.queue_declare(name.into(), own, limits).await?;
        for key in self.interest.keys() {
            let bind = QueueBindOptions::default();
            channel.queue_bind(queue.name().clone(), EXCHANGE.into(), key.into(), bind, FieldTable::default()).await?;
        }
        let at_once = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(queue.name().clone(), "".into(), at_once, FieldTable::default()).await?;
        Ok((connection, channel, consumer))
    }

    /// Until something breaks; says what.
    async fn serve(&self, channel: &Channel, mut consumer: Consumer) -> String {
        loop {
            tokio::select! {
                delivery = consumer.next() => match delivery {
                    Some(Ok(delivery)) => {
                        self.heard.take(source(&delivery.data), topic_of_key(delivery.routing_key.as_str()));
                    }
                    Some(Err(error)) => return explained("amqp", &error.to_string()),
                    None => return "the broker has ended the connection".to_owned(),
                },
                nudge = self.ringer.next() => {
                    if let Err(why) = self.ring(channel, &nudge).await {
                        self.ringer.lost();
                        return why;
                    }
                }
            }
        }
    }

    async fn ring(&self, channel: &Channel, nudge: &Nudge) -> Result<(), String> {
        let body = body(self.heard.source);
        let options = BasicPublishOptions::default();
        let publish =
            channel.basic_publish(EXCHANGE.into(), nudge.key().into(), options, &body, BasicProperties::default());
        match timeout(BUDGET, publish).await {
            // Whether it arrives is nobody's concern.
            Ok(Ok(_confirmation)) => Ok(()),
            Ok(Err(error)) => Err(explained("amqp", &error.to_string())),
            Err(_) => Err("the broker takes nothing".to_owned()),
        }
    }
}
