//! Paths judged by their text alone, without a file system. The kernel may see symlinks; whoever opens files looks again.

/// What one step of a path does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Into a directory, or to a file.
    Down(&'a [u8]),
    /// `..`
    Up,
}

/// The steps of a path; empty ones and `.` are none.
pub(super) fn steps(path: &[u8]) -> impl Iterator<Item = Step<'_>> {
    path.split(|byte| *byte == b'/').filter_map(|name| match name {
        b"" | b"." => None,
        b".." => Some(Step::Up),
        name => Some(Step::Down(name)),
    })
}

/// How many directories below its start a relative path ends that begins `from` directories below it; nothing if it
/// leaves the start on its way, even if it came back.
#[must_use]
pub fn depth_after(from: usize, path: &[u8]) -> Option<usize> {
    steps(path).try_fold(from, |depth, step| match step {
        Step::Down(_) => Some(depth + 1),
        Step::Up => depth.checked_sub(1),
    })
}

/// The names of an absolute path after `.` and `..` are resolved as text; nothing for a relative one. `..` at the root
/// stays there, as it does in the kernel.
pub(super) fn absolute(path: &[u8]) -> Option<Vec<&[u8]>> {
    path.starts_with(b"/").then(|| {
        steps(path).fold(Vec::new(), |mut names, step| {
            match step {
                Step::Down(name) => names.push(name),
                Step::Up => {
                    names.pop();
                }
            }
            names
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_its_start_has_no_depth() {
        for (from, path, depth) in [
            (0, "", Some(0)),
            (0, "a", Some(1)),
            (0, "a/b/", Some(2)),
            (0, "./a/./b//c", Some(3)),
            (0, "a/..", Some(0)),
            (0, "..", None),
            (0, "a/../..", None),
            (0, "../a", None),
            (0, "a/../../a", None),
            (0, "...", Some(1)),
            (0, "..a/b..", Some(2)),
            (2, "../..", Some(0)),
            (2, "../../..", None),
            (2, "../x", Some(2)),
        ] {
            assert_eq!(depth_after(from, path.as_bytes()), depth, "{path:?} from {from}");
        }
    }

    #[test]
    fn absolute_paths_are_normalised() {
        for (path, names) in [
            ("/", Some("")),
            ("/a/b", Some("a|b")),
            ("//a/.//b/", Some("a|b")),
            ("/a/../b", Some("b")),
            ("/../../a", Some("a")),
            ("a", None),
            ("", None),
            ("./a", None),
        ] {
            let found = absolute(path.as_bytes()).map(|names| names.join(&b"|"[..]));
            assert_eq!(found.as_deref(), names.map(str::as_bytes), "{path:?}");
        }
    }
}
