//! A proxy between the parts of a fleet that does to their connections what networks do: it holds, delays and cuts them,
//! loses an answer after the coordinator has committed, delivers a request twice or late.
//!
//! ```no_run
//! # use ffleet_tests::{Proxy, Way};
//! # async fn story(proxy: Proxy) {
//! let lost = proxy.on("POST", "/v1/jobs").lose_answer(); // of the next submit, whoever sends it
//! // … submit through the proxy …
//! lost.happened().await;
//! assert_eq!(lost.statuses(), [201]);
//! proxy.hold(&[Way::Request, Way::Answer]); // as if the cable were cut
//! proxy.heal(); // and mended: what waited arrives now
//! # }
//! ```
//!
//! It speaks HTTP/1.1 as far as it must to tell one request from the next; other protocols pass as bytes. It runs on a
//! thread of its own, so that it goes on while a test is busy or at its end.

mod connection;
mod faults;
mod http;
mod rules;
#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::net::{TcpListener, TcpSocket};
use url::Url;

use self::{
    connection::{Extent, deliver},
    faults::Shared,
};
pub use self::{
    faults::{Answered, Faults, Traffic, Way},
    rules::{On, Rule},
};
use crate::PATIENCE;

/// How many connections may wait to be taken on.
const BACKLOG: u32 = 1_024;

/// A proxy; clones are the same one. It ends with the last of them.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Bound and never listening: it keeps the port while the proxy refuses connections.
    _port: TcpSocket,
}

impl Proxy {
    /// A proxy on a free port, with nobody behind it yet: see [`Self::forward_to`].
    #[must_use]
    pub fn start() -> Self {
        let port = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = port.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::Builder::new()
            .name(format!("proxy-{}", address.port()))
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(listen(serving, address));
            })
            .expect("a thread");
        let proxy = Self(Arc::new(Inner { shared, address, _port: port }));
        proxy.until_listening(true);
        proxy
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The same, as callers write it.
    #[must_use]
    pub fn url(&self) -> Url {
        format!("http://{}", self.0.address).parse().expect("an address is a URL's authority")
    }

    /// New connections lead there from now on; those that are open stay where they are.
    pub fn forward_to(&self, upstream: SocketAddr) {
        self.0.shared.plan.send_modify(|plan| plan.upstream = Some(upstream));
    }

    // ---- what happens to every connection

    /// Everything passes again and no rule is left. What was held passes now; requests kept back stay back.
    pub fn heal(&self) {
        self.0.shared.plan.send_modify(|plan| {
            plan.refuses = false;
            plan.traffic = Default::default();
            plan.budget = Default::default();
            plan.rules.clear();
        });
        self.until_listening(true);
    }

    /// What happens to the bytes of one direction, on connections that are open and on new ones.
    pub fn traffic(&self, way: Way, traffic: Traffic) {
        self.0.shared.plan.send_modify(|plan| plan.traffic[way as usize] = traffic);
    }

    /// Nothing passes in these directions until [`Self::heal`]; then it arrives, late.
    pub fn hold(&self, ways: &[Way]) {
        ways.iter().for_each(|way| self.traffic(*way, Traffic::Hold));
    }

    /// Everything in these directions is accepted and never arrives, even after [`Self::heal`], which is for new
    /// connections.
    pub fn swallow(&self, ways: &[Way]) {
        ways.iter().for_each(|way| self.traffic(*way, Traffic::Swallow));
    }

    /// Every piece of these directions comes so much later.
    pub fn delay(&self, ways: &[Way], time: Duration) {
        ways.iter().for_each(|way| self.traffic(*way, Traffic::Delay(time)));
    }

    /// Whichever connection carries the byte after the next `bytes` in this direction ends there. It happens once.
    pub fn cut_after(&self, way: Way, bytes: u64) {
        self.0.shared.plan.send_modify(|plan| plan.budget[way as usize] = Some(bytes));
    }

    /// Every connection that is open is reset (RST) on both sides.
    pub fn reset(&self) {
        self.0.shared.plan.send_modify(|plan| plan.generation += 1);
    }

    /// New connections are refused by the kernel until [`Self::heal`]; those that are open go on.
    pub fn refuse(&self) {
        self.0.shared.plan.send_modify(|plan| plan.refuses = true);
        self.until_listening(false);
    }

    // ---- what happens to single requests

    /// The next request with this method (`*` for any) and path, in which `*` stands for a segment and a last `**` for
    /// any number of them. Of several orders that fit, the oldest that is not used up takes the request.
    pub fn on(&self, method: &str, path: &str) -> On<'_> {
        On::new(&self.0.shared, method, path)
    }

    /// Takes back every order of [`Self::on`] that has not happened.
    pub fn forget_rules(&self) {
        self.0.shared.plan.send_modify(|plan| plan.rules.clear());
    }

    /// Lets every request arrive that was kept back ([`On::keep`]), in the order in which they came; gives the statuses
    /// of the answers, which nobody else sees.
    pub async fn deliver_late(&self) -> Vec<u16> {
        let kept = std::mem::take(&mut *self.0.shared.kept.lock().unwrap());
        let upstream = self.0.shared.plan.borrow().upstream;
        let mut statuses = Vec::new();
        for request in kept {
            let delivered = deliver(upstream, &request.method, &request.bytes, Extent::Sized).await;
            let (status, _) = delivered.expect("an answer to a request delivered late");
            self.0.shared.count(|faults| &mut faults.late);
            request.rule.note_status(status);
            statuses.push(status);
        }
        statuses
    }

    // ---- what has happened

    /// How often each fault has happened.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.0.shared.done.borrow().faults
    }

    /// How many connections were taken on.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.0.shared.done.borrow().connections
    }

    /// How many requests have begun to come through.
    #[must_use]
    pub fn exchanges(&self) -> u64 {
        self.0.shared.done.borrow().exchanges
    }

    /// Every answer that was passed on since the proxy was started, in their order.
    #[must_use]
    pub fn answers(&self) -> Vec<Answered> {
        self.0.shared.done.borrow().answers.clone()
    }

    /// Waits until the faults are as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Faults) -> bool) {
        let mut done = self.0.shared.done.subscribe();
        let waiting = done.wait_for(|done| wanted(&done.faults));
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "the proxy had no {what} within {PATIENCE:?}: {:?}", self.faults());
    }

    /// The thread does that on its own, at once.
    fn until_listening(&self, wanted: bool) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.0.shared.done.borrow().listens != wanted {
            assert!(std::time::Instant::now() < deadline, "the proxy's thread does not answer");
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.plan.send_modify(|plan| plan.over = true);
    }
}

/// A socket that shares its port with others of ours.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).expect("a socket option of this kernel");
    socket.bind(address).unwrap_or_else(|error| panic!("cannot use {address}: {error}"));
    socket
}

/// Takes connections on, as long as they are wanted.
async fn listen(shared: Arc<Shared>, address: SocketAddr) {
    let mut plan = shared.plan.subscribe();
    let mut listener: Option<TcpListener> = None;
    loop {
        let (over, refuses) = {
            let plan = plan.borrow_and_update();
            (plan.over, plan.refuses)
        };
        if over {
            return;
        }
        if refuses == listener.is_some() {
            listener = (!refuses).then(|| socket(address).listen(BACKLOG).expect("a listening socket"));
            shared.done.send_modify(|done| done.listens = !refuses);
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The sender lives as long as `shared`.
            _ = plan.changed() => {}
            Ok((client, _)) = accepted => drop(tokio::spawn(connection::serve(Arc::clone(&shared), client))),
        }
    }
}
