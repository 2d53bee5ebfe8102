//! A coordinator that does as the test says: real HTTP, real JSON, no rules of its own but numbering. It checks no
//! signatures; those have their own tests.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ffleet_protocol::{
    id::{JobId, RequestId, TaskId, Token},
    log::{LogAnswer, LogBatch, Progress, Record},
    problem::{Code, Problem},
    state::{TaskStatus, WorkerState},
    task::{
        AcceptRequest, ClaimAnswer, ClaimRequest, Command, FinishRequest, Grant, NumberedSignal, Order, RejectRequest,
        TaskAnswer, Verdict,
    },
    template::{Arg, Template},
    worker::{HeartbeatAnswer, HeartbeatRequest, Registered, Registration},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::PATIENCE;

/// What the coordinator knows and is told to do.
#[derive(Default)]
pub struct State {
    /// Breaks every connection off.
    pub silent: bool,
    /// Grants the next claim, and breaks the connection off instead of answering.
    pub lose_claim: bool,
    /// Breaks the connection off instead of answering an accept.
    pub lose_accepts: bool,
    /// The next heartbeats are answered so.
    pub superseded: bool,
    /// What a finish is refused with, once: records from this number on are lacking.
    pub forget_from: Option<u64>,
    /// The first word about so many frames is not taken.
    pub miss_frame: Option<u64>,
    pub worker_state: Option<WorkerState>,
    pub lease_s: u64,
    pub offers: VecDeque<Grant>,
    pub tasks: BTreeMap<TaskId, Task>,
    pub registrations: Vec<Registration>,
    pub claims: Vec<ClaimRequest>,
    pub heartbeats: Vec<HeartbeatRequest>,
    pub left: bool,
    granted: BTreeMap<Token, Vec<Grant>>,
}

/// A task that was granted.
pub struct Task {
    pub grant: Grant,
    pub accepted: u32,
    pub rejected: Option<String>,
    pub order: Order,
    pub signals: Vec<NumberedSignal>,
    pub records: Vec<Record>,
    pub progress: Option<Progress>,
    pub finished: Option<FinishRequest>,
}

impl Task {
    pub fn next_seq(&self) -> u64 {
        self.records.last().map_or(1, |record| record.last_seq() + 1)
    }

    pub fn text(&self) -> String {
        let bytes = self.records.iter().filter_map(|record| record.data.bytes()).flat_map(|mut bytes| {
            bytes.push(b'\n');
            bytes
        });
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    }
}

#[derive(Clone)]
pub struct Fake {
    pub addr: SocketAddr,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

enum Reply {
    Json(String),
    Empty,
    Problem(Code, Option<u64>),
    Silence,
}

impl Reply {
    fn json(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_string(value).unwrap())
    }
}

