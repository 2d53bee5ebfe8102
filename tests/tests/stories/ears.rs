//! Workers that listen to brokers themselves. Claims do not wait at the coordinators here, and nobody looks by themselves for
//! so long that only a nudge can have told.

use std::time::{Duration, Instant};

use ffleet_client::Api;
use ffleet_nudges::{Amqp, Brokers, Interest, Mqtt, Notify, Nudge, Readers};
use ffleet_protocol::{
    id::JobId,
    state::{Carrier, JobStatus},
    worker::{Hearing, Missing},
};
use ffleet_servers::{Mosquitto, RabbitMq};
use ffleet_tests::{Fleet, PATIENCE, Proxy, Worker, WorkerSetup, job};
use tokio::task::spawn_blocking;

/// A coordinator that answers an empty claim after a second; heartbeats and looks at what others did are far apart.
const QUIET: &str = "[timing]\nlong_poll_s = 1\ntail_ms = 60000\nheartbeat_s = 10\nworker_silent_s = 30\n";
/// Sooner than a worker that hears nudges asks by itself, which is 30 s after it has last asked.
const UNASKED: Duration = Duration::from_secs(20);

/// Two coordinators and a worker that knows the first, through a proxy that counts what it asks.
struct Stage {
    fleet: Fleet,
    worker: Worker,
    there: Api,
}

impl Stage {
    /// `section` is that of the broker for a user, whose name is the account's.
    async fn start(section: impl Fn(&str) -> String) -> Self {
        let config = format!("{QUIET}\n{}", section("coordinators"));
        let fleet = Fleet::setup().mariadb().await.config(&config).coordinators(2).proxies(1).start().await;
        let setup = WorkerSetup::new("box").slots(2).via(fleet.proxy(0)).config(&section("farm"));
        let worker = fleet.worker_with(setup).await;
        let there = fleet.api_at(1, "studio");
        Self { fleet, worker, there }
    }

    fn proxy(&self) -> &Proxy {
        self.fleet.proxy(0)
    }

    /// The statuses of the answers that the worker has got to this call.
    fn answers(&self, path: &str) -> Vec<u16> {
        let all = self.proxy().answers();
        all.iter().filter(|answer| answer.path.ends_with(path)).map(|answer| answer.status).collect()
    }

    async fn until(&self, what: &str, wanted: impl Fn(Option<Hearing>) -> bool) {
        let waiting = async { while !wanted(self.there.worker(&self.worker.id()).await.unwrap().hearing) {} };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
    }

    async fn hears(&self, carrier: Carrier) {
        self.until("nudges are heard", |hearing| hearing == Some(Hearing { by: carrier, missing: None })).await;
    }

    /// Waits until the worker has asked in vain three times in a row: from then on it asks when it is nudged.
    async fn asks_no_more(&self) {
        self.until("the worker stops asking", |_| self.answers("/claims").ends_with(&[204; 3])).await;
    }

    async fn submitted(&self, n: u32) -> JobId {
        self.there.submit(&job(["-fake-say", "x"]), &format!("key-{n}")).await.unwrap().id
    }

    async fn jobs_begin_because_of_nudges(&self) {
        for n in 0..3 {
            self.asks_no_more().await;
            let view = self.fleet.wait(self.submitted(n).await).until(JobStatus::Completed).await;
            let (made, claimed) = (view.summary.created_at, view.tasks[0].attempts[0].claimed_at);
            assert!(claimed.duration_since(made).unsigned_abs() < UNASKED, "job {n}: made {made}, claimed {claimed}");
        }
    }

    /// Nobody waits at a coordinator for news of this worker, and heartbeats are ten seconds apart.
    async fn a_cancel_arrives_because_of_a_nudge(&self) {
        let gate = self.fleet.gate("go");
        let spec = job(["-fake-say", "hello", "-fake-gate", &gate.template()]);
        let id = self.there.submit(&spec, "to-be-canceled").await.unwrap().id;
        self.fleet.wait(id).until_says("hello").await;
        let (watches, beats) = (self.answers("/watch").len(), self.answers("/heartbeat").len());
        let asked = Instant::now();
        self.there.cancel(id).await.unwrap();
        self.fleet.wait(id).until(JobStatus::Canceled).await;
        assert_eq!(self.answers("/watch").len(), watches);
        assert!(self.answers("/heartbeat").len() > beats, "a heartbeat has brought it");
        assert!(asked.elapsed() < Duration::from_secs(10), "and did not wait for its time");
    }

