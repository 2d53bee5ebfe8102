//! Brokers with the files that operators copy: who hears what, that nobody but coordinators says anything, and whose
//! certificate is believed.

use std::{path::PathBuf, thread};

use ffleet_nudges::{Amqp, Interest, Mqtt, Notify, Nudge};
use ffleet_protocol::{
    id::{AccountId, JobId, WorkerId},
    topic::Topic,
};
use ffleet_servers::{Authority, Front, HaProxy, Mosquitto, Process, RabbitMq, free_port};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    tcp::OwnedTLSConfig,
    types::FieldTable,
};
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, PublishOptions, QoS};
use tokio::{task::spawn_blocking, time::timeout};

use crate::listener::{Listener, PATIENCE};

const PASSWORD: &str = "a-test-password";

/// Files beside a broker: the authority that has signed its certificate, and one that has not.
struct Authorities {
    own: PathBuf,
    stranger: PathBuf,
}

impl Authorities {
    fn beside(broker: &Process) -> Self {
        let stranger = broker.folder().join("stranger.pem");
        std::fs::write(&stranger, Authority::new("somebody else's").pem()).unwrap();
        Self { own: broker.folder().join("ca.pem"), stranger }
    }
}

fn amqp(url: String, ca: Option<&PathBuf>) -> Notify {
    Notify { amqp: Some(Amqp { urls: vec![url], password_file: None, ca: ca.cloned() }), mqtt: None }
}

fn mqtt(url: String, ca: Option<&PathBuf>) -> Notify {
    Notify { mqtt: Some(Mqtt { urls: vec![url], password_file: None, ca: ca.cloned() }), amqp: None }
}

fn job(account: &str) -> Nudge {
    Nudge::Job(account.parse().unwrap(), JobId::new())
}

fn worker(account: &str, name: &str) -> Nudge {
    Nudge::Worker(Some(account.parse().unwrap()), name.parse().unwrap())
}

/// Rings each of these in turn; of them `other` hears those that `own` says, and no others.
async fn hears_only(here: &Listener, other: &mut Listener, nudges: &[Nudge], own: impl Fn(&Nudge) -> bool) {
    for nudge in nudges {
        here.brokers.ring(nudge);
    }
    let wanted: Vec<_> = nudges.iter().filter(|nudge| own(nudge)).map(Nudge::topic).collect();
    let mut heard = Vec::new();
    while heard.last() != wanted.last() {
        let topic = other.hears().await;
        // From before, while everybody came.
        if topic != Nudge::Queue(1).topic() {
            heard.push(topic);
        }
    }
    assert_eq!(heard, wanted);
}

#[tokio::test]
async fn rabbitmq_lets_each_role_do_its_own_and_nothing_else() {
    let deployed = || {
        let (broker, port) = RabbitMq::deployed(&Authority::new("the installation's own"));
        let accounts = [("coordinator", "ffleet"), ("worker", "farm.one"), ("client", "studio")];
        thread::scope(|scope| {
            let made = accounts.map(|account| {
                let broker = &broker;
                scope.spawn(move || broker.set_up(&[account.0, account.1], PASSWORD).unwrap())
            });
            for account in made {
                account.join().unwrap();
            }
        });
        assert!(broker.set_up(&["worker", "far m"], PASSWORD).unwrap_err().contains("is no account name"));
        assert!(broker.set_up(&["nobody", "farm"], PASSWORD).unwrap_err().contains("setup.sh worker ACCOUNT"));
        (broker, port)
    };
    let (broker, port) = spawn_blocking(deployed).await.unwrap();
    let authorities = Authorities::beside(&broker);
    let url = |account: &str| format!("amqps://{account}:{PASSWORD}@127.0.0.1:{port}/ffleet");
    let config = |account: &str| amqp(url(account), Some(&authorities.own));

    // One coordinator through HAProxy, as operators have it; the others, the worker and the client with encryption.
    let front_port = free_port();
    let front = Front { rabbitmq: Some((front_port, broker.port())), ..Front::default() }.config();
    let _front = spawn_blocking(move || HaProxy::start(&front)).await.unwrap();
    let through = amqp(format!("amqp://ffleet:{PASSWORD}@127.0.0.1:{front_port}/ffleet"), None);
    let here = Listener::start(&through, &Interest::All).connected().await;
    let mut there = Listener::start(&config("ffleet"), &Interest::All).connected().await;
    let (farm, name): (AccountId, WorkerId) = ("farm.one".parse().unwrap(), "box".parse().unwrap());
    let mut box_ = Listener::start(&config("farm.one"), &Interest::Worker(farm, name)).connected().await;
    let mut studio = Listener::start(&config("studio"), &Interest::Jobs("studio".parse().unwrap())).connected().await;
    here.until_heard(&Nudge::Queue(1), &mut there).await;

    let nudges = [
        job("studio"),
        job("farm.one"),
        worker("farm.one", "other"),
        worker("farm", "box"),
        Nudge::Queue(2),
        worker("farm.one", "box"),
        job("studio"),
    ];
    hears_only(&here, &mut there, &nudges, |_| true).await;
    let own = worker("farm.one", "box");
    hears_only(&there, &mut box_, &nudges, |nudge| *nudge == own || *nudge == Nudge::Queue(2)).await;
    let own = [nudges[0].clone(), nudges[6].clone()];
    hears_only(&here, &mut studio, &nudges, |nudge| own.contains(nudge)).await;

    let broker_at = |account: &'static str| Refusing {
        account,
        url: url(account),
        ca: std::fs::read_to_string(&authorities.own).unwrap(),
    };
    let farm = broker_at("farm.one");
    farm.keeps_everything("ffleet.studio.x").await;
    for key in ["#", "job.studio.*", "job.farm:one.*", "worker.studio.*", "worker.farm.*", "worker.#", "queue.#", "*.*"]
    {
        farm.refuses(key, async |channel| farm.listens(channel, key).await).await;
    }
    let studio = broker_at("studio");
    studio.keeps_everything("ffleet.farm.one.x").await;
    for key in ["#", "queue.*", "queue.2", "job.farm:one.*", "job.*.*", "job.studio.#", "worker.studio.*", "*.*"] {
        studio.refuses(key, async |channel| studio.listens(channel, key).await).await;
    }

    let all = Interest::All;
    for (config, words, advice) in [
        (amqp(url("ffleet"), Some(&authorities.stranger)), "UnknownIssuer", "set `notify.amqp.ca`"),
        (amqp(url("ffleet"), None), "the broker's certificate", "set `notify.amqp.ca`"),
        (amqp(format!("{}-nope", url("ffleet")), Some(&authorities.own)), "vhost", "`notify.amqp.urls`"),
        (amqp(url("ffleet").replace(PASSWORD, "x"), Some(&authorities.own)), "ACCESS", "`notify.amqp.password_file`"),
        (config("studio"), "ACCESS", "deploy/rabbitmq"),
    ] {
        let trouble = Listener::start(&config, &all).trouble(words).await;
        assert!(trouble.contains(advice), "{trouble}");
        assert!(!trouble.contains(PASSWORD), "{trouble}");
    }
}

