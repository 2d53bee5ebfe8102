//! Connections that are lost while a commit is on its way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use ffleet_protocol::{id::JobId, state::JobStatus};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{actor, decided, happen, holder, new_job, nodes, nodes::Nodes, spec};
use crate::{domain::Event, store::Store};

/// Cuts connections at COMMIT.
#[derive(Default)]
struct Cutter {
    /// Whether it does.
    armed: AtomicBool,
    /// Whether COMMIT still reaches the server.
    delivers: AtomicBool,
    cuts: AtomicUsize,
}

impl Cutter {
    /// Listens in front of the server of `url`; gives the URL that leads through here.
    async fn before(self: &Arc<Self>, url: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url: url::Url = url.parse().unwrap();
        let server = format!("127.0.0.1:{}", url.port().unwrap());
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let cutter = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (cutter, server) = (cutter.clone(), server.clone());
                tokio::spawn(async move { cutter.pass_on(client, &server).await });
            }
        });
        // What the test looks for in the stream must be readable.
        url.query_pairs_mut().append_pair("ssl-mode", "DISABLED");
        url.into()
    }

    async fn pass_on(&self, client: TcpStream, server: &str) -> std::io::Result<()> {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
        let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let n = from_client.read(&mut bytes).await?;
            let cut = self.armed.load(Ordering::SeqCst) && bytes[..n].windows(6).any(|part| part == b"COMMIT");
            if cut {
                // Its answer goes nowhere.
                answers.abort();
                self.cuts.fetch_add(1, Ordering::SeqCst);
            }
            if n == 0 || cut && !self.delivers.load(Ordering::SeqCst) {
                return Ok(());
            }
            to_server.write_all(&bytes[..n]).await?;
            if cut {
                // The server has it by now; that it ends before the connection does is not certain, and need not be.
                self.armed.store(false, Ordering::SeqCst);
                return Ok(());
            }
        }
    }
}

/// Whether COMMIT was lost or its answer: what was asked for happens once, and the caller learns the truth.
async fn an_unknown_outcome_is_found_out(url: &str) {
    let cutter = Arc::new(Cutter::default());
    let through = cutter.before(url).await;
    let (direct, store) = (Store::open(url).await.unwrap(), Nodes::of(vec![Store::open(&through).await.unwrap()]));
    for delivers in [true, false] {
        cutter.delivers.store(delivers, Ordering::SeqCst);
        let before = cutter.cuts.load(Ordering::SeqCst);
        let job = new_job(spec(), 1, 1);
        let id: JobId = job.id;
        let commit = job.commit(&actor(), store.now().await.unwrap());
        cutter.armed.store(true, Ordering::SeqCst);
        let disarm = async {
            // Where nothing is delivered, the cutter goes on until it is told.
            while cutter.cuts.load(Ordering::SeqCst) < before + 2 {
                tokio::task::yield_now().await;
            }
            cutter.armed.store(false, Ordering::SeqCst);
        };
        let submitted =
            if delivers { store.commit(commit).await } else { tokio::join!(store.commit(commit), disarm).0 };
        submitted.unwrap();
        assert!(cutter.cuts.load(Ordering::SeqCst) > before, "the test did cut");
        assert_eq!(direct.seen_job(id).await.unwrap().unwrap().job.status, JobStatus::Pending);
        // A claim whose answer was lost is this claim's, and nobody else's.
        cutter.delivers.store(true, Ordering::SeqCst);
        let seen = store.seen_job(id).await.unwrap().unwrap();
        let claim = decided(&seen, &Event::Claimed { holder: holder("box") });
        cutter.armed.store(true, Ordering::SeqCst);
        store.commit(claim).await.unwrap();
        let late = decided(&seen, &Event::Claimed { holder: holder("late") });
        assert!(super::conflict(&store.commit(late).await).is_some());
        let quote = super::quote(&holder("box"), 1);
        let after = store.seen_job(id).await.unwrap().unwrap();
        assert_eq!((after.tasks[0].task.epoch, quote.worker.as_str()), (1, "box"));
        let cancel =
            Event::CancelRequested { by: "alice".to_owned(), reason: ffleet_protocol::state::CancelReason::Requested };
        happen(&store, id, &cancel).await;
    }
}

#[tokio::test]
async fn mariadb() {
    an_unknown_outcome_is_found_out(&nodes::mariadb().await).await;
}

#[tokio::test]
async fn galera() {
    an_unknown_outcome_is_found_out(&nodes::galera().await[1]).await;
}
