//! Where the programs under test lie.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// One of the product's programs, or the fake encoder, as it was built beside the running test.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    // target/debug/deps/stories-0123 or target/debug/chaos → target/debug
    let me = env::current_exe().expect("this program's own path");
    let folder = me.parent().expect("a program lies in a folder");
    let profile = if folder.ends_with("deps") { folder.parent().expect("deps lies in target/PROFILE") } else { folder };
    let path = profile.join(name);
    assert!(
        path.is_file(),
        "{} has not been built. Run `cargo xtask test`, or `cargo build --workspace --bins` before `cargo test`",
        path.display()
    );
    path
}
