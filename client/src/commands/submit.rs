//! `ffleet submit`

use std::{collections::BTreeMap, ffi::OsString, time::Duration};

use anyhow::Context as _;
use clap::ArgAction;
use ffleet_protocol::{
    job::{JobSpec, Requirements, RetryPolicy, RetryRule, Submitted},
    state::FailureClass,
};
use serde::Serialize;

use super::{
    Context, each,
    following::{Following, OnInterrupt, SignsOfLife, interrupts},
};
use crate::{
    durations::{parse, whole_seconds},
    exit, ids,
    screen::ProgressMode,
};

const AFTER_HELP: &str = "\
Paths: an argument that is an absolute path, or file: and an absolute path, is turned into a path variable when it \
lies under a directory of [paths] in ffleet.toml, and so is the working directory: with Media = \"/mnt/media\" the \
argument /mnt/media/a.mkv travels as $Media/a.mkv, and each worker finds the file under its own directory for Media. \
Every other $ is meant literally. With --template the arguments are path templates already.

Many files: --each-file submits a job for each file, and returns. {input}, {output}, {dir}, {name}, {stem} and {ext} in \
the arguments and in --output stand for the file's path, what --output makes of it, its folder, its name, and its name's \
two halves; {{ and }} stand for braces. Arguments without {input} get -i {input} before \
them, and with --output those without {output} get it after them. The same command again submits only what is missing: a job counts as there as long \
as the coordinator keeps it, whatever came of it. All jobs of a command carry a label batch=…, by which they are waited \
for, canceled, or submitted again when they failed.

Ctrl-C, or SIGTERM, cancels the job and waits for its end; the second one stops waiting.

Exit codes: FFmpeg's own; 125 when ffleet failed, or the job failed without an exit code of its own; 130 when the \
job was canceled; 128+n when the program was killed by signal n. With --detach, and with --each-file: 0 when everything was accepted; with --wait \
as `ffleet job wait --label`.

With --json: a line {\"type\":\"submitted\",…}, then one line for each record, told apart by \"type\" (status, \
attempt, output, attempt_ended, progress, cursor), and at last {\"type\":\"outcome\",…} with exit code, signal and \
failure class.

Examples:
  ffleet submit -- -i /mnt/media/in.mkv -c:v libx264 -crf 20 /mnt/media/out.mp4
  ffleet submit --binary ffprobe -- -v error -of json -show_streams /mnt/media/in.mkv > streams.json
  ffleet submit --timeout 2h --retries 1 --label show=x --after last -- -i in.mkv out.mp4
  ffleet submit --each-file '/mnt/media/in/**/*.mkv' --output '{dir}/{stem}.mp4' -- -c:v libx264 -crf 20
  ffleet submit --each-file *.mkv --output 'small/{name}' --label show=x --wait -- -ss 10 -i {input} -an {output}
  job=$(ffleet submit --detach -- -i in.mkv out.mp4) && ffleet job wait $job";

/// Submit a command and follow it to its end
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// The program, as the workers' configuration names it
    #[arg(long, value_name = "NAME", default_value = "ffmpeg")]
    binary: String,
    /// Print the job's id and return at once
    #[arg(long, short)]
    detach: bool,
    /// Cancel the job when this program dies or loses its connection for long
    #[arg(long, overrides_with = "no_monitor")]
    monitor: bool,
    /// Let the job go on when this program dies, whatever the configuration says
    #[arg(long, overrides_with = "monitor")]
    no_monitor: bool,
    /// Higher goes first, -1000 to 1000
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true,
          value_parser = clap::value_parser!(i32).range(-1000..=1000))]
    priority: i32,
    /// A word to find the job by; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Fail when no worker has begun within this time, such as 90s, 5m, 2h30m; the coordinator looks every few seconds
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    queue_timeout: Option<Duration>,
    /// Stop an attempt, as failed, after this time
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    timeout: Option<Duration>,
    /// How long a worker may be silent before the job is given to another one
    #[arg(long, value_name = "DURATION", value_parser = parse)]
    lease: Option<Duration>,
    /// Tries after the first one, where the end is worth another try
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,
    /// Which ends are worth another try: transient, any, exit:CODE, signal:N, log:TEXT or a failure class such as
    /// input_not_found; may be repeated [default: transient]
    #[arg(long, value_name = "RULE", value_parser = retry_rule)]
    retry_on: Vec<RetryRule>,
    /// Start only when this job has completed; may be repeated
    #[arg(long, value_name = "JOB")]
    after: Vec<String>,
    /// Run only on workers with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Run only on workers where this encoder works; may be repeated
    #[arg(long, value_name = "ENCODER")]
    encoder: Vec<String>,
    /// Run only on workers with this kind of device
    #[arg(long, value_name = "KIND")]
    device: Option<String>,
    /// The arguments are path templates already: do not turn paths into variables and do not escape $
    #[arg(long)]
    template: bool,
    /// Run again even when standard output was shown already; it is then shown only when an attempt has ended well
    #[arg(long)]
    rerun_stdout: bool,
    /// Submitting twice with the same key and the same arguments makes one job
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Whether to show progress
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    progress: ProgressMode,
    #[command(flatten)]
    each: each::ManyFiles,
    /// The program's arguments
    #[arg(last = true, required_unless_present = "files", action = ArgAction::Append, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// The first line of `--json`.
#[derive(Serialize)]
struct SubmittedLine<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    submitted: &'a Submitted,
}

