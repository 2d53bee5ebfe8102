//! The live view: the terminal, the keys, the clock and the coordinators on one side, the model on the other.

use std::{io, time::Duration};

use crossterm::event::{Event, EventStream};
use ffleet_client::{Api, ApiError, Follower};
use ffleet_protocol::overview::{Overview, OverviewQuery};
use futures_util::StreamExt;
use jiff::Timestamp;
use ratatui::DefaultTerminal;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use super::{
    draw::{self, Colors},
    keys,
    model::{Action, Input, State},
};

/// The shortest time between two pictures: a flood of output is shown 25 times a second, not line by line.
const FRAME: Duration = Duration::from_millis(40);
/// A look or a wish that is not answered by then has failed.
const ANSWER: Duration = Duration::from_secs(10);

/// Shows the fleet until somebody has seen enough, and says with which code to end.
pub async fn run(
    api: &Api,
    title: String,
    colors: Colors,
    query: OverviewQuery,
    interval: Duration,
) -> anyhow::Result<u8> {
    // What is wrong with the configuration is better said before the screen is taken.
    let first = api.overview(&query).await?;
    let mut stops = Stops::new()?;
    let mut screen = Screen::enter()?;
    let mut keys = EventStream::new();
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut follower = None;
    let mut errands = Errands::new(api.with_deadline(Duration::ZERO).with_try_timeout(ANSWER), query);
    let (mut state, _) = State::new(title, Timestamp::now()).on(Input::Seen(Box::new(first)), Timestamp::now());
    let (mut stale, mut drawn) = (true, Instant::now() - FRAME);
    loop {
        if stale && drawn.elapsed() >= FRAME {
            screen.0.draw(|frame| draw::draw(&state, colors, frame.area(), frame.buffer_mut()))?;
            (stale, drawn) = (false, Instant::now());
        }
        let input = tokio::select! {
            // A key is heard before a flood of output is shown.
            biased;
            code = stops.stopped() => return Ok(code),
            event = keys.next() => match event {
                Some(Ok(Event::Key(event))) => match keys::key(event) {
                    Some(key) => Input::Key(key),
                    None => continue,
                },
                Some(Ok(_)) => Input::Tick,
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(0),
            },
            input = errands.done() => input?,
            _ = ticks.tick() => {
                errands.look();
                Input::Tick
            }
            () = tokio::time::sleep_until(drawn + FRAME), if stale => continue,
            input = news(&mut follower) => input,
        };
        let (next, actions) = state.on(input, Timestamp::now());
        (state, stale) = (next, true);
        for action in actions {
            match action {
                Action::Follow(job) => follower = Some(Follower::new(api.clone(), job, None)),
                Action::Unfollow => follower = None,
                Action::Quit => return Ok(0),
                Action::Look => errands.look_again(),
                Action::Cancel(_) | Action::Drain(_) | Action::Pause(_) | Action::Resume(_) => errands.run(action),
            }
        }
    }
}

/// The terminal, taken until dropped. A panic gives it back as well, before it is told.
struct Screen(DefaultTerminal);

impl Screen {
    fn enter() -> io::Result<Self> {
        // What was half done is undone: a shell in raw mode is of no use to anybody.
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Signals that end the view. Ctrl-C is a key while the terminal is ours; a signal of that kind comes from elsewhere.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one and says with which code to end: a shell's word for a death by signal.
    async fn stopped(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 0,
            _ = self.terminate.recv() => 128 + 15,
            _ = self.hangup.recv() => 128 + 1,
        }
    }
}

/// What the model wants to know and to have done, under way.
struct Errands {
    api: Api,
    query: OverviewQuery,
    tasks: JoinSet<Input>,
    looking: bool,
    /// Something has happened since the look that is under way began.
    look_again: bool,
}

impl Errands {
    fn new(api: Api, query: OverviewQuery) -> Self {
        Self { api, query, tasks: JoinSet::new(), looking: false, look_again: false }
    }

    /// Looks, unless a look is under way: a coordinator that is slow is not asked more often for it.
    fn look(&mut self) {
        if self.looking {
            return;
        }
        (self.looking, self.look_again) = (true, false);
        let (api, query) = (self.api.clone(), self.query.clone());
        self.tasks.spawn(async move { seen(api.overview(&query).await) });
    }

    /// Looks after what has happened just now.
    fn look_again(&mut self) {
        self.look_again = self.looking;
        self.look();
    }

    /// Asks the coordinators to do something.
    fn run(&mut self, action: Action) {
        let api = self.api.clone();
        match action {
            Action::Cancel(job) => self
                .ask(async move { api.cancel(job).await.map(|canceled| format!("job {job} is {}", canceled.status)) }),
            Action::Drain(worker) => self.ask(async move { api.drain(&worker).await.map(|worker| steered(&worker)) }),
            Action::Pause(worker) => self.ask(async move { api.pause(&worker).await.map(|worker| steered(&worker)) }),
            Action::Resume(worker) => self.ask(async move { api.resume(&worker).await.map(|worker| steered(&worker)) }),
            Action::Look | Action::Follow(_) | Action::Unfollow | Action::Quit => {}
        }
    }

    fn ask(&mut self, asking: impl Future<Output = Result<String, ApiError>> + Send + 'static) {
        self.tasks.spawn(async move { Input::Answered(asking.await.map_err(|error| error.to_string())) });
    }

    /// Waits for the next answer; for ever when nothing was asked.
    async fn done(&mut self) -> anyhow::Result<Input> {
        let Some(done) = self.tasks.join_next().await else { return std::future::pending().await };
        let input = done?;
        if matches!(input, Input::Seen(_) | Input::Unseen(_)) {
            self.looking = false;
            if self.look_again {
                self.look();
            }
        }
        Ok(input)
    }
}

/// Waits for news of the followed job; for ever when none is followed.
async fn news(follower: &mut Option<Follower>) -> Input {
    let Some(following) = follower else { return std::future::pending().await };
    let last = match following.next_event().await {
        Ok(Some(followed)) => return Input::Followed(Box::new(followed)),
        Ok(None) => None,
        Err(error) => Some(error.to_string()),
    };
    *follower = None;
    Input::FollowedToTheEnd(last)
}

fn seen(look: Result<Overview, ApiError>) -> Input {
    match look {
        Ok(overview) => Input::Seen(Box::new(overview)),
        Err(error) => Input::Unseen(error.to_string()),
    }
}

fn steered(worker: &ffleet_protocol::worker::WorkerView) -> String {
    format!("worker {} is {}", worker.id, worker.state)
}
