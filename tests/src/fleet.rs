//! The fleet: what a test holds, and through which it reaches everything else.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use ffleet_client::{Api, Connection, load_key};
use ffleet_protocol::{
    account::{NewAccount, Scope},
    id::{AccountId, JobId, WorkerId},
    job::{JobFilter, JobSpec, JobView},
    state::Role,
};
use ffleet_servers::{Front, HaProxy};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::{
    Coordinator, Gate, Hand, PATIENCE, Process, Proxy, Ran, Setup, SmallDisk, Wait, Worker, WorkerSetup, certificates,
    ending, orphans,
};

/// Coordinators, workers and clients in a temporary folder.
pub struct Fleet {
    parts: Parts,
    chief: Api,
    studio: Api,
    farm: Api,
    over: bool,
}

pub(crate) struct Parts {
    // Before the folder that it lies in.
    pub(crate) database_disk: Option<SmallDisk>,
    pub(crate) dir: TempDir,
    pub(crate) log_cap: Option<i64>,
    /// For how long callers repeat what is not answered.
    pub(crate) patience: Option<Duration>,
    /// HAProxy and its port.
    pub(crate) front: Option<(u16, HaProxy)>,
    /// The file, or the URL at each node.
    pub(crate) database: Vec<String>,
    pub(crate) coordinators: Vec<Coordinator>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) workers: Mutex<Vec<Worker>>,
    pub(crate) clients: Mutex<Vec<Process>>,
}

impl Parts {
    /// Where clients and workers go.
    pub(crate) fn urls(&self) -> Vec<Url> {
        match &self.front {
            Some((port, _)) => {
                let scheme = if certificates::authority(self.dir.path()).is_some() { "https" } else { "http" };
                vec![format!("{scheme}://127.0.0.1:{port}").parse().expect("a URL")]
            }
            None => self.coordinators.iter().map(Coordinator::url).collect(),
        }
    }

    /// As an account that exists, by these addresses.
    fn api(&self, urls: impl IntoIterator<Item = Url>, account: &str) -> Api {
        let api = connect(self.dir.path(), urls, account);
        match self.patience {
            Some(patience) => api.with_deadline(patience),
            None => api,
        }
    }
}

impl Fleet {
    /// One coordinator on a fresh database, and no worker.
    pub async fn start() -> Self {
        Setup::default().start().await
    }

    /// For a fleet that is to be different.
    #[must_use]
    pub fn setup() -> Setup {
        Setup::default()
    }

    pub(crate) fn of(parts: Parts) -> Self {
        let api = |name| parts.api(parts.urls(), name);
        let fleet = Self { chief: api("chief"), studio: api("studio"), farm: api("farm"), parts, over: false };
        for account in ["chief", "studio", "farm"] {
            fleet.write_client_config(account);
        }
        fleet
    }

    // ---- places

