//! Nudges over real brokers: what one rings the others hear, after a restart of the broker as well, and nobody waits for it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deployed;
mod listener;

use ffleet_nudges::{Amqp, Interest, Mqtt, Notify, Nudge};
use ffleet_protocol::{
    id::{AccountId, JobId},
    topic::Topic,
};
use ffleet_servers::{Mosquitto, RabbitMq};
use listener::{Listener, PATIENCE};
use tokio::{task::spawn_blocking, time::timeout};

async fn what_one_rings_the_others_hear(config: &Notify) -> [Listener; 3] {
    let farm: AccountId = "farm".parse().unwrap();
    let worker = Interest::Worker(farm.clone(), "box".parse().unwrap());
    let here = Listener::start(config, &Interest::All).connected().await;
    let mut there = Listener::start(config, &Interest::All).connected().await;
    let mut worker = Listener::start(config, &worker).connected().await;
    // Connected is not yet subscribed.
    here.until_heard(&Nudge::Queue(1), &mut there).await;
    here.until_heard(&Nudge::Queue(2), &mut worker).await;
    let (job, own, others) =
        (Nudge::Job("studio".parse().unwrap(), JobId::new()), "box".parse().unwrap(), "other".parse().unwrap());
    for nudge in [Nudge::Worker(Some(farm.clone()), others), job.clone(), Nudge::Worker(Some(farm.clone()), own)] {
        here.brokers.ring(&nudge);
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&"worker:box".to_owned()) {
        let topic = there.hears().await.to_string();
        if !topic.starts_with("queue") {
            heard.push(topic);
        }
    }
    assert_eq!(heard, ["worker:other".to_owned(), job.topic().to_string(), "worker:box".to_owned()]);
    loop {
        match worker.hears().await {
            Topic::Queue(_) => {}
            topic => break assert_eq!(topic.to_string(), "worker:box", "the other worker's is not its business"),
        }
    }
    [here, there, worker]
}

#[tokio::test]
async fn rabbitmq() {
    let broker = spawn_blocking(RabbitMq::start).await.unwrap();
    let url = {
        broker.add_user("ffleet", "a secret", "/");
        broker.url("ffleet", "a secret", "/")
    };
    // The first address is nobody's.
    let nobody = "amqp://ffleet@127.0.0.1:1/".to_owned();
    let config = Notify { amqp: Some(Amqp { urls: vec![nobody, url], password_file: None, ca: None }), mqtt: None };
    let [here, mut there, _worker] = what_one_rings_the_others_hear(&config).await;
    let broker = spawn_blocking(move || {
        broker.kill9();
        broker
    });
    let broker = broker.await.unwrap();
    let gone = async {
        while here.brokers.any_answers() {
            here.brokers.ring(&Nudge::Queue(3));
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    let state = &here.brokers.states()[0];
    assert!(state.trouble.is_some(), "{state:?}");
    let _broker = spawn_blocking(move || {
        broker.restart();
        broker
    });
    here.until_heard(&Nudge::Queue(4), &mut there).await;
}

#[tokio::test]
async fn mosquitto() {
    let broker =
        spawn_blocking(|| Mosquitto::with_users(&[("ffleet", "a secret")], "allow_anonymous false\n")).await.unwrap();
    let url = format!("mqtt://ffleet:a%20secret@127.0.0.1:{}", broker.port());
    let nobody = "mqtt://127.0.0.1:1".to_owned();
    let config = Notify { mqtt: Some(Mqtt { urls: vec![nobody, url], password_file: None, ca: None }), amqp: None };
    let [here, mut there, _worker] = what_one_rings_the_others_hear(&config).await;
    broker.kill9();
    let gone = async {
        while here.brokers.any_answers() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    broker.restart();
    here.until_heard(&Nudge::Queue(4), &mut there).await;
    // One that stands still keeps its connections open, and is found out all the same.
    broker.pause();
    let silent = async {
        while here.brokers.any_answers() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE / 2, silent).await.unwrap();
    broker.resume();
    here.until_heard(&Nudge::Queue(5), &mut there).await;
}
