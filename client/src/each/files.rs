//! Which files are meant.

use std::{
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context, bail};

/// Every file that one of the patterns matches, by its absolute path, in order and once. Folders are no files, and what
/// begins with a dot is matched by a dot only, as in a shell. Names that are no text are found by name alone.
pub fn find(patterns: &[OsString], cwd: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for pattern in patterns {
        let before = files.len();
        one(pattern, cwd, &mut files).with_context(|| format!("--each-file {pattern:?}"))?;
        if files.len() == before {
            let text = pattern.to_string_lossy();
            let hint = if text.starts_with('~') { "; in quotes a shell leaves ~ as it is, write $HOME" } else { "" };
            bail!("--each-file {pattern:?} matches no file{hint}");
        }
    }
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

fn one(pattern: &OsString, cwd: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    // A file is taken by its name even if that looks like a pattern: a shell may have put it here.
    let literal = plain(&cwd.join(pattern));
    if literal.is_file() {
        files.push(literal);
        return Ok(());
    }
    let text = pattern.to_str().context("a pattern must be text in UTF-8")?;
    // The folder we are in is no part of the pattern, whatever its name.
    let whole = if Path::new(text).is_absolute() {
        text.to_owned()
    } else {
        let cwd = cwd.to_str().context("the name of the working directory is no text; give an absolute pattern")?;
        format!("{}/{text}", glob::Pattern::escape(cwd))
    };
    // Asked to mind leading dots, the library refuses every name that has one, and does not bear names that are no text.
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    let hidden = whole.split('/').filter(|name| name.starts_with('.')).map(glob::Pattern::new);
    let hidden: Vec<glob::Pattern> = hidden.collect::<Result<_, _>>()?;
    for found in glob::glob_with(&whole, options)? {
        let found = found?;
        let mut dotted = found.iter().map(|name| name.to_string_lossy()).filter(|name| name.starts_with('.'));
        if found.is_file() && dotted.all(|name| hidden.iter().any(|pattern| pattern.matches(&name))) {
            files.push(plain(&found));
        }
    }
    Ok(())
}

/// The path without `.` and `..`, by its text alone.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::Builder::new().prefix("each[1]*").tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    fn found(folder: &Path, patterns: &[&str]) -> Result<Vec<String>, String> {
        let patterns: Vec<OsString> = patterns.iter().map(OsString::from).collect();
        let files = find(&patterns, folder).map_err(|error| format!("{error:#}"))?;
        Ok(files.iter().map(|file| file.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn files_are_found_once_and_in_order() {
        let place = folder(&[
            "b.mkv",
            "a.mkv",
            "a.srt",
            ".hidden.mkv",
            ".hid/x.mkv",
            "in/c.mkv",
            "in/deep/d.mkv",
            "x.mkv/y",
            "s[1].mkv",
        ]);
        let no_text = <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff.mkv");
        std::fs::write(place.path().join(no_text), "").unwrap();
        assert_eq!(find(&[no_text.to_owned()], place.path()).unwrap(), [place.path().join(no_text)]);
        for (patterns, expected) in [
            (&["*.mkv"][..], &["a.mkv", "b.mkv", "s[1].mkv"][..]),
            (&["*.mkv", "a.*", "./in/../b.mkv"], &["a.mkv", "a.srt", "b.mkv", "s[1].mkv"]),
            (&["**/*.mkv"], &["a.mkv", "b.mkv", "in/c.mkv", "in/deep/d.mkv", "s[1].mkv"]),
            (&["s[1].mkv"], &["s[1].mkv"]),
            (&["[ab].mkv"], &["a.mkv", "b.mkv"]),
            (&[".*.mkv"], &[".hidden.mkv"]),
            (&[".hid/*.mkv"], &[".hid/x.mkv"]),
        ] {
            assert_eq!(found(place.path(), patterns).unwrap(), expected, "{patterns:?}");
        }
        let absolute = format!("{}/in/*.mkv", glob::Pattern::escape(place.path().to_str().unwrap()));
        assert_eq!(found(Path::new("/"), &[&absolute]).unwrap().len(), 1);
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_named() {
        let place = folder(&["a.mkv", "in/b"]);
        for (patterns, words) in [
            (&["*.mkv", "*.avi"][..], "--each-file \"*.avi\" matches no file"),
            (&["i*"], "matches no file"),
            (&["~/*.mkv"], "$HOME"),
            (&["a**"], "--each-file \"a**\""),
        ] {
            let error = found(place.path(), patterns).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(plain(Path::new("/a/./b//../c")), Path::new("/a/c"));
        assert_eq!(plain(Path::new("/../a")), Path::new("/a"));
    }
}