/// Runs the command.
pub async fn run(context: &Context<'_>, args: Args) -> anyhow::Result<u8> {
    let Context { api, out, .. } = context;
    let (detach, progress) = (args.detach, args.progress);
    let common = common(context, &args).await?;
    if !args.each.files.is_empty() {
        return each::run(context, args.each, &args.args, common, progress).await;
    }
    let key = args.idempotency_key.unwrap_or_else(ffleet_protocol::id::unused);
    let cwd = std::env::current_dir().context("the working directory cannot be found")?;
    let mapped = context.config.path_map()?.command(&args.args, &cwd, args.template)?;
    let warnings = mapped.warnings;
    let spec = JobSpec { args: mapped.args, cwd: mapped.cwd, ..common };

    // From here on Ctrl-C is ours: a job that may exist already is canceled, not left behind.
    let mut signals = interrupts()?;
    let mut interrupted = false;
    let submitting = api.submit(&spec, &key);
    tokio::pin!(submitting);
    let mut submitted = loop {
        tokio::select! {
            answer = &mut submitting => match answer {
                Ok(submitted) => break submitted,
                Err(error) => {
                    // They may be the reason.
                    warnings.iter().for_each(|warning| out.note(&format!("warning: {warning}")));
                    return Err(error.into());
                }
            },
            _ = signals.recv() => {
                if interrupted {
                    out.note("no longer waiting; the job may have been submitted, see `ffleet job list`");
                    return Ok(exit::CANCELED);
                }
                interrupted = true;
                out.note("the job is being submitted and will be canceled; press Ctrl-C again to stop waiting");
            }
        }
    };
    submitted.warnings.splice(0..0, warnings);
    ids::remember(submitted.id);
    if out.json() {
        out.json_line(&SubmittedLine { r#type: "submitted", submitted: &submitted })?;
    }
    for warning in &submitted.warnings {
        out.note(&format!("warning: {warning}"));
    }
    if detach && !interrupted {
        if !out.json() {
            out.show(&submitted)?;
        }
        if spec.monitor {
            out.note("the job is monitored and nobody follows it: it is canceled unless somebody attaches soon");
        }
        return Ok(0);
    }
    if !out.json() {
        out.note(&format!("job {}", submitted.id));
    }
    let following = Following {
        api,
        out,
        job: submitted.id,
        after: None,
        progress,
        signs_of_life: spec.monitor.then_some(SignsOfLife::Later),
        on_interrupt: OnInterrupt::Cancel,
    };
    let end = following.run(&mut signals, interrupted).await;
    Ok(end
        .with_context(|| {
            format!("job {} goes on; `ffleet job attach {}` follows it again", submitted.id, submitted.id)
        })?
        .code())
}

/// The job without its arguments.
async fn common(context: &Context<'_>, args: &Args) -> anyhow::Result<JobSpec> {
    let rules = if args.retry_on.is_empty() { RetryPolicy::default().on } else { args.retry_on.clone() };
    let many = !args.each.files.is_empty();
    Ok(JobSpec {
        program: args.binary.clone(),
        args: Vec::new(),
        cwd: None,
        priority: args.priority,
        labels: args.label.iter().cloned().collect::<BTreeMap<_, _>>(),
        needs: Requirements {
            tags: args.tag.iter().cloned().collect(),
            encoders: args.encoder.iter().cloned().collect(),
            device: args.device.clone(),
        },
        after: ids::resolve_all(&context.api, &args.after).await?,
        // Nobody follows many files.
        monitor: !many && !args.no_monitor && (args.monitor || (context.config.monitor && !args.detach)),
        queue_timeout_s: args.queue_timeout.map(whole_seconds),
        timeout_s: args.timeout.map(whole_seconds),
        lease_s: args.lease.map(whole_seconds),
        retry: RetryPolicy { retries: args.retries, on: rules },
        rerun_stdout: args.rerun_stdout,
        identity: None,
    })
}

/// `KEY=VALUE`, as one text.
pub fn labelled(text: &str) -> Result<String, String> {
    label(text).map(|_| text.to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as KEY=VALUE".to_owned()),
    }
}

fn retry_rule(text: &str) -> Result<RetryRule, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a number"));
    match text.split_once(':') {
        Some(("exit", code)) => number(code).map(RetryRule::ExitCode),
        Some(("signal", signal)) => number(signal).map(RetryRule::Signal),
        Some(("log", words)) if !words.is_empty() => Ok(RetryRule::LogContains(words.to_owned())),
        Some(_) => Err("expected exit:CODE, signal:N or log:TEXT".to_owned()),
        None => match text {
            "transient" => Ok(RetryRule::Transient),
            "any" => Ok(RetryRule::Any),
            class => class.parse::<FailureClass>().map(RetryRule::Class).map_err(|error| {
                format!("expected transient, any, exit:CODE, signal:N, log:TEXT or a failure class: {error}")
            }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_rules_are_read() {
        assert_eq!(label("show=a=b"), Ok(("show".to_owned(), "a=b".to_owned())));
        assert!(label("show").is_err() && label("=x").is_err());
        for (text, rule) in [
            ("any", RetryRule::Any),
            ("transient", RetryRule::Transient),
            ("exit:1", RetryRule::ExitCode(1)),
            ("signal:9", RetryRule::Signal(9)),
            ("log:No space: left", RetryRule::LogContains("No space: left".to_owned())),
            ("disk_full", RetryRule::Class(FailureClass::DiskFull)),
        ] {
            assert_eq!(retry_rule(text), Ok(rule));
        }
        assert!(retry_rule("exit:x").is_err() && retry_rule("sometimes").is_err() && retry_rule("log:").is_err());
    }
}
