//! One call of the program: its job is submitted, followed and steered, and its end is ours.

use std::ffi::OsString;

use anyhow::Context as _;
use ffleet_client::{Api, Followed, Follower};
use ffleet_protocol::{
    id::JobId,
    job::{JobSpec, Requirements, RetryPolicy},
    log::FollowRecord,
};
use futures_util::FutureExt as _;

use super::{
    Program,
    ending::{Ending, Here, STOPPED, TOO_MANY_SIGNALS, ending},
    keys::Keys,
    signals::Signals,
    steering::Steering,
    streams::{Chunks, Writer},
};
use crate::{
    commands::following::{SignsOfLife, sends_signs_of_life},
    config::Config,
    output::Output,
    screen::{self, ProgressMode},
};

/// Submits the call as a job and lives with it to its end.
pub async fn run(
    config: &Config,
    api: Api,
    out: &Output,
    program: Program,
    args: &[OsString],
) -> anyhow::Result<Ending> {
    let verbose = config.dropin.verbose;
    let note = |text: &str| {
        if verbose {
            out.note(text);
        }
    };
    let mut signals = Signals::listen().context("signals cannot be heard")?;
    let (spec, warnings) = spec(config, program, args)?;
    let key = ffleet_protocol::id::unused();
    let submitting = api.submit(&spec, &key);
    tokio::pin!(submitting);
    let mut early = Vec::new();
    let submitted = loop {
        tokio::select! {
            answer = &mut submitting => break answer?,
            signal = signals.next() => {
                // Whether the job exists is not known. If it does, nobody tells it that we live, and it is canceled.
                if !early.is_empty() {
                    return Ok(Ending::quiet(STOPPED));
                }
                early.push(signal);
            }
        }
    };
    note(&format!("job {}", submitted.id));
    for warning in warnings.iter().chain(&submitted.warnings) {
        note(&format!("warning: {warning}"));
    }
    let mut steering = Steering::new(api.clone(), submitted.id);
    for signal in early {
        steering.signal(signal);
    }
    let session = Session {
        follower: Follower::new(api.clone(), submitted.id, None),
        steering,
        signals,
        keys: Keys::listen(program, args),
        writer: Writer::default(),
        here: Here::default(),
        screen: verbose.then(|| screen::Screen::new(out, ProgressMode::Never)),
        program,
        job: submitted.id,
        _signs_of_life: sends_signs_of_life(&api, submitted.id, SignsOfLife::Later),
    };
    session.follow().await
}

/// As a program that runs here would be treated: it is not tried again when it fails, and it does not outlive its caller.
fn spec(config: &Config, program: Program, args: &[OsString]) -> anyhow::Result<(JobSpec, Vec<String>)> {
    let cwd = std::env::current_dir().context("the working directory cannot be found")?;
    let mapped = config.path_map()?.command(args, &cwd, false)?;
    let spec = JobSpec {
        program: program.name().to_owned(),
        args: mapped.args,
        cwd: mapped.cwd,
        priority: config.dropin.priority,
        labels: std::collections::BTreeMap::new(),
        needs: Requirements::default(),
        after: Vec::new(),
        monitor: true,
        queue_timeout_s: None,
        timeout_s: None,
        lease_s: None,
        retry: RetryPolicy { retries: 0, ..RetryPolicy::default() },
        rerun_stdout: false,
        identity: None,
    };
    Ok((spec, mapped.warnings))
}

struct Session<'a> {
    follower: Follower,
    steering: Steering,
    signals: Signals,
    keys: Keys,
    writer: Writer,
    here: Here,
    screen: Option<screen::Screen<'a>>,
    program: Program,
    job: JobId,
    _signs_of_life: crate::commands::following::Task<()>,
}

impl Session<'_> {
    async fn follow(mut self) -> anyhow::Result<Ending> {
        let mut end = None;
        loop {
            if let Some(outcome) = &end
                && !self.writer.is_busy()
            {
                self.here.signaled = self.steering.signaled();
                return Ok(ending(self.program, outcome, self.here));
            }
            tokio::select! {
                // What asks for the end is heard before a flood of output.
                biased;
                signal = self.signals.next() => {
                    if !self.steering.signal(signal) {
                        self.steering.abandon().await;
                        return Ok(Ending::quiet(TOO_MANY_SIGNALS));
                    }
                }
                () = self.keys.quit() => self.steering.quit(),
                error = self.steering.trouble() => {
                    self.note(&format!("what this program was told could not be passed on: {error}"));
                }
                unread = self.writer.written(), if self.writer.is_busy() => {
                    if unread {
                        // As FFmpeg, which ends when nobody reads what it writes.
                        self.here.unread = true;
                        self.steering.signal(ffleet_protocol::state::SignalKind::Terminate);
                    }
                }
                item = self.follower.next_event(), if !self.writer.is_busy() && end.is_none() => {
                    let mut chunks = Chunks::default();
                    let mut item = Some(item);
                    // What has come together is written together.
                    while let Some(next) = item.take() {
                        end = self.take(next?, &mut chunks)?;
                        if end.is_none() && !chunks.enough() {
                            item = self.follower.next_event().now_or_never();
                        }
                    }
                    self.writer.write(chunks);
                }
            }
        }
    }

    /// Takes what the follower told; the outcome, when it was that.
    fn take(
        &mut self,
        item: Option<Followed>,
        chunks: &mut Chunks,
    ) -> anyhow::Result<Option<ffleet_protocol::job::Outcome>> {
        match item {
            Some(Followed::Record(record)) => {
                self.steering.record(&record);
                let ours = match &record {
                    FollowRecord::Output { record, .. } => chunks.push(record),
                    _ => true,
                };
                if let Some(screen) = self.screen.as_mut().filter(|_| ours) {
                    screen.record(&record)?;
                }
                match record {
                    FollowRecord::Outcome { outcome, .. } => Ok(Some(outcome)),
                    _ => Ok(None),
                }
            }
            Some(Followed::Interrupted(why)) => {
                self.note(&format!("asking again: {why}"));
                Ok(None)
            }
            None => anyhow::bail!("the output of job {} ended without its outcome", self.job),
        }
    }

    fn note(&mut self, text: &str) {
        if let Some(screen) = &mut self.screen {
            screen.note(text);
        }
    }
}