    /// Somebody rings for this worker and for queues that there are not, as fast as a broker takes it.
    async fn a_flood_is_a_look_now_and_then(&self, notify: &Notify) {
        self.asks_no_more().await;
        let stranger = Brokers::start(notify, Readers::OwnerOnly, "stranger", &Interest::All, |_| {}).unwrap();
        let (began, beats, claims) = (Instant::now(), self.answers("/heartbeat").len(), self.answers("/claims").len());
        let flood = async {
            let mut rung: i64 = 0;
            while self.answers("/heartbeat").len() < beats + 6 || self.answers("/claims").len() < claims + 3 {
                for _ in 0..50 {
                    rung += 1;
                    stranger.ring(&Nudge::Queue(rung % 7 - 3));
                    stranger.ring(&Nudge::Worker(Some("farm".parse().unwrap()), self.worker.id()));
                    stranger.ring(&Nudge::Worker(None, self.worker.id()));
                    stranger.ring(&Nudge::Job("studio".parse().unwrap(), JobId::new()));
                }
                self.there.worker(&self.worker.id()).await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, flood).await.unwrap();
        let most = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
        let (beats, claims) = (self.answers("/heartbeat").len() - beats, self.answers("/claims").len() - claims);
        assert!(beats <= most && claims <= most, "{beats} heartbeats and {claims} claims within {most} s");
        let id = self.submitted(100).await;
        self.fleet.wait(id).until(JobStatus::Completed).await;
    }

    /// The broker is gone: whatever there is to do is done, and everybody can see how the worker hears.
    async fn without_the_broker(&self, carrier: Carrier) {
        let gone = |missing: Missing| missing.carrier == carrier;
        self.until("the broker is missed", |hearing| {
            hearing.is_some_and(|it| it.by == Carrier::LongPoll && it.missing.is_some_and(gone))
        })
        .await;
        let list = self.fleet.ffleet(["worker", "list"]).run().await.expect(0).text();
        assert!(list.contains(&format!("long poll, no {carrier} for ")), "{list}");
        let list = self.fleet.ffleet(["worker", "list", "--json"]).run().await.expect(0).text();
        assert!(list.contains("\"since\""), "{list}");
        let id = self.submitted(200).await;
        self.fleet.wait(id).until(JobStatus::Completed).await;
        let checked = self.checked().await;
        assert!(checked.contains(&format!("PROBLEM: notify.{carrier}: ")), "{checked}");
    }

    /// What `ffleet-worker check` says of this worker's configuration.
    async fn checked(&self) -> String {
        let config = self.fleet.dir().join("workers/box/worker.toml");
        let program = format!("/proc/{}/exe", self.worker.process().pid());
        let script = "\"$0\" --config \"$1\" check; true";
        self.fleet.script(script, [program.as_str(), config.to_str().unwrap()]).run().await.expect(0).text()
    }
}

#[tokio::test]
async fn a_worker_hears_rabbitmq() {
    let broker = spawn_blocking(|| {
        let broker = RabbitMq::start();
        for user in ["coordinators", "farm"] {
            broker.add_user(user, "a secret", "/");
        }
        broker
    });
    let broker = broker.await.unwrap();
    let url = |user: &str| broker.url(user, "a secret", "/");
    let stage = Stage::start(|user| format!("[notify.amqp]\nurls = [{:?}]\n", url(user))).await;
    stage.hears(Carrier::Amqp).await;
    let checked = stage.checked().await;
    assert!(checked.contains("ok: notify.amqp: "), "{checked}");
    stage.jobs_begin_because_of_nudges().await;
    stage.a_cancel_arrives_because_of_a_nudge().await;
    let amqp = Amqp { urls: vec![url("coordinators")], password_file: None, ca: None };
    stage.a_flood_is_a_look_now_and_then(&Notify { amqp: Some(amqp), mqtt: None }).await;
    broker.kill9();
    stage.without_the_broker(Carrier::Amqp).await;
}

#[tokio::test]
async fn a_worker_hears_mosquitto() {
    let users = [("coordinators", "a"), ("farm", "b")];
    let broker = spawn_blocking(move || Mosquitto::with_users(&users, "allow_anonymous false\n")).await.unwrap();
    let password = |user: &str| users.iter().find(|(name, _)| *name == user).unwrap().1;
    let url = |user: &str| format!("mqtt://{user}:{}@127.0.0.1:{}", password(user), broker.port());
    let stage = Stage::start(|user| format!("[notify.mqtt]\nurls = [{:?}]\n", url(user))).await;
    stage.hears(Carrier::Mqtt).await;
    stage.jobs_begin_because_of_nudges().await;
    stage.a_cancel_arrives_because_of_a_nudge().await;
    let mqtt = Mqtt { urls: vec![url("coordinators")], password_file: None, ca: None };
    stage.a_flood_is_a_look_now_and_then(&Notify { amqp: None, mqtt: Some(mqtt) }).await;
    broker.kill9();
    stage.without_the_broker(Carrier::Mqtt).await;
}
