//! One connection through a proxy: request after request, with whatever is to happen to each.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use super::{
    faults::{Answered, Shared, Traffic, Way},
    http::{AnswerHead, Body, Malformed, RequestHead},
    rules::{Act, Kept, Rule},
};

/// Why a connection is at its end.
pub(super) enum Over {
    /// One side has gone, or one of them made no sense.
    Closed,
    /// It was to be cut here.
    Cut,
    /// Nobody took it on.
    Unreachable,
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl From<Malformed> for Over {
    fn from(_: Malformed) -> Self {
        Self::Closed
    }
}

/// Something that happened on either side.
enum Heard {
    Client,
    Upstream,
    ClientGone,
    UpstreamGone,
}

struct Connection {
    shared: Arc<Shared>,
    client: TcpStream,
    upstream: Option<TcpStream>,
    from_client: BytesMut,
    from_upstream: BytesMut,
    /// Some of its bytes were thrown away, so none may follow them.
    torn: [bool; 2],
}

/// Takes a connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, client: TcpStream) {
    let mut plan = shared.plan.subscribe();
    let generation = plan.borrow_and_update().generation;
    shared.done.send_modify(|done| done.connections += 1);
    let mut connection = Connection {
        shared: Arc::clone(&shared),
        client,
        upstream: None,
        from_client: BytesMut::new(),
        from_upstream: BytesMut::new(),
        torn: [false; 2],
    };
    // What a caller writes goes on at once, as without anybody in between.
    let _ = connection.client.set_nodelay(true);
    let reset = async {
        // The sender lives as long as `shared`.
        let _ = plan.wait_for(|plan| plan.generation != generation).await;
    };
    let over = tokio::select! {
        () = reset => None,
        Err(over) = connection.exchanges() => Some(over),
    };
    match over {
        Some(Over::Closed) => {}
        Some(Over::Cut) => shared.count(|faults| &mut faults.cut),
        Some(Over::Unreachable) => shared.count(|faults| &mut faults.unreachable),
        None => {
            for side in [Some(&connection.client), connection.upstream.as_ref()].into_iter().flatten() {
                let _ = side.set_zero_linger();
            }
            drop(connection);
            shared.count(|faults| &mut faults.reset);
        }
    }
}

impl Connection {
    async fn exchanges(&mut self) -> Result<Infallible, Over> {
        loop {
            match self.request_head().await? {
                Some(head) => self.exchange(head).await?,
                None => return self.tunnel().await,
            }
        }
    }

    /// Nothing when it is no HTTP.
    async fn request_head(&mut self) -> Result<Option<RequestHead>, Over> {
        loop {
            if !self.from_client.is_empty() {
                match RequestHead::of(&self.from_client) {
                    Ok(Some(head)) => return Ok(Some(head)),
                    Ok(None) => {}
                    Err(Malformed) => return Ok(None),
                }
            }
            if let Heard::ClientGone | Heard::UpstreamGone = self.hear().await? {
                return Err(Over::Closed);
            }
        }
    }

    async fn exchange(&mut self, head: RequestHead) -> Result<(), Over> {
        self.shared.done.send_modify(|done| done.exchanges += 1);
        let Some(rule) = self.shared.rule_for(&head.method, &head.path) else {
            let (method, path) = (head.method.clone(), head.path.clone());
            self.forward_request(head).await?;
            return self.forward_answer(method, path).await;
        };
        let method = head.method.clone();
        let request = self.whole_request(head).await.inspect_err(|_| rule.give_back())?;
        let done = self.suffer(&rule, method, request).await;
        match &done {
            // It did not come to that.
            Err(Over::Unreachable) => rule.give_back(),
            Ok(()) | Err(_) => rule.note(),
        }
        done
    }