/// A broker, as it is to an account that only hears.
struct Refusing {
    account: &'static str,
    url: String,
    ca: String,
}

impl Refusing {
    /// Fails the test if this is allowed. It is tried over a connection of its own: what is refused ends the channel.
    async fn refuses(&self, what: &str, act: impl AsyncFnOnce(&Channel) -> lapin::Result<()>) {
        let tls = OwnedTLSConfig { identity: None, cert_chain: Some(self.ca.clone()) };
        let runtime = lapin::runtime::default_runtime().unwrap();
        let properties = ConnectionProperties::default();
        let connection = Connection::connect_with_config(&self.url, properties, tls, runtime).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        match timeout(PATIENCE, act(&channel)).await.unwrap() {
            Ok(()) => panic!("{} may do this: {what}", self.account),
            Err(error) => assert!(error.to_string().contains("ACCESS_REFUSED"), "{what}: {error}"),
        }
        connection.close(200, "done".into()).await.unwrap();
    }

    /// Binds a queue of its own.
    async fn listens(&self, channel: &Channel, key: &str) -> lapin::Result<()> {
        let queue = format!("ffleet.{}.{:016x}", self.account, rand::random::<u64>());
        let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.clone().into(), own, FieldTable::default()).await.unwrap();
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(queue.into(), "ffleet.nudges".into(), key.into(), options, none).await
    }

    /// It may publish nothing, and make, change or remove nothing that is not its own.
    async fn keeps_everything(&self, others: &str) {
        for key in ["queue.1".to_owned(), format!("job.{}.x", self.account), format!("worker.{}.x", self.account)] {
            self.refuses(&key, async |channel| says(channel, "ffleet.nudges", &key).await).await;
        }
        self.refuses("writing into another's queue", async |channel| says(channel, "", others).await).await;
        for name in [others, "ffleet", "anything", "ffleet.nudges"] {
            let declare = async |channel: &Channel| {
                let options = QueueDeclareOptions::default();
                channel.queue_declare(name.into(), options, FieldTable::default()).await.map(drop)
            };
            self.refuses(name, declare).await;
        }
        let consume = async |channel: &Channel| {
            let options = BasicConsumeOptions::default();
            channel.basic_consume(others.into(), "".into(), options, FieldTable::default()).await.map(drop)
        };
        self.refuses("consuming from another's queue", consume).await;
        let declare = async |channel: &Channel| {
            let options = ExchangeDeclareOptions::default();
            channel.exchange_declare("another".into(), ExchangeKind::Topic, options, FieldTable::default()).await
        };
        self.refuses("an exchange", declare).await;
        let delete = async |channel: &Channel| {
            channel.exchange_delete("ffleet.nudges".into(), ExchangeDeleteOptions::default()).await
        };
        self.refuses("removing the exchange", delete).await;
    }
}

async fn says(channel: &Channel, exchange: &str, key: &str) -> lapin::Result<()> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let told = channel.basic_publish(exchange.into(), key.into(), options, b"x", properties).await?;
    told.await.map(drop)
}

