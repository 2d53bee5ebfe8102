//! Every call, with what it takes and whose business it is. A route that is not in here fails a test.

use ffleet_coordinator::http::openapi;
use ffleet_protocol::{
    Timestamp,
    account::{NewAccount, RotateRequest, Scope},
    id::{AccountId, Incarnation, JobId, TaskId, Token, WorkerId},
    job::{BatchItem, BatchRequest, ClientHeartbeat, JobSpec, SignalRequest, Submitted},
    log::{Data, LineEnd, LogBatch, Record},
    state::{Phase, Role, SignalKind, Stream},
    task::{
        AcceptRequest, ClaimAnswer, ClaimRequest, Exit, FinishRequest, HeldLease, PublishingRequest, RejectRequest,
    },
    worker::{Capabilities, HeartbeatRequest, Program, Registration},
};
use serde::Serialize;
use serde_json::Value;

use crate::server::{Request, Server, Signer};

/// Whose business a call is, beyond the role that its description names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Business {
    /// Everybody's of that role; what it answers is cut to what the caller may see.
    Anybodys,
    /// Of those who may read the job.
    Reading,
    /// Of those who may change the job.
    Changing,
    /// Everybody's but other workers'.
    Looking,
    /// Of the account that the worker belongs to.
    Workers,
    /// Of the worker that holds the task.
    Holders,
}

use Business::{Anybodys, Changing, Holders, Looking, Reading, Workers};

/// One call.
pub struct Call {
    pub method: &'static str,
    pub path: &'static str,
    pub business: Business,
    pub body: Option<Value>,
}

/// What the calls are about: somebody's job, its task, the worker that holds it.
#[derive(Clone)]
pub struct Things {
    pub job: JobId,
    pub task: TaskId,
    pub worker: WorkerId,
    pub incarnation: Incarnation,
    pub epoch: u32,
    pub token: Token,
    pub account: AccountId,
}

