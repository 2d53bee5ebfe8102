//! Who may do what, over every route, every role and every owner.

use ffleet_coordinator::{
    config::{Config, Timing},
    ops::accounts::{self, command_line},
};
use ffleet_protocol::{
    account::{NewAccount, Scope},
    id::{AccountId, Incarnation, JobId, TaskId, Token, WorkerId},
    job::JobPage,
    sign::Secret,
    state::Role,
};

use crate::{
    calls::{Business, Call, Things, described},
    server::{Request, Server, Signer, refused},
};

/// Everybody there is: the owners of job and worker, others of their kinds, and those who see or do more.
struct People {
    server: Server,
    alice: Signer,
    farm: Signer,
    others: Vec<(&'static str, Role, Signer)>,
}

impl People {
    async fn gathered() -> Self {
        // Nobody waits for anything here.
        let timing = Timing { long_poll_s: 1, ..Timing::default() };
        let server = Server::with(Config { timing, ..Config::default() }).await;
        let alice = server.account("alice", Role::Client).await;
        let farm = server.account("farm", Role::Worker).await;
        let others = vec![
            ("another client", Role::Client, server.account("bob", Role::Client).await),
            ("a client who sees all", Role::Client, lead(&server).await),
            ("another worker", Role::Worker, server.account("mill", Role::Worker).await),
            ("an admin", Role::Admin, server.account("root", Role::Admin).await),
        ];
        server.account("spare", Role::Client).await;
        Self { server, alice, farm, others }
    }

    /// The call of this number about things that were made for it: some calls end what they are about.
    async fn fresh(&self, name: &str, number: usize, signer: &Signer, call: &Call) -> (Call, Request) {
        let mut things = Things::made(&self.server, &self.alice, &self.farm, name).await;
        if call.path.contains("{account}") {
            self.server.account(name, Role::Client).await;
            things.account = AccountId::new(name).unwrap();
        }
        let call = things.calls().remove(number);
        let request = things.signed(&call, signer);
        (call, request)
    }

