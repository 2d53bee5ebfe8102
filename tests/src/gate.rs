//! Gates: files that a test makes or waits for, so that it and the fake encoder meet without a clock.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior};

use crate::PATIENCE;

/// A file under the fleet's media folder.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(crate) path: PathBuf,
    pub(crate) template: String,
}

impl Gate {
    /// As the client calls it.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.to_str().expect("made from text")
    }

    /// As a job calls it: `$Media/…`.
    #[must_use]
    pub fn template(&self) -> String {
        self.template.clone()
    }

    /// Makes the file: whoever waits for it goes on.
    pub fn open(&self) {
        File::create(&self.path).unwrap();
    }

    /// Takes the file away again.
    pub fn shut(&self) {
        fs::remove_file(&self.path).unwrap();
    }

    /// Whether the file is there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.path.exists()
    }

    /// Waits until the file is there.
    pub async fn opened(&self) {
        until(self.path(), || self.is_open()).await;
    }

    /// Waits until the file has become longer than it is now, or is there at last.
    pub async fn grows(&self) {
        let length = || fs::metadata(&self.path).map_or(0, |data| data.len());
        let before = length();
        until(self.path(), || length() > before).await;
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }
}

/// Waits for a fact of the file system, which tells nobody: this looks again and again.
pub(crate) async fn until(what: &str, it_is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !it_is() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        looks.tick().await;
    }
}
