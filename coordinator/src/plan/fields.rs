//! Everything about a job but its arguments: sizes, ranges and spellings.

use std::{collections::BTreeSet, ops::RangeInclusive};

use ffleet_protocol::{
    job::{JobSpec, RetryRule},
    limits,
    problem::Code,
    state::FailureClass,
};

use super::{Rules, hint::did_you_mean, trouble::Troubles};

const PRIORITY: RangeInclusive<i32> = -1000..=1000;
/// A second to a year.
const TIMEOUT_S: RangeInclusive<u64> = 1..=365 * 24 * 3600;
/// Shorter leases lapse falsely on a busy machine.
const LEASE_S: RangeInclusive<u64> = 6..=limits::LEASE_S;
const RETRIES: u32 = 100;
const RETRY_RULES: usize = 32;
const PATTERN_BYTES: usize = 1024;
/// Real-time signals end at 64.
const SIGNALS: RangeInclusive<i32> = 1..=64;
const NEEDED_WORDS: usize = 32;
const WORD_BYTES: usize = 64;

/// Whether the program may be named.
pub(super) fn program(spec: &JobSpec, rules: &Rules, troubles: &mut Troubles) {
    let known = || rules.programs.iter().map(String::as_str);
    let list = known().collect::<Vec<_>>().join(", ");
    if spec.program.is_empty() {
        troubles.field("program", format!("it is empty; allowed are {list}"));
    } else if !rules.programs.contains(&spec.program) {
        let name: String = spec.program.chars().filter(|c| !c.is_control()).take(WORD_BYTES).collect();
        let guess = did_you_mean(&name, known(), "");
        let detail = if list.is_empty() {
            "no program is allowed here; the coordinator's limits.programs is empty".to_owned()
        } else {
            format!("`{name}` is not allowed here{guess}; allowed are {list}")
        };
        troubles.add(Code::UnknownProgram, "program", detail);
    }
}

/// The rest.
pub(super) fn check(spec: &JobSpec, troubles: &mut Troubles) {
    if !PRIORITY.contains(&spec.priority) {
        troubles.field("priority", format!("{} is outside -1000 to 1000", spec.priority));
    }
    labels(spec, troubles);
    if let Some(identity) = &spec.identity
        && !((1..=limits::IDENTITY_BYTES).contains(&identity.len()) && identity.bytes().all(|b| b.is_ascii_graphic()))
    {
        let most = limits::IDENTITY_BYTES;
        troubles
            .field("identity", format!("expected 1 to {most} visible ASCII characters, such as a hash in hexadecimal"));
    }
    words("needs.tags", &spec.needs.tags, troubles);
    words("needs.encoders", &spec.needs.encoders, troubles);
    if let Some(device) = &spec.needs.device
        && let Some(why) = bad_word(device)
    {
        troubles.field("needs.device", why);
    }
    if spec.after.len() > limits::AFTER {
        troubles.field("after", format!("{} jobs; at most {} can be waited for", spec.after.len(), limits::AFTER));
    }
    seconds("queue_timeout_s", spec.queue_timeout_s, &TIMEOUT_S, "leave it away for no limit", troubles);
    seconds("timeout_s", spec.timeout_s, &TIMEOUT_S, "leave it away for no limit", troubles);
    seconds("lease_s", spec.lease_s, &LEASE_S, "leave it away for the coordinator's own", troubles);
    retry(spec, troubles);
}

fn seconds(field: &str, value: Option<u64>, allowed: &RangeInclusive<u64>, otherwise: &str, troubles: &mut Troubles) {
    if let Some(value) = value
        && !allowed.contains(&value)
    {
        let (least, most) = (allowed.start(), allowed.end());
        troubles.field(field, format!("{value} is outside {least} to {most} seconds; {otherwise}"));
    }
}

fn labels(spec: &JobSpec, troubles: &mut Troubles) {
    if spec.labels.len() > limits::LABELS {
        troubles.field("labels", format!("{} labels; at most {} are taken", spec.labels.len(), limits::LABELS));
        return;
    }
    for (key, value) in &spec.labels {
        let field = format!("labels.{}", key.chars().take(WORD_BYTES).collect::<String>());
        if key.is_empty() {
            troubles.field("labels", "a label's key is empty");
        } else if key.len() > limits::LABEL_BYTES || value.len() > limits::LABEL_BYTES {
            troubles.field(field, format!("key and value have at most {} bytes each", limits::LABEL_BYTES));
        } else if key.contains('=') {
            // Listings are filtered by key=value.
            troubles.field(field, "a label's key cannot hold '='");
        } else if key.contains(char::is_control) || value.contains(char::is_control) {
            troubles.field(field, "control characters are not allowed");
        }
    }
}

fn words(field: &str, words: &BTreeSet<String>, troubles: &mut Troubles) {
    if words.len() > NEEDED_WORDS {
        troubles.field(field, format!("{} words; at most {NEEDED_WORDS} are taken", words.len()));
        return;
    }
    if let Some(why) = words.iter().find_map(|word| bad_word(word)) {
        troubles.field(field, why);
    }
}

fn bad_word(word: &str) -> Option<String> {
    let good = !word.is_empty()
        && word.len() <= WORD_BYTES
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '+'));
    (!good).then(|| {
        let shown: String = word.chars().filter(|c| !c.is_control()).take(WORD_BYTES).collect();
        format!("`{shown}` is not a word of 1 to {WORD_BYTES} letters, digits, '.', '_', '-', ':' and '+'")
    })
}

/// What is wrong with something that was to be a rule.
fn no_rule(rule: &serde_json::Value) -> String {
    let what: String = rule.to_string().chars().take(WORD_BYTES).collect();
    let classes: Vec<&str> = FailureClass::ALL.iter().map(|class| class.as_str()).collect();
    format!(
        "{what} is no rule of this version; there are \"transient\", \"any\", {{\"exit_code\": N}}, {{\"signal\": N}}, \
         {{\"log_contains\": TEXT}} and {{\"class\": NAME}} with one of {}",
        classes.join(", ")
    )
}

fn retry(spec: &JobSpec, troubles: &mut Troubles) {
    let policy = &spec.retry;
    if policy.retries > RETRIES {
        troubles.field("retry.retries", format!("{} retries; at most {RETRIES} are taken", policy.retries));
    }
    if policy.on.len() > RETRY_RULES {
        troubles.field("retry.on", format!("{} rules; at most {RETRY_RULES} are taken", policy.on.len()));
        return;
    }
    for (index, rule) in policy.on.iter().enumerate() {
        let wrong = match rule {
            RetryRule::Transient | RetryRule::Any | RetryRule::Class(_) => None,
            RetryRule::ExitCode(0) => Some("exit code 0 is a good end".to_owned()),
            RetryRule::ExitCode(_) => None,
            RetryRule::Signal(signal) => {
                (!SIGNALS.contains(signal)).then(|| format!("{signal} is no signal; they are numbered 1 to 64"))
            }
            RetryRule::LogContains(text) if text.is_empty() => Some("an empty text is in every log".to_owned()),
            RetryRule::LogContains(text) => {
                (text.len() > PATTERN_BYTES).then(|| format!("a text to look for has at most {PATTERN_BYTES} bytes"))
            }
            RetryRule::Unknown(rule) => Some(no_rule(rule)),
        };
        if let Some(wrong) = wrong {
            troubles.field(format!("retry.on[{index}]"), wrong);
        }
    }
}
