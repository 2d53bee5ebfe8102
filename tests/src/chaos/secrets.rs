//! Canaries: the secrets of the fleet's own keys, looked for wherever they must not be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ffleet_client::load_key;
use memchr::memmem::Finder;

use crate::{
    checker::{Invariant, Violation},
    fleet::key_path,
    orphans,
};

/// A secret, in the forms in which it could leak.
pub(super) struct Canary {
    name: String,
    forms: Vec<Vec<u8>>,
}

/// The secrets of a fleet.
pub(super) fn canaries(dir: &Path) -> Vec<Canary> {
    let of = |name: &str| {
        let key = load_key(&key_path(dir, name)).expect("the key of this fleet");
        let text = key.secret.to_base64().to_string();
        let forms = vec![text.trim_end_matches('=').as_bytes().to_vec(), key.secret.expose().to_vec()];
        Canary { name: format!("the secret of {name}"), forms }
    };
    let mut canaries: Vec<_> = ["chief", "studio", "farm"].map(of).into();
    let master = fs::read(dir.join("keys/master.key")).expect("the master key of this fleet");
    let longest = master.split(|byte| byte.is_ascii_whitespace() || *byte == b':').max_by_key(|part| part.len());
    canaries.push(Canary { name: "the master key".to_owned(), forms: vec![longest.unwrap_or_default().to_vec()] });
    canaries
}

/// Looks at the command lines of everything that belongs to the fleet.
pub(super) fn in_processes(dir: &Path, canaries: &[Canary]) -> Vec<Violation> {
    let lines = orphans::related_to(dir);
    let shown = |line: &String| canaries.iter().find(|canary| canary.is_in(line.as_bytes()));
    let violation = |(line, canary): (String, &Canary)| {
        let process = line.split(' ').next().unwrap_or_default().to_owned();
        Violation::new(Invariant::I11, format!("process {process}"), format!("{} is in its command line", canary.name))
    };
    lines.into_iter().filter_map(|line| shown(&line).map(|canary| (line, canary))).map(violation).collect()
}

/// Looks through the logs, the database and what the workers and servers keep.
pub(super) fn in_files(dir: &Path, servers: &[PathBuf], canaries: &[Canary]) -> Vec<Violation> {
    let mut files = Vec::new();
    servers.iter().for_each(|folder| walk(folder, &mut files));
    for place in ["logs", "workers", "studio"] {
        walk(&dir.join(place), &mut files);
    }
    files.extend(["ffleet.db", "ffleet.db-wal"].map(|name| dir.join(name)));
    let mut found = Vec::new();
    for file in files {
        let bytes = fs::read(&file).unwrap_or_default();
        for canary in canaries.iter().filter(|canary| canary.is_in(&bytes)) {
            found.push(Violation::new(Invariant::I11, file.display(), format!("{} is in it", canary.name)));
        }
    }
    found
}

impl Canary {
    fn is_in(&self, bytes: &[u8]) -> bool {
        self.forms.iter().any(|form| form.len() >= 16 && Finder::new(form).find(bytes).is_some())
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // Links lead to places that are walked anyway.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_either_form() {
        let canary =
            Canary { name: "it".to_owned(), forms: vec![b"c2VjcmV0IHNlY3JldA".to_vec(), b"secret secret 16".to_vec()] };
        assert!(canary.is_in(b"key=c2VjcmV0IHNlY3JldA==") && canary.is_in(b"\0secret secret 16\0"));
        assert!(!canary.is_in(b"secret"));
    }
}