    /// What a rule does to this request.
    async fn suffer(&mut self, rule: &Rule, method: String, request: Bytes) -> Result<(), Over> {
        match rule.act() {
            Act::LoseAnswer => {
                let (status, _) = self.delivered(&method, &request, Extent::Sized).await.ok_or(Over::Unreachable)?;
                rule.note_status(status);
                self.shared.count(|faults| &mut faults.lost);
                Err(Over::Closed)
            }
            Act::Repeat { times, answer, at_once } => {
                let mut answers = Vec::new();
                if at_once {
                    let all = (0..times).map(|_| self.delivered(&method, &request, Extent::Whole));
                    answers = join_all(all).await;
                } else {
                    for _ in 0..times {
                        answers.push(self.delivered(&method, &request, Extent::Whole).await);
                    }
                }
                let mut chosen = None;
                for (n, delivered) in answers.into_iter().enumerate() {
                    let (status, bytes) = delivered.ok_or(Over::Unreachable)?;
                    if n == answer {
                        chosen = Some(bytes);
                    } else {
                        rule.note_status(status);
                        self.shared.count(|faults| &mut faults.repeated);
                    }
                }
                self.pass(Way::Answer, &chosen.unwrap_or_default()).await
            }
            Act::Keep => {
                self.keep(method, request, rule);
                Err(Over::Closed)
            }
            Act::Record => {
                let (_, answer) = self.delivered(&method, &request, Extent::Whole).await.ok_or(Over::Unreachable)?;
                self.keep(method, request, rule);
                self.pass(Way::Answer, &answer).await
            }
            Act::Cut { way: Way::Request, after } => {
                self.reach().await?;
                let part = usize::try_from(after).unwrap_or(usize::MAX).min(request.len());
                self.pass(Way::Request, &request[..part]).await?;
                Err(Over::Cut)
            }
            Act::Cut { way: Way::Answer, after } => {
                let (status, answer) =
                    self.delivered(&method, &request, Extent::Sized).await.ok_or(Over::Unreachable)?;
                rule.note_status(status);
                let part = usize::try_from(after).unwrap_or(usize::MAX).min(answer.len());
                self.pass(Way::Answer, &answer[..part]).await?;
                Err(Over::Cut)
            }
        }
    }

    fn keep(&self, method: String, bytes: Bytes, rule: &Rule) {
        self.shared.kept.lock().unwrap().push(Kept { method, bytes, rule: rule.clone() });
        self.shared.count(|faults| &mut faults.kept);
    }

    async fn whole_request(&mut self, head: RequestHead) -> Result<Bytes, Over> {
        let mut body = head.body;
        let mut whole = self.from_client.split_to(head.len);
        while !body.is_over() {
            self.hear_client().await?;
            let part = body.take(&self.from_client)?;
            whole.extend_from_slice(&self.from_client.split_to(part));
        }
        Ok(whole.freeze())
    }

    async fn forward_request(&mut self, head: RequestHead) -> Result<(), Over> {
        self.reach().await?;
        let start = self.from_client.split_to(head.len);
        self.pass(Way::Request, &start).await?;
        let mut body = head.body;
        while !body.is_over() {
            self.hear_client().await?;
            let part = body.take(&self.from_client)?;
            let piece = self.from_client.split_to(part);
            match self.pass(Way::Request, &piece).await {
                // It may have answered before it had read everything.
                Err(Over::Closed) => return Ok(()),
                passed => passed?,
            }
        }
        Ok(())
    }

    async fn forward_answer(&mut self, method: String, path: String) -> Result<(), Over> {
        let mut body = Body::Over;
        let mut begun = false;
        loop {
            if !begun && let Some(head) = AnswerHead::of(&self.from_upstream, &method)? {
                let start = self.from_upstream.split_to(head.len);
                self.pass(Way::Answer, &start).await?;
                begun = head.status >= 200;
                if begun {
                    let answered = Answered { method: method.clone(), path: path.clone(), status: head.status };
                    self.shared.done.send_modify(|done| done.answers.push(answered));
                }
                body = head.body;
            }
            if begun && !self.from_upstream.is_empty() {
                let part = body.take(&self.from_upstream)?;
                let piece = self.from_upstream.split_to(part);
                self.pass(Way::Answer, &piece).await?;
            }
            if begun && body.is_over() {
                return Ok(());
            }
            match self.hear().await? {
                Heard::Client | Heard::Upstream => {}
                Heard::ClientGone | Heard::UpstreamGone => return Err(Over::Closed),
            }
        }
    }

    /// Bytes pass as they come.
    async fn tunnel(&mut self) -> Result<Infallible, Over> {
        self.reach().await?;
        loop {
            let (request, answer) = (self.from_client.split(), self.from_upstream.split());
            self.pass(Way::Request, &request).await?;
            self.pass(Way::Answer, &answer).await?;
            if let Heard::ClientGone | Heard::UpstreamGone = self.hear().await? {
                return Err(Over::Closed);
            }
        }
    }