impl Things {
    /// A job of `client`'s that `worker`, an account, has claimed under the name of a new worker.
    pub async fn made(server: &Server, client: &Signer, worker: &Signer, name: &str) -> Self {
        let (id, incarnation) = (WorkerId::new(name).unwrap(), Incarnation::new());
        let put = worker.json("PUT", &format!("/v1/workers/{id}"), &registration(incarnation));
        assert_eq!(server.send(&put).await.status, 200);
        let made = server.send(&client.post("/v1/jobs", r#"{"args":["-version"],"monitor":true}"#)).await;
        let job = serde_json::from_str::<Submitted>(&made.body).unwrap().id;
        let claim = ClaimRequest { worker: id.clone(), incarnation, token: Token::new(), free_slots: 1, wait_s: 0 };
        let claimed = server.send(&worker.json("POST", "/v1/claims", &claim)).await;
        let grant = serde_json::from_str::<ClaimAnswer>(&claimed.body).unwrap().grants.remove(0);
        let (task, epoch, token) = (grant.task, grant.epoch, grant.token);
        Self { job, task, worker: id, incarnation, epoch, token, account: AccountId::new("spare").unwrap() }
    }

    /// The same with ids that nobody has.
    pub fn nowhere(&self) -> Self {
        Self { job: JobId::new(), task: TaskId::new(), ..self.clone() }
    }

    /// Every call about these things.
    pub fn calls(&self) -> Vec<Call> {
        let call = |method, path, business| Call { method, path, business, body: None };
        let with = |method, path, business, body| Call { method, path, business, body: Some(body) };
        let (worker, incarnation, epoch, token) = (self.worker.clone(), self.incarnation, self.epoch, self.token);
        let spec: JobSpec = serde_json::from_str(r#"{"args":["-formats"]}"#).unwrap();
        let item = BatchItem { idempotency_key: Token::new().to_string(), job: spec.clone() };
        let record = Record {
            seq: 1,
            stream: Stream::Stderr,
            at: Timestamp::UNIX_EPOCH,
            data: Data::Text("hello".to_owned()),
            end: Some(LineEnd::Lf),
        };
        let held = HeldLease { task: self.task, epoch, token, phase: Phase::Encoding, progress: None, signals_seen: 0 };
        let name = AccountId::new(format!("new-{}", Token::new())).unwrap();
        vec![
            with("POST", "/v1/jobs", Anybodys, json(&spec)),
            with("POST", "/v1/jobs:batch", Anybodys, json(&BatchRequest { jobs: vec![item], again: false })),
            call("GET", "/v1/jobs", Anybodys),
            call("GET", "/v1/jobs/{job}", Reading),
            with(
                "POST",
                "/v1/jobs/{job}/heartbeat",
                Changing,
                json(&ClientHeartbeat { beat: 1, follower: incarnation }),
            ),
            with("POST", "/v1/jobs/{job}/signal", Changing, json(&SignalRequest { signal: SignalKind::Quit })),
            call("GET", "/v1/jobs/{job}/logs", Reading),
            call("GET", "/v1/jobs/{job}/explain", Reading),
            call("GET", "/v1/events", Anybodys),
            call("GET", "/v1/watch?topic=job:{job}", Reading),
            call("GET", "/v1/status", Anybodys),
            call("GET", "/v1/overview", Anybodys),
            call("GET", "/v1/workers", Anybodys),
            call("GET", "/v1/workers/{worker}", Looking),
            with("PUT", "/v1/workers/{worker}", Workers, json(&registration(incarnation))),
            with(
                "POST",
                "/v1/workers/{worker}/heartbeat",
                Workers,
                json(&HeartbeatRequest { incarnation, beat: 1, leases: vec![held], draining: false, hearing: None }),
            ),
            with(
                "POST",
                "/v1/claims",
                Workers,
                json(&ClaimRequest { worker: worker.clone(), incarnation, token, free_slots: 1, wait_s: 0 }),
            ),
            with(
                "POST",
                "/v1/tasks/{task}/accept",
                Holders,
                json(&AcceptRequest { worker: worker.clone(), incarnation, epoch, token }),
            ),
            with(
                "POST",
                "/v1/tasks/{task}/logs",
                Holders,
                json(&LogBatch {
                    worker: worker.clone(),
                    incarnation,
                    epoch,
                    token,
                    records: vec![record],
                    progress: None,
                }),
            ),
            with(
                "POST",
                "/v1/tasks/{task}/publishing",
                Holders,
                json(&PublishingRequest { worker: worker.clone(), incarnation, epoch, token, outputs: Vec::new() }),
            ),
            with(
                "POST",
                "/v1/tasks/{task}/reject",
                Holders,
                json(&RejectRequest { worker: worker.clone(), incarnation, epoch, token, reason: "no".to_owned() }),
            ),
            with(
                "POST",
                "/v1/tasks/{task}/finish",
                Holders,
                json(&FinishRequest {
                    worker,
                    incarnation,
                    epoch,
                    token,
                    exit: Exit::Code { code: 0 },
                    failure: None,
                    message: String::new(),
                    last_seq: 1,
                    tail: String::new(),
                    outputs: Vec::new(),
                }),
            ),
            call("POST", "/v1/jobs/{job}/cancel", Changing),
            call("POST", "/v1/jobs/{job}/retry", Changing),
            call("POST", "/v1/workers/{worker}/pause", Anybodys),
            call("POST", "/v1/workers/{worker}/resume", Anybodys),
            call("POST", "/v1/workers/{worker}/drain", Anybodys),
            call("DELETE", "/v1/workers/{worker}?incarnation={incarnation}", Workers),
            call("GET", "/v1/accounts", Anybodys),
            with(
                "POST",
                "/v1/accounts",
                Anybodys,
                json(&NewAccount { id: name, role: Role::Client, scope: Scope::default() }),
            ),
            call("GET", "/v1/accounts/{account}", Anybodys),
            with("PUT", "/v1/accounts/{account}/scope", Anybodys, json(&Scope::default())),
            with("POST", "/v1/accounts/{account}/rotate", Anybodys, json(&RotateRequest { overlap_s: 60 })),
            call("POST", "/v1/accounts/{account}/disable", Anybodys),
            call("POST", "/v1/accounts/{account}/enable", Anybodys),
            call("DELETE", "/v1/accounts/{account}", Anybodys),
            call("POST", "/v1/janitor", Anybodys),
        ]
    }

    /// The call as this account signs it.
    pub fn signed(&self, call: &Call, by: &Signer) -> Request {
        let target = call
            .path
            .replace("{job}", &self.job.to_string())
            .replace("{task}", &self.task.to_string())
            .replace("{worker}", self.worker.as_str())
            .replace("{incarnation}", &self.incarnation.to_string())
            .replace("{account}", self.account.as_str());
        by.request(call.method, &target, call.body.as_ref().map(Value::to_string).as_deref(), &[])
    }
}

impl Call {
    /// As the description of the API writes it.
    pub fn route(&self) -> String {
        let path = self.path.split('?').next().unwrap();
        let path = ["{job}", "{task}", "{worker}", "{account}"]
            .iter()
            .fold(path.to_owned(), |path, name| path.replace(name, "{id}"));
        format!("{} {path}", self.method)
    }

    /// The roles that the description names.
    pub fn roles(&self) -> Vec<Role> {
        let described = described();
        let words = described.iter().find(|(route, _)| *route == self.route()).map(|(_, words)| words.as_str());
        match words {
            Some("clients and admins") => vec![Role::Client, Role::Admin],
            Some("workers") => vec![Role::Worker],
            Some("admins") => vec![Role::Admin],
            Some("every account") => Role::ALL.to_vec(),
            other => panic!("{} is for {other:?}, whoever that is", self.route()),
        }
    }

    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

/// Every signed route of the description, and who it is for.
pub fn described() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (path, item) in openapi().paths.paths {
        for (method, operation) in [("GET", item.get), ("POST", item.post), ("PUT", item.put), ("DELETE", item.delete)]
        {
            let Some(operation) = operation else { continue };
            let words = operation.extensions.and_then(|all| all.get("x-for").cloned());
            if let Some(Value::String(words)) = words {
                all.push((format!("{method} {path}"), words));
            }
        }
    }
    all.sort();
    all
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn registration(incarnation: Incarnation) -> Registration {
    let program = Program { version: "made up".to_owned() };
    let programs = [("ffmpeg".to_owned(), program)].into();
    Registration {
        incarnation,
        protocol: ffleet_protocol::PROTOCOL_VERSION,
        version: "0.1.0".to_owned(),
        capabilities: Capabilities { slots: 2, programs, ..Capabilities::default() },
        unreported: Vec::new(),
    }
}
