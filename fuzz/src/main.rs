//! The program that libFuzzer drives. Which target it is for stands in `FFLEET_FUZZ_TARGET`; `cargo xtask fuzz` sets it.
#![no_main]

use std::sync::LazyLock;

use ffleet_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FFLEET_FUZZ_TARGET").unwrap_or_default();
    let target = TARGETS.iter().find(|target| target.name == name);
    target.unwrap_or_else(|| panic!("FFLEET_FUZZ_TARGET is {name:?}, which is no target"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
