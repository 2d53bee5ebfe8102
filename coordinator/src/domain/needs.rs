//! What tasks need and what workers have.

use ffleet_protocol::{job::Need, worker::Capabilities};

/// The first reason why a worker with these capabilities cannot run a task with this need, for people; none if it can.
#[must_use]
pub fn unfit(need: &Need, caps: &Capabilities) -> Option<String> {
    let Need { program, variables, requirements } = need;
    if !caps.programs.contains_key(program) {
        return Some(format!("it has no program {program:?}"));
    }
    if let Some(variable) = variables.iter().find(|variable| !caps.variables.contains_key(*variable)) {
        return Some(format!("it has no path variable ${variable}"));
    }
    if let Some(tag) = requirements.tags.iter().find(|tag| !caps.tags.contains(*tag)) {
        return Some(format!("it does not carry the tag {tag:?}"));
    }
    if let Some(encoder) = requirements.encoders.iter().find(|encoder| !caps.encoders.contains(*encoder)) {
        return Some(format!("the encoder {encoder} does not work there"));
    }
    if let Some(device) = requirements.device.iter().find(|device| !caps.devices.contains(*device)) {
        return Some(format!("it has no working {device} device"));
    }
    None
}

/// The one text for a need: the same for equal needs, whatever the order in which they were written down.
#[must_use]
#[expect(clippy::expect_used, reason = "a struct of texts and sets of texts always has a JSON form")]
pub fn need_key(need: &Need) -> String {
    serde_json::to_string(need).expect("texts and sets of texts have a JSON form")
}

/// The need that [`need_key`] wrote; none if it asks for what this version does not know, which only a newer one can judge.
#[must_use]
pub fn need_from_key(key: &str) -> Option<Need> {
    serde_json::from_str(key).ok().filter(|need| need_key(need) == key)
}
