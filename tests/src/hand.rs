//! A worker that is no process but the test's own hand: for stories about single answers that are lost or repeated, and
//! about a worker that stays silent.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ffleet_client::{Api, ApiError};
use ffleet_protocol::{
    PROTOCOL_VERSION, Timestamp,
    id::{Incarnation, TaskId, Token, WorkerId},
    log::{Data, LineEnd, LogAnswer, LogBatch, Progress, Record},
    state::{FailureClass, Phase, Stream},
    task::{
        AcceptRequest, ClaimAnswer, ClaimRequest, Exit, FinishRequest, Grant, HeldLease, RejectRequest, TaskAnswer,
    },
    worker::{Capabilities, HeartbeatAnswer, HeartbeatRequest, LeaseRef, Mount, Program, Registration},
};

/// A worker driven by hand.
pub struct Hand {
    api: Api,
    /// Its name.
    pub id: WorkerId,
    /// The start of the process that it claims to be.
    pub incarnation: Incarnation,
    slots: u32,
    tags: Vec<String>,
    beat: Arc<AtomicU64>,
}

/// A task that a hand has claimed.
#[derive(Debug, Clone)]
pub struct Held {
    /// As it was granted.
    pub grant: Grant,
}

impl Hand {
    /// A worker with one slot that speaks to whoever `api` leads to.
    pub async fn at(api: Api, name: &str) -> Self {
        Self::register(api, WorkerId::new(name).unwrap(), 1).await
    }

    pub(crate) async fn register(api: Api, id: WorkerId, slots: u32) -> Self {
        Self::register_tagged(api, id, slots, &[]).await
    }

    pub(crate) async fn register_tagged(api: Api, id: WorkerId, slots: u32, tags: &[&str]) -> Self {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let hand = Self { api, id, incarnation: Incarnation::new(), slots, tags, beat: Arc::default() };
        hand.register_with(Vec::new()).await.unwrap();
        hand
    }

    /// Says what it has, as a worker that starts does.
    pub async fn register_with(&self, unreported: Vec<LeaseRef>) -> Result<(), ApiError> {
        let program = || Program { version: "driven by hand".to_owned() };
        let capabilities = Capabilities {
            slots: self.slots,
            tags: self.tags.iter().cloned().collect(),
            programs: ["ffmpeg", "ffprobe"].map(|name| (name.to_owned(), program())).into(),
            variables: [("Media".parse().unwrap(), Mount { writable: true, free_bytes: None })].into(),
            ..Capabilities::default()
        };
        let registration = Registration {
            incarnation: self.incarnation,
            protocol: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities,
            unreported,
        };
        self.api.register(&self.id, &registration).await.map(drop)
    }

    /// The same worker, speaking to whoever `api` leads to.
    #[must_use]
    pub fn through(&self, api: Api) -> Self {
        let (id, tags, beat) = (self.id.clone(), self.tags.clone(), self.beat.clone());
        Self { api, id, incarnation: self.incarnation, slots: self.slots, tags, beat }
    }

    /// The same worker after a restart: another incarnation, which knows of these ends that were not reported.
    pub async fn restarted(&self, unreported: Vec<LeaseRef>) -> Self {
        let next = Self {
            api: self.api.clone(),
            id: self.id.clone(),
            incarnation: Incarnation::new(),
            slots: self.slots,
            tags: self.tags.clone(),
            beat: Arc::default(),
        };
        next.register_with(unreported).await.unwrap();
        next
    }

