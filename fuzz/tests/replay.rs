//! Everything that fuzzing has ever found worth keeping, once more through the same functions.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use ffleet_fuzz::TARGETS;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn what_was_found_holds() {
    let mut wrong = Vec::new();
    for target in TARGETS {
        let mut files: Vec<_> =
            fs::read_dir(corpus().join(target.name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in files {
            let bytes = fs::read(&file).unwrap();
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes))).is_err() {
                wrong.push(file.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "these do not hold:\n{}", wrong.join("\n"));
}

#[test]
fn every_corpus_has_its_target() {
    let folders: BTreeSet<_> =
        fs::read_dir(corpus()).unwrap().map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, TARGETS.iter().map(|target| target.name.to_owned()).collect());
}
