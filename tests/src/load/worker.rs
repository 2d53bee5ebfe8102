//! A worker that runs nothing: it claims, accepts, tells output and finishes over one connection.

use std::io;

use ffleet_protocol::{
    PROTOCOL_VERSION,
    id::{Incarnation, JobId, TaskId, Token, WorkerId},
    log::{LogBatch, Record},
    task::{AcceptRequest, ClaimRequest, Exit, FinishRequest},
    worker::{Capabilities, HeartbeatRequest, Mount, Program, Registration},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Answer, Line, Signer, Site};

/// As much of a grant as has to be quoted.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Granted {
    /// The task.
    pub task: TaskId,
    /// Its job.
    pub job: JobId,
    /// The attempt.
    pub epoch: u32,
    /// The claim.
    pub token: Token,
}

#[derive(Deserialize)]
struct Grants {
    grants: Vec<Granted>,
}

/// One connection of a worker; several may belong to the same one.
pub struct SimWorker {
    line: Line,
    signer: Signer,
    id: WorkerId,
    incarnation: Incarnation,
}

/// What a worker with these tags says of itself.
#[must_use]
pub fn registration(incarnation: Incarnation, slots: u32, tags: &[String]) -> Registration {
    let program = || Program { version: "simulated".to_owned() };
    let capabilities = Capabilities {
        slots,
        programs: ["ffmpeg", "ffprobe"].map(|name| (name.to_owned(), program())).into(),
        variables: "Media".parse().map(|name| (name, Mount { writable: true, free_bytes: None })).into_iter().collect(),
        tags: tags.iter().cloned().collect(),
        ..Capabilities::default()
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Registration { incarnation, protocol: PROTOCOL_VERSION, version, capabilities, unreported: Vec::new() }
}

impl SimWorker {
    /// Registers a new worker.
    ///
    /// # Errors
    /// When the coordinator does not take it.
    pub async fn register(site: &Site, name: &str, slots: u32, tags: &[String]) -> io::Result<Self> {
        let id = WorkerId::new(name).map_err(|error| io::Error::other(error.to_string()))?;
        let signer = site.signer("farm")?;
        let mut worker = Self { line: site.line().await?, signer, id, incarnation: Incarnation::new() };
        let target = format!("/v1/workers/{name}");
        let request = worker.signer.send("PUT", &target, &registration(worker.incarnation, slots, tags));
        expect(worker.line.ask(&request).await?, 200)?;
        Ok(worker)
    }

    /// Another connection of the same worker.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub async fn again(&self, site: &Site) -> io::Result<Self> {
        let (signer, id) = (self.signer.clone(), self.id.clone());
        Ok(Self { line: site.line().await?, signer, id, incarnation: self.incarnation })
    }

    /// Says that it is still there. It holds nothing for so long that a lease would have to be renewed.
    ///
    /// # Errors
    /// When the coordinator refuses.
    pub async fn heartbeat(&mut self, beat: u64) -> io::Result<()> {
        let target = format!("/v1/workers/{}/heartbeat", self.id);
        let body = HeartbeatRequest {
            incarnation: self.incarnation,
            beat,
            leases: Vec::new(),
            draining: false,
            hearing: None,
        };
        let request = self.signer.send("POST", &target, &body);
        expect(self.line.ask(&request).await?, 200).map(drop)
    }

    /// Claims up to `slots` tasks, waiting up to `wait_s` for the first.
    ///
    /// # Errors
    /// When the coordinator refuses.
    pub async fn claim(&mut self, slots: u32, wait_s: u64) -> io::Result<Vec<Granted>> {
        let request = self.claim_request(slots, wait_s);
        self.claim_with(&request).await
    }

    /// A claim that is signed beforehand.
    #[must_use]
    pub fn claim_request(&self, slots: u32, wait_s: u64) -> Vec<u8> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        let claim = ClaimRequest { worker, incarnation, token: Token::new(), free_slots: slots, wait_s };
        self.signer.send("POST", "/v1/claims", &claim)
    }

    /// Sends a claim that was signed before.
    ///
    /// # Errors
    /// When the coordinator refuses.
    pub async fn claim_with(&mut self, request: &[u8]) -> io::Result<Vec<Granted>> {
        let answer = self.line.ask(request).await?;
        if answer.status == 204 {
            return Ok(Vec::new());
        }
        Ok(read::<Grants>(&expect(answer, 200)?)?.grants)
    }

    /// Begins.
    ///
    /// # Errors
    /// When the coordinator refuses.
    pub async fn accept(&mut self, task: &Granted) -> io::Result<()> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        let accept = AcceptRequest { worker, incarnation, epoch: task.epoch, token: task.token };
        let request = self.signer.send("POST", &format!("/v1/tasks/{}/accept", task.task), &accept);
        expect(self.line.ask(&request).await?, 200).map(drop)
    }

    /// Ends well.
    ///
    /// # Errors
    /// When the coordinator refuses.
    pub async fn finish(&mut self, task: &Granted, last_seq: u64) -> io::Result<()> {
        let finish = FinishRequest {
            worker: self.id.clone(),
            incarnation: self.incarnation,
            epoch: task.epoch,
            token: task.token,
            exit: Exit::Code { code: 0 },
            failure: None,
            message: String::new(),
            last_seq,
            tail: String::new(),
            outputs: Vec::new(),
        };
        let request = self.signer.send("POST", &format!("/v1/tasks/{}/finish", task.task), &finish);
        expect(self.line.ask(&request).await?, 200).map(drop)
    }

    /// Output that is signed beforehand.
    #[must_use]
    pub fn output_request(&self, task: &Granted, records: Vec<Record>) -> Vec<u8> {
        let (worker, incarnation) = (self.id.clone(), self.incarnation);
        let batch = LogBatch { worker, incarnation, epoch: task.epoch, token: task.token, records, progress: None };
        self.signer.send("POST", &format!("/v1/tasks/{}/logs", task.task), &batch)
    }

    /// Sends what was signed before; the answer must be a good one.
    ///
    /// # Errors
    /// When it is not.
    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        expect(self.line.ask(request).await?, 200).map(drop)
    }
}

/// The answer's body, if the status is this one.
fn expect(answer: Answer, status: u16) -> io::Result<Vec<u8>> {
    if answer.status == status {
        return Ok(answer.body);
    }
    Err(io::Error::other(format!("answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body))))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    serde_json::from_slice(body).map_err(io::Error::other)
}