    /// The fleet's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.parts.dir.path()
    }

    /// Where everything is kept: a file, or a URL.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.parts.database[0]
    }

    /// Bytes that the coordinators keep of a log, where they were told.
    pub(crate) fn log_cap(&self) -> Option<i64> {
        self.parts.log_cap
    }

    /// The client's media folder, `$Media` for it. Workers have other names for the same files.
    #[must_use]
    pub fn media(&self) -> PathBuf {
        self.dir().join("studio")
    }

    /// A file under the media folder by which a test and the fake encoder meet.
    #[must_use]
    pub fn gate(&self, name: &str) -> Gate {
        Gate { path: self.media().join("gates").join(name), template: format!("$Media/gates/{name}") }
    }

    pub(crate) fn log_path(&self, name: &str) -> PathBuf {
        self.dir().join("logs").join(format!("{name}.log"))
    }

    // ---- who is there

    /// The first coordinator.
    #[must_use]
    pub fn coordinator(&self) -> &Coordinator {
        &self.parts.coordinators[0]
    }

    /// Every coordinator.
    #[must_use]
    pub fn coordinators(&self) -> &[Coordinator] {
        &self.parts.coordinators
    }

    /// The disk of [`Setup::small_database`].
    #[must_use]
    pub fn database_disk(&self) -> &SmallDisk {
        self.parts.database_disk.as_ref().expect("a fleet that was set up with a small database")
    }

    /// A proxy that was set up with [`Setup::proxies`], counted from 0.
    #[must_use]
    pub fn proxy(&self, n: usize) -> &Proxy {
        &self.parts.proxies[n]
    }

    /// Starts a worker with one slot and the fake encoder, and waits until it has registered.
    pub async fn worker(&self, name: &str) -> Worker {
        self.worker_with(WorkerSetup::new(name)).await
    }

    /// The same for a worker that is to be different.
    pub async fn worker_with(&self, setup: WorkerSetup) -> Worker {
        let worker = Worker::start(self.dir(), &setup, self.urls()).await;
        self.parts.workers.lock().unwrap().push(worker.clone());
        worker
    }

    /// What `ffleet-worker check` says with the configuration of such a worker.
    pub async fn worker_check(&self, setup: WorkerSetup) -> Ran {
        let process = Worker::check(self.dir(), &setup, self.urls());
        self.remember(process.clone());
        Ran::of(&process).await
    }

    /// Registers a worker that is no process: the test itself claims, reports and stays away.
    pub async fn hand(&self, name: &str, slots: u32) -> Hand {
        Hand::register(self.farm.clone(), WorkerId::new(name).unwrap(), slots).await
    }

    /// The same with tags.
    pub async fn tagged_hand(&self, name: &str, slots: u32, tags: &[&str]) -> Hand {
        Hand::register_tagged(self.farm.clone(), WorkerId::new(name).unwrap(), slots, tags).await
    }

    /// The same through proxies alone.
    pub async fn hand_via(&self, proxies: &[&Proxy], name: &str, slots: u32) -> Hand {
        Hand::register(self.api_via(proxies, "farm"), WorkerId::new(name).unwrap(), slots).await
    }

    /// Processes that have to do with this fleet, besides those it started itself; with text in their command line.
    #[must_use]
    pub fn processes_with(&self, text: &str) -> Vec<String> {
        let mut found = orphans::related_to(self.dir());
        found.retain(|line| line.contains(text));
        found
    }

    /// Waits until no process with this text in its command line has to do with this fleet.
    pub async fn gone(&self, text: &str) {
        let left = orphans::gone(self.dir(), text, PATIENCE).await;
        assert!(left.is_empty(), "still there:\n{}", left.join("\n"));
    }

    pub(crate) fn remember(&self, client: Process) {
        self.parts.clients.lock().unwrap().push(client);
    }

    // ---- the API, as different accounts

    /// As the account `studio`, a client.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.studio
    }

    /// As the account `chief`, an admin.
    #[must_use]
    pub fn chief(&self) -> &Api {
        &self.chief
    }

    /// As the account `farm`, to which the workers belong.
    #[must_use]
    pub fn farm(&self) -> &Api {
        &self.farm
    }

    /// As a new account, which gets a key file and a client configuration of its own.
    pub async fn account(&self, name: &str, role: Role, scope: Scope) -> Api {
        let id = AccountId::new(name).unwrap();
        let key = self.chief.add_account(&NewAccount { id, role, scope }).await.unwrap();
        write_key(&key_path(self.dir(), name), &format!("{}:{}\n", key.key_id, key.secret));
        self.write_client_config(name);
        self.parts.api(self.urls(), name)
    }

    /// As an account that exists, at one coordinator alone.
    #[must_use]
    pub fn api_at(&self, coordinator: usize, account: &str) -> Api {
        self.parts.api([self.parts.coordinators[coordinator].url()], account)
    }

    /// As an account that exists, through proxies alone.
    #[must_use]
    pub fn api_via(&self, proxies: &[&Proxy], account: &str) -> Api {
        self.parts.api(proxies.iter().map(|proxy| proxy.url()), account)
    }

    fn urls(&self) -> Vec<Url> {
        self.parts.urls()
    }

    /// Its configuration, as it is.
    #[must_use]
    pub fn front_config(&self) -> String {
        front_of(self.dir(), self.front_port(), &self.parts.coordinators)
    }

    /// Its port for callers.
    #[must_use]
    pub fn front_port(&self) -> u16 {
        self.parts.front.as_ref().expect("a fleet behind HAProxy").0
    }

    /// Where HAProxy listens for callers.
    #[must_use]
    pub fn front_address(&self) -> String {
        format!("127.0.0.1:{}", self.front_port())
    }

    /// HAProxy, where [`Setup::behind_haproxy`] was asked for.
    #[must_use]
    pub fn front(&self) -> &HaProxy {
        &self.parts.front.as_ref().expect("a fleet behind HAProxy").1
    }

    pub(crate) fn client_config(&self, account: &str) -> PathBuf {
        self.dir().join(format!("ffleet-{account}.toml"))
    }

    fn write_client_config(&self, account: &str) {
        let text = format!(
            "coordinators = {urls:?}\nkey_file = {key:?}\n{ca}{deadline}\n[paths]\nMedia = {media:?}\n",
            ca = certificates::ca_file(certificates::authority(self.dir()).as_deref()),
            deadline = self.parts.patience.map(|time| format!("deadline_s = {}\n", time.as_secs())).unwrap_or_default(),
            urls = self.urls().iter().map(Url::as_str).collect::<Vec<_>>(),
            key = key_path(self.dir(), account),
            media = self.media(),
        );
        fs::write(self.client_config(account), text).unwrap();
    }

    // ---- jobs

    /// Submits a job as `studio`.
    pub async fn submit(&self, spec: &JobSpec) -> JobId {
        self.studio.submit(spec, &Uuid::new_v4().to_string()).await.unwrap().id
    }

    /// Everything about a job, as an admin sees it.
    pub async fn job(&self, id: JobId) -> JobView {
        self.chief.job(id).await.unwrap()
    }

    /// Waits for something about a job by following it.
    #[must_use]
    pub fn wait(&self, id: JobId) -> Wait<'_> {
        Wait::new(self, id)
    }

    /// Cancels every job that has not ended and waits until all have: for tests that are done with them.
    pub async fn cancel_all(&self) {
        let status = Some("pending,assigned,running,canceling".to_owned());
        let filter = JobFilter { status, limit: Some(1_000), ..JobFilter::default() };
        for job in self.chief.jobs(&filter).await.unwrap().jobs {
            // It may have ended by itself meanwhile.
            let _ = self.chief.cancel(job.id).await;
            self.wait(job.id).until_done().await;
        }
    }

    /// The newest job, for those submitted by the client program.
    pub async fn newest(&self) -> JobId {
        let page = self.chief.jobs(&JobFilter::default()).await.unwrap();
        page.jobs.first().expect("a job").id
    }
}