#[tokio::test]
async fn mosquitto_lets_each_role_do_its_own_and_nothing_else() {
    let deployed = || {
        let users = ["coordinator", "encoder-1", "alice"].map(|user| (user, PASSWORD));
        Mosquitto::deployed(&Authority::new("the installation's own"), &users)
    };
    let (broker, port) = spawn_blocking(deployed).await.unwrap();
    let authorities = Authorities::beside(&broker);
    let url = |account: &str| format!("mqtts://{account}:{PASSWORD}@127.0.0.1:{port}");
    let config = |account: &str| mqtt(url(account), Some(&authorities.own));

    let here = Listener::start(&config("coordinator"), &Interest::All).connected().await;
    let mut there = Listener::start(&config("coordinator"), &Interest::All).connected().await;
    // Both ask for everything, and Mosquitto does not say no to that.
    let mut encoder = Listener::start(&config("encoder-1"), &Interest::All).connected().await;
    let mut alice = Listener::start(&config("alice"), &Interest::All).connected().await;
    here.until_heard(&Nudge::Queue(1), &mut there).await;
    here.until_heard(&Nudge::Queue(1), &mut encoder).await;
    let first = job("alice");
    here.until_heard(&first, &mut alice).await;

    let nudges = [
        job("alice"),
        job("bob"),
        worker("encoder-2", "box"),
        worker("alice", "box"),
        Nudge::Queue(2),
        worker("encoder-1", "box"),
        job("encoder-1"),
        job("alice"),
        Nudge::Queue(3),
    ];
    let is_first_topic = |topic: &Topic| *topic == first.topic();
    let of_encoder = |nudge: &Nudge| {
        let own: AccountId = "encoder-1".parse().unwrap();
        match nudge {
            Nudge::Queue(_) => true,
            Nudge::Worker(account, _) => account.as_ref() == Some(&own),
            Nudge::Job(account, _) => *account == own,
        }
    };
    let alices: AccountId = "alice".parse().unwrap();
    let of_alice = |nudge: &Nudge| match nudge {
        Nudge::Queue(_) => false,
        Nudge::Worker(account, _) => account.as_ref() == Some(&alices),
        Nudge::Job(account, _) => *account == alices,
    };
    hears_only(&here, &mut encoder, &nudges, of_encoder).await;
    hears_only(&here, &mut alice, &nudges, of_alice).await;

    // What they publish has been taken, and nobody has heard it, when a coordinator is heard after it.
    for account in ["encoder-1", "alice"] {
        let taken =
            ["queue/9".to_owned(), format!("job/{account}/x"), format!("worker/{account}/box"), "queue".to_owned()];
        published(broker.port(), account, &taken).await;
    }
    here.brokers.ring(&Nudge::Queue(4));
    let mut heard = Vec::new();
    while heard.last() != Some(&Nudge::Queue(4).topic()) {
        heard.push(there.hears().await);
    }
    // And what was rung before, twice.
    let mut rung: Vec<_> = nudges.iter().chain(&nudges).map(Nudge::topic).collect();
    heard.retain(|topic| *topic != Nudge::Queue(1).topic() && !is_first_topic(topic));
    rung.push(Nudge::Queue(4).topic());
    assert_eq!(heard, rung);

    let all = Interest::All;
    for (config, words, advice) in [
        (mqtt(url("coordinator"), Some(&authorities.stranger)), "UnknownIssuer", "set `notify.mqtt.ca`"),
        (mqtt(url("coordinator"), None), "the broker's certificate", "set `notify.mqtt.ca`"),
        (
            mqtt(url("coordinator").replace(PASSWORD, "x"), Some(&authorities.own)),
            "refused",
            "`notify.mqtt.password_file`",
        ),
        (mqtt(format!("mqtts://127.0.0.1:{port}"), Some(&authorities.own)), "refused", "deploy/mosquitto"),
        (
            mqtt(url("coordinator").replace(&port.to_string(), &broker.port().to_string()), Some(&authorities.own)),
            "TLS",
            "",
        ),
    ] {
        let trouble = Listener::start(&config, &all).trouble(words).await;
        assert!(trouble.contains(advice), "{trouble}");
        assert!(!trouble.contains(PASSWORD), "{trouble}");
    }
}

/// Publishes to each of these topics, and waits until the broker has taken it; what is not allowed it takes and drops.
async fn published(port: u16, account: &str, topics: &[String]) {
    let mut options = MqttOptions::new(format!("thief-{account}"), ("127.0.0.1", port));
    options.set_credentials(account, PASSWORD);
    let (client, mut events) = AsyncClient::builder(options).capacity(16).build();
    for topic in topics {
        let options = PublishOptions::new(QoS::AtLeastOnce);
        client.try_publish(format!("ffleet/nudges/{topic}"), b"x".to_vec(), options).unwrap();
    }
    let taken = async {
        let mut left = topics.len();
        while left > 0 {
            if let Event::Incoming(Incoming::PubAck(_)) = events.poll().await.unwrap() {
                left -= 1;
            }
        }
    };
    timeout(PATIENCE, taken).await.unwrap();
}
