//! Files that operators copy, as they are shipped: a test changes what differs between machines, and nothing else.

use std::{fs, path::Path};

/// A file of `deploy/`.
#[derive(Debug, Clone)]
pub struct Shipped {
    path: &'static str,
    text: String,
}

impl Shipped {
    /// Reads it; `path` counts from `deploy`.
    ///
    /// # Panics
    ///
    /// Panics if there is no such file.
    #[must_use]
    pub fn read(path: &'static str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path);
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { path, text }
    }

    /// Has `to` wherever it says `from`.
    ///
    /// # Panics
    ///
    /// Panics if it says so nowhere: then the test no longer tries what it seems to.
    #[must_use]
    pub fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "deploy/{} has no {from:?} any more", self.path);
        self.text = self.text.replace(from, to);
        self
    }

    /// Takes in each line that is commented out and begins with one of these.
    ///
    /// # Panics
    ///
    /// Panics if one of them begins no line.
    #[must_use]
    pub fn taking_in(mut self, beginnings: &[&str]) -> Self {
        for beginning in beginnings {
            let (before, after) = (format!("\n#{beginning}"), format!("\n{beginning}"));
            assert!(self.text.contains(&before), "deploy/{} has no line {before:?} any more", self.path);
            self.text = self.text.replace(&before, &after);
        }
        self
    }

    /// What has become of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}