/// An end that is not the end of a test.
impl Fleet {
    /// Stops everything and says what is left or wrong, instead of failing. Nothing can be done with the fleet after that.
    pub(crate) async fn leave(&mut self) -> Vec<String> {
        self.over = true;
        ending::stop_all(&self.parts, false).await
    }

    /// Keeps the folder, with everything in it.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.parts.dir.disable_cleanup(true);
        self.dir().to_owned()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if !self.over {
            ending::end(&self.parts);
        }
    }
}

/// The configuration of HAProxy in front of these coordinators.
pub(crate) fn front_of(dir: &Path, port: u16, coordinators: &[Coordinator]) -> String {
    let addresses = coordinators.iter().map(Coordinator::address).collect();
    let certificates = certificates::authority(dir).and_then(|file| file.parent().map(Path::to_owned));
    Front { coordinators: Some((port, addresses)), certificates, ..Front::default() }.config()
}

/// Where an account's key lies.
pub(crate) fn key_path(dir: &Path, account: &str) -> PathBuf {
    dir.join("keys").join(format!("{account}.key"))
}

fn write_key(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn connect(dir: &Path, urls: impl IntoIterator<Item = Url>, account: &str) -> Api {
    let urls = urls.into_iter().collect();
    let mut connection = Connection::new(urls, load_key(&key_path(dir, account)).unwrap());
    connection.ca_file = certificates::authority(dir);
    Api::new(connection).unwrap()
}