impl Fake {
    pub async fn start(lease_s: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = State { lease_s, ..State::default() };
        let fake = Self { addr, state: Arc::new(Mutex::new(state)), changed: watch::Sender::new(0) };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        fake
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until something is so.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let looking = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(&self.lock()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never seen: {what}"))
    }

    pub async fn finished(&self, task: TaskId) -> FinishRequest {
        self.until("a finish", |state| state.tasks.get(&task)?.finished.clone()).await
    }

    /// Offers a shell script, with `args` as its `$0` and so on; the id of its task.
    pub fn script(&self, text: &str, args: &[&str]) -> TaskId {
        self.script_with(text, args, |_| {})
    }

    /// The same, with something special about it.
    pub fn script_with(&self, text: &str, args: &[&str], change: impl FnOnce(&mut Grant)) -> TaskId {
        let text = Template::literal(text).unwrap().print();
        let args: Vec<&str> =
            ["-c", std::str::from_utf8(&text).unwrap()].into_iter().chain(args.iter().copied()).collect();
        self.offer_with("sh", &args, change)
    }

    /// Offers a command; the id of its task.
    pub fn offer(&self, program: &str, args: &[&str]) -> TaskId {
        self.offer_with(program, args, |_| {})
    }

    fn offer_with(&self, program: &str, args: &[&str], change: impl FnOnce(&mut Grant)) -> TaskId {
        let command =
            Command { program: program.to_owned(), args: args.iter().map(|arg| Arg::from(*arg)).collect(), cwd: None };
        let mut grant = Grant {
            task: TaskId::new(),
            job: JobId::new(),
            epoch: 1,
            token: Token::new(),
            status: TaskStatus::Assigned,
            command,
            lease_s: self.lock().lease_s,
            timeout_s: None,
            rerun: false,
            next_seq: 1,
            stdout_max_bytes: ffleet_protocol::limits::STDOUT_BYTES,
        };
        change(&mut grant);
        let task = grant.task;
        self.change(|state| state.offers.push_back(grant));
        task
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some((method, path, body)) = request(&mut stream).await {
            let reply = if self.lock().silent { Reply::Silence } else { self.answer(&method, &path, &body).await };
            self.changed.send_modify(|count| *count += 1);
            if self.lock().silent {
                return;
            }
            let (status, kind, body) = match reply {
                Reply::Json(body) => (200, "application/json", body),
                Reply::Empty => (204, "application/json", String::new()),
                Reply::Problem(code, next_seq) => {
                    let mut problem = Problem::new(code, format!("{code}"), RequestId::new());
                    problem.next_seq = next_seq;
                    (code.status(), "application/problem+json", serde_json::to_string(&problem).unwrap())
                }
                Reply::Silence => return,
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
            if stream.get_mut().write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let parts: Vec<&str> = path.split('?').next().unwrap().trim_start_matches("/v1/").split('/').collect();
        match (method, parts.as_slice()) {
            ("PUT", ["workers", _]) => self.register(read(body)),
            ("POST", ["workers", _, "heartbeat"]) => self.heartbeat(read(body)),
            ("DELETE", ["workers", _]) => {
                self.lock().left = true;
                Reply::Empty
            }
            ("POST", ["claims"]) => self.claim(read(body)).await,
            ("POST", ["tasks", id, verb]) => self.task(id.parse().unwrap(), verb, body),
            // Watching: nothing ever rings here, so every promise rests on the heartbeat.
            ("GET", ["watch"]) => std::future::pending().await,
            other => panic!("nobody asks for {other:?}"),
        }
    }

    fn register(&self, registration: Registration) -> Reply {
        let mut state = self.lock();
        state.registrations.push(registration);
        Reply::json(&Registered {
            state: WorkerState::Online,
            heartbeat_s: 1,
            lease_s: state.lease_s,
            give_up_permille: 800,
            satisfies: 1,
            protocol: 1,
            account: None,
        })
    }

    fn heartbeat(&self, request: HeartbeatRequest) -> Reply {
        let mut state = self.lock();
        if state.superseded {
            return Reply::Problem(Code::Superseded, None);
        }
        let verdict = |lease: &ffleet_protocol::task::HeldLease| {
            let task = &state.tasks[&lease.task];
            let signals = task.signals.iter().filter(|signal| signal.number > lease.signals_seen).copied().collect();
            Verdict { task: lease.task, epoch: lease.epoch, next_seq: task.next_seq(), order: task.order, signals }
        };
        let verdicts = request.leases.iter().map(verdict).collect();
        let listed = |id: &TaskId| request.leases.iter().any(|lease| lease.task == *id);
        let held = |task: &Task| task.finished.is_none() && task.rejected.is_none() && task.order != Order::Lost;
        let strays = state.tasks.iter().filter(|(id, task)| held(task) && !listed(id));
        let unknown_to_you = strays.map(|(_, task)| task.grant.clone()).collect();
        let worker_state = state.worker_state.unwrap_or(WorkerState::Online);
        state.heartbeats.push(request);
        Reply::json(&HeartbeatAnswer { state: worker_state, verdicts, unknown_to_you, heartbeat_s: 1 })
    }

    async fn claim(&self, request: ClaimRequest) -> Reply {
        let mut changed = self.changed.subscribe();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(request.wait_s);
        self.lock().claims.push(request.clone());
        loop {
            changed.borrow_and_update();
            {
                let mut state = self.lock();
                if let Some(grants) = state.granted.get(&request.token) {
                    return Reply::json(&ClaimAnswer { grants: grants.clone() });
                }
                if let Some(mut grant) = state.offers.pop_front() {
                    grant.token = request.token;
                    let task = Task {
                        grant: grant.clone(),
                        accepted: 0,
                        rejected: None,
                        order: Order::Continue,
                        signals: Vec::new(),
                        records: Vec::new(),
                        progress: None,
                        finished: None,
                    };
                    state.tasks.insert(grant.task, task);
                    state.granted.insert(request.token, vec![grant.clone()]);
                    if std::mem::take(&mut state.lose_claim) {
                        return Reply::Silence;
                    }
                    return Reply::json(&ClaimAnswer { grants: vec![grant] });
                }
            }
            if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                return Reply::Empty;
            }
        }
    }

    fn task(&self, id: TaskId, verb: &str, body: &[u8]) -> Reply {
        let mut state = self.lock();
        let (forget_from, lose_accepts, miss_frame) = (state.forget_from, state.lose_accepts, state.miss_frame);
        let Some(task) = state.tasks.get_mut(&id) else { return Reply::Problem(Code::NoSuchTask, None) };
        match verb {
            "accept" if lose_accepts => return Reply::Silence,
            "accept" => {
                assert_eq!(read::<AcceptRequest>(body).token, task.grant.token);
                task.accepted += 1;
                task.grant.status = TaskStatus::Running;
            }
            "reject" => task.rejected = Some(read::<RejectRequest>(body).reason),
            "logs" => {
                let batch: LogBatch = read(body);
                assert!(task.accepted > 0 || batch.records.is_empty(), "output before the accept");
                if miss_frame.is_some() && batch.progress.as_ref().and_then(|progress| progress.frame) == miss_frame {
                    let next_seq = task.next_seq();
                    state.miss_frame = None;
                    return Reply::Problem(Code::LogGap, Some(next_seq));
                }
                task.progress = batch.progress.or(task.progress.take());
                for record in batch.records {
                    if record.last_seq() < task.next_seq() {
                        continue;
                    }
                    if record.seq != task.next_seq() {
                        return Reply::Problem(Code::LogGap, Some(task.next_seq()));
                    }
                    task.records.push(record);
                }
                return Reply::json(&LogAnswer { next_seq: task.next_seq() });
            }
            "finish" => {
                let finish: FinishRequest = read(body);
                if let Some(from) = forget_from {
                    task.records.retain(|record| record.seq < from);
                    state.forget_from = None;
                    return Reply::Problem(Code::LogGap, Some(from));
                }
                if finish.last_seq >= task.next_seq() {
                    return Reply::Problem(Code::LogGap, Some(task.next_seq()));
                }
                task.finished.get_or_insert(finish);
                task.grant.status = TaskStatus::Completed;
            }
            other => panic!("no such call: {other}"),
        }
        Reply::json(&TaskAnswer { status: task.grant.status, next_seq: task.next_seq(), outcome: None })
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

/// One request: method, path, body.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((method, path, body))
}