    fn everybody(&self) -> impl Iterator<Item = (&'static str, Role, &Signer)> {
        let owners = [("the client", Role::Client, &self.alice), ("the worker", Role::Worker, &self.farm)];
        owners.into_iter().chain(self.others.iter().map(|(name, role, signer)| (*name, *role, signer)))
    }
}

async fn lead(server: &Server) -> Signer {
    let scope = Scope { sees_all: true, ..Scope::default() };
    let new = NewAccount { id: AccountId::new("lead").unwrap(), role: Role::Client, scope };
    let issued = accounts::add(&server.app, &command_line(), new).await.unwrap();
    server.signer(issued.key_id, Secret::from_base64(&issued.secret).unwrap())
}

/// What a call is answered with by rule; none for whoever gets past every wall.
fn wall(call: &Call, who: &str, role: Role) -> Option<(u16, &'static str)> {
    if !call.roles().contains(&role) {
        return Some((403, "wrong_role"));
    }
    let sees = matches!(who, "the client" | "a client who sees all" | "an admin");
    let acts = matches!(who, "the client" | "an admin");
    match call.business {
        Business::Anybodys => None,
        Business::Reading => (!sees).then_some((404, "no_such_job")),
        Business::Changing => (!acts).then_some((404, "no_such_job")),
        Business::Looking => (who == "another worker").then_some((404, "no_such_worker")),
        Business::Workers if call.method == "PUT" => (who != "the worker").then_some((409, "worker_taken")),
        Business::Workers | Business::Holders => (who != "the worker").then_some((404, "no_such_worker")),
    }
}

/// Ids of nothing, to look at the calls by.
fn made_up() -> Things {
    Things {
        job: JobId::new(),
        task: TaskId::new(),
        worker: WorkerId::new("box").unwrap(),
        incarnation: Incarnation::new(),
        epoch: 1,
        token: Token::new(),
        account: AccountId::new("spare").unwrap(),
    }
}

#[test]
fn every_route_is_in_the_table() {
    let mut tabled: Vec<String> = made_up().calls().iter().map(Call::route).collect();
    tabled.sort();
    let described: Vec<String> = described().into_iter().map(|(route, _)| route).collect();
    assert_eq!(tabled, described, "coordinator/tests/http/calls.rs must have every route, once");
}

#[actix_web::test]
async fn every_call_is_refused_to_whom_it_is_not_for_and_changes_nothing() {
    let people = People::gathered().await;
    let things = Things::made(&people.server, &people.alice, &people.farm, "box").await;
    let nowhere = things.nowhere();
    let mut witness = people.server.witness().await;
    let mut tried = 0;
    for call in things.calls() {
        let unsigned = things.signed(&call, &people.alice).without("signature");
        assert_eq!(people.server.send(&unsigned).await.refusal(), refused(401, "unauthorized"), "{}", call.route());
        for (who, role, signer) in people.everybody() {
            let Some((status, code)) = wall(&call, who, role) else { continue };
            let foreign = people.server.send(&things.signed(&call, signer)).await;
            assert_eq!(foreign.refusal(), refused(status, code), "{who}: {}", call.route());
            if code == "no_such_job" {
                // It looks as if it were not there.
                let missing = people.server.send(&nowhere.signed(&call, signer)).await;
                assert_eq!(foreign.seen(), missing.seen(), "{who}: {}", call.route());
            }
            tried += 1;
        }
        witness.nothing_changed(call.route()).await;
    }
    assert!(tried > 100, "{tried}");
}

#[actix_web::test]
async fn every_call_is_open_to_whom_it_is_for() {
    let people = People::gathered().await;
    let calls = made_up().calls();
    for (who, role, signer) in people.everybody() {
        for (number, call) in calls.iter().enumerate().filter(|(_, call)| wall(call, who, role).is_none()) {
            let name = format!("{}-{number}", signer.key_id);
            let (call, request) = people.fresh(&name, number, signer, call).await;
            let answer = people.server.begin(&request).await;
            let got_past = !matches!(answer.status, 400 | 401 | 403 | 404 | 422 | 500..);
            assert!(got_past, "{who}: {}: {answer:?}", call.route());
        }
    }
}

#[actix_web::test]
async fn a_write_that_is_sent_again_by_a_stranger_changes_nothing() {
    let people = People::gathered().await;
    let mut witness = people.server.witness().await;
    let mut replayed = 0;
    for (number, call) in made_up().calls().iter().enumerate().filter(|(_, call)| call.is_write()) {
        let roles = call.roles();
        let (_, role, signer) = people.everybody().find(|(who, role, _)| wall(call, who, *role).is_none()).unwrap();
        assert!(roles.contains(&role));
        let (call, request) = people.fresh(&format!("again-{number}"), number, signer, call).await;
        let first = people.server.send(&request).await;
        witness.looks().await;
        let second = people.server.send(&request).await;
        witness.nothing_changed(call.route()).await;
        // Whatever numbers its own repetitions gives the first answer again; everything else is refused.
        let the_same = (second.status, &second.body) == (first.status, &first.body);
        assert!(the_same || second.status >= 400, "{}: {second:?}", call.route());
        replayed += usize::from(second.status == 401 && second.refusal() == refused(401, "replayed"));
    }
    assert!(replayed > 5, "{replayed} calls know their nonces");
}

#[actix_web::test]
async fn a_listing_holds_what_one_may_see_and_no_more() {
    let people = People::gathered().await;
    let things = Things::made(&people.server, &people.alice, &people.farm, "box").await;
    for (who, role, signer) in people.everybody().filter(|(_, role, _)| *role != Role::Worker) {
        let sees = matches!(who, "the client" | "a client who sees all") || role == Role::Admin;
        for query in ["", "?requester=alice", "?status=assigned"] {
            let answer = people.server.send(&signer.get(&format!("/v1/jobs{query}"))).await;
            let page: JobPage = serde_json::from_str(&answer.body).unwrap();
            let seen = page.jobs.iter().any(|job| job.id == things.job);
            assert_eq!(seen, sees, "{who} {query}");
        }
        // A job to wait for is a job to be seen.
        let after = |job| format!(r#"{{"args":["-version"],"after":["{job}"]}}"#);
        let behind = people.server.send(&signer.post("/v1/jobs", &after(things.job))).await;
        assert_eq!(behind.status, if sees { 201 } else { 422 }, "{who}");
        if !sees {
            let nowhere = things.nowhere().job;
            let missing = people.server.send(&signer.post("/v1/jobs", &after(nowhere))).await;
            assert_eq!(behind.refusal(), refused(422, "no_such_dependency"));
            assert_eq!(behind.seen(), missing.seen().replace(&nowhere.to_string(), &things.job.to_string()));
        }
    }
}

#[actix_web::test]
async fn a_stolen_lease_is_worth_nothing() {
    let people = People::gathered().await;
    let things = Things::made(&people.server, &people.alice, &people.farm, "box").await;
    let mill = &people.others[2].2;
    let own = Things::made(&people.server, &people.alice, mill, "millstone").await;
    let mut witness = people.server.witness().await;
    // With its own worker's name, and everything else as the holder of the task would say it.
    let stolen = Things { worker: own.worker.clone(), incarnation: own.incarnation, ..things };
    for call in stolen.calls().iter().filter(|call| call.business == Business::Holders) {
        let answer = people.server.send(&stolen.signed(call, mill)).await;
        let (status, code) = answer.refusal();
        assert!(status == 404 || (status, code.as_str()) == (409, "stale_lease"), "{}: {answer:?}", call.route());
        witness.nothing_changed(call.route()).await;
    }
}
