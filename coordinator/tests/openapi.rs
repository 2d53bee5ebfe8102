//! The description of the API is checked in: a diff in it is a diff in the contract.

use std::{env, fs, path::Path};

#[test]
fn the_description_is_the_one_that_is_checked_in() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut text = ffleet_coordinator::http::openapi().to_pretty_json().unwrap();
    text.push('\n');
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    let checked_in = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        text == checked_in,
        "the API has changed. If that is meant, run UPDATE_GOLDEN=1 cargo test -p ffleet-coordinator --test openapi and \
         commit coordinator/openapi.json:\n{}",
        first_difference(&checked_in, &text)
    );
}

fn first_difference(old: &str, new: &str) -> String {
    match old.lines().zip(new.lines()).enumerate().find(|(_, (old, new))| old != new) {
        Some((line, (old, new))) => format!("line {}\n- {old}\n+ {new}", line + 1),
        None => format!("{} lines were {} lines", new.lines().count(), old.lines().count()),
    }
}