    /// Lets bytes pass as the plan says.
    async fn pass(&mut self, way: Way, bytes: &[u8]) -> Result<(), Over> {
        if bytes.is_empty() {
            return Ok(());
        }
        match self.shared.traffic(way) {
            Traffic::Pass => {}
            Traffic::Delay(time) => {
                self.shared.count(|faults| &mut faults.delayed);
                tokio::time::sleep_until(Instant::now() + time).await;
            }
            Traffic::Hold => {
                self.shared.count(|faults| &mut faults.held);
                let mut plan = self.shared.plan.subscribe();
                // The sender lives as long as `shared`.
                let _ = plan.wait_for(|plan| plan.traffic[way as usize] != Traffic::Hold).await;
            }
            Traffic::Swallow => self.torn[way as usize] = true,
        }
        if self.torn[way as usize] {
            self.shared.count(|faults| &mut faults.swallowed);
            return Ok(());
        }
        let cut = self.shared.spend(way, bytes.len());
        let part = &bytes[..cut.unwrap_or(bytes.len())];
        match way {
            Way::Request => self.upstream.as_mut().ok_or(Over::Unreachable)?.write_all(part).await?,
            Way::Answer => self.client.write_all(part).await?,
        }
        if cut.is_some() { Err(Over::Cut) } else { Ok(()) }
    }

    /// Connects to the other side, unless that has happened.
    async fn reach(&mut self) -> Result<(), Over> {
        if self.upstream.is_none() {
            let address = self.shared.plan.borrow().upstream;
            self.upstream = Some(connect(address).await.ok_or(Over::Unreachable)?);
        }
        Ok(())
    }

    /// Brings a whole request to the other side on a connection of its own.
    async fn delivered(&self, method: &str, request: &[u8], extent: Extent) -> Option<(u16, Bytes)> {
        let address = self.shared.plan.borrow().upstream;
        deliver(address, method, request, extent).await
    }

    /// Waits until there are bytes of the caller's.
    async fn hear_client(&mut self) -> Result<(), Over> {
        while self.from_client.is_empty() {
            if self.client.read_buf(&mut self.from_client).await? == 0 {
                return Err(Over::Closed);
            }
        }
        Ok(())
    }

    /// Waits for anything from either side.
    async fn hear(&mut self) -> io::Result<Heard> {
        let Self { client, upstream, from_client, from_upstream, .. } = self;
        let other = async {
            match upstream {
                Some(upstream) => upstream.read_buf(from_upstream).await,
                None => std::future::pending().await,
            }
        };
        // What the other side still had to say comes before the caller's going.
        tokio::select! {
            biased;
            read = other => Ok(if read? == 0 { Heard::UpstreamGone } else { Heard::Upstream }),
            read = client.read_buf(from_client) => Ok(if read? == 0 { Heard::ClientGone } else { Heard::Client }),
        }
    }
}

/// How much of an answer is waited for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// All of it if its length is known at its start; of a stream, which may never end, only the head.
    Sized,
}

async fn connect(address: Option<SocketAddr>) -> Option<TcpStream> {
    let stream = TcpStream::connect(address?).await.ok()?;
    // As above.
    let _ = stream.set_nodelay(true);
    Some(stream)
}

/// Brings a request to `address`; gives the answer's status and all its bytes.
pub(super) async fn deliver(
    address: Option<SocketAddr>,
    method: &str,
    request: &[u8],
    extent: Extent,
) -> Option<(u16, Bytes)> {
    let mut stream = connect(address).await?;
    stream.write_all(request).await.ok()?;
    let mut bytes = BytesMut::new();
    let head = loop {
        match AnswerHead::of(&bytes, method).ok()? {
            Some(head) if head.status >= 200 => break head,
            Some(head) => drop(bytes.split_to(head.len)),
            None if stream.read_buf(&mut bytes).await.ok()? == 0 => return None,
            None => {}
        }
    };
    let AnswerHead { status, len, mut body } = head;
    let mut seen = len;
    while (extent == Extent::Whole || body.is_sized()) && !body.is_over() {
        if bytes.len() == seen && stream.read_buf(&mut bytes).await.ok()? == 0 {
            return matches!(body, Body::ToTheEnd).then(|| (status, bytes.freeze()));
        }
        seen += body.take(&bytes[seen..]).ok()?;
    }
    bytes.truncate(seen);
    Some((status, bytes.freeze()))
}