    /// Claims with a given token and waits as long as a claim may.
    pub async fn claim_with(
        &self,
        token: Token,
        free_slots: u32,
        wait_s: u64,
    ) -> Result<Option<ClaimAnswer>, ApiError> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        self.api.claim(&ClaimRequest { worker, incarnation, token, free_slots, wait_s }).await
    }

    /// Claims one task, waiting for it.
    pub async fn claim(&self) -> Held {
        let answer = self.claim_with(Token::new(), 1, 25).await.unwrap().expect("a task to claim");
        assert_eq!(answer.grants.len(), 1, "one slot, one task");
        Held { grant: answer.grants[0].clone() }
    }

    /// Claims one task and accepts it.
    pub async fn take(&self) -> Held {
        let held = self.claim().await;
        self.accept(&held).await.unwrap();
        held
    }

    /// Begins.
    pub async fn accept(&self, held: &Held) -> Result<TaskAnswer, ApiError> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        let LeaseRef { task, epoch, token } = held.lease();
        self.api.accept(task, &AcceptRequest { worker, incarnation, epoch, token }).await
    }

    /// Does not begin.
    pub async fn reject(&self, held: &Held, reason: &str) -> Result<TaskAnswer, ApiError> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        let LeaseRef { task, epoch, token } = held.lease();
        self.api.reject(task, &RejectRequest { worker, incarnation, epoch, token, reason: reason.to_owned() }).await
    }

    /// Reports lines of stderr, numbered from `first`.
    pub async fn log(&self, held: &Held, first: u64, lines: &[&str]) -> Result<LogAnswer, ApiError> {
        let records = lines.iter().zip(first..).map(|(line, seq)| Record {
            seq,
            stream: Stream::Stderr,
            at: Timestamp::UNIX_EPOCH,
            data: Data::Text((*line).to_owned()),
            end: Some(LineEnd::Lf),
        });
        self.append(held, records.collect()).await
    }

    /// Reports output.
    pub async fn append(&self, held: &Held, records: Vec<Record>) -> Result<LogAnswer, ApiError> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        let LeaseRef { task, epoch, token } = held.lease();
        self.api.append(task, &LogBatch { worker, incarnation, epoch, token, records, progress: None }).await
    }

    /// Reports how far it is.
    pub async fn tell(&self, held: &Held, progress: Progress) -> Result<LogAnswer, ApiError> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        let LeaseRef { task, epoch, token } = held.lease();
        let batch = LogBatch { worker, incarnation, epoch, token, records: Vec::new(), progress: Some(progress) };
        self.api.append(task, &batch).await
    }

    /// Reports a good end.
    pub async fn finish(&self, held: &Held, last_seq: u64) -> Result<TaskAnswer, ApiError> {
        self.finish_with(held, Exit::Code { code: 0 }, None, last_seq).await
    }

    /// Reports an end.
    pub async fn finish_with(
        &self,
        held: &Held,
        exit: Exit,
        failure: Option<FailureClass>,
        last_seq: u64,
    ) -> Result<TaskAnswer, ApiError> {
        let LeaseRef { task, epoch, token } = held.lease();
        let request = FinishRequest {
            worker: self.id.clone(),
            incarnation: self.incarnation,
            epoch,
            token,
            exit,
            failure,
            message: String::new(),
            last_seq,
            tail: String::new(),
            outputs: Vec::new(),
        };
        self.api.finish(task, &request).await
    }

    /// Renews these leases, and no others.
    pub async fn beat(&self, held: &[&Held]) -> Result<HeartbeatAnswer, ApiError> {
        let beat = self.beat.fetch_add(1, Ordering::Relaxed) + 1;
        let lease = |held: &&Held| {
            let LeaseRef { task, epoch, token } = held.lease();
            HeldLease { task, epoch, token, phase: Phase::Encoding, progress: None, signals_seen: 0 }
        };
        let leases = held.iter().map(lease).collect();
        let request = HeartbeatRequest { incarnation: self.incarnation, beat, leases, draining: false, hearing: None };
        self.api.heartbeat(&self.id, &request).await
    }

    /// Goes.
    pub async fn leave(&self) -> Result<(), ApiError> {
        self.api.leave(&self.id, self.incarnation).await
    }
}

impl Held {
    /// What its reports quote.
    #[must_use]
    pub fn lease(&self) -> LeaseRef {
        LeaseRef { task: self.grant.task, epoch: self.grant.epoch, token: self.grant.token }
    }

    /// Its task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.grant.task
    }
}
