//! Jobs in few words.

use ffleet_protocol::job::JobSpec;
use serde_json::{Value, json};

/// A job with these arguments, which are path templates, and nothing else.
#[must_use]
pub fn job<A: AsRef<str>>(args: impl IntoIterator<Item = A>) -> JobSpec {
    spec(args, json!({}))
}

/// A job with these arguments and, in the words of the wire, whatever else it is to have.
#[must_use]
pub fn spec<A: AsRef<str>>(args: impl IntoIterator<Item = A>, more: Value) -> JobSpec {
    let args: Vec<String> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let mut job = json!({ "args": args });
    if let (Value::Object(job), Value::Object(more)) = (&mut job, more) {
        job.extend(more);
    }
    serde_json::from_value(job).expect("a job in the words of the wire")
}
