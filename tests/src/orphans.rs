//! Processes that outlived the fleet they belong to.

use std::{fs, path::Path, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

/// In the environment of everything a fleet starts. (Workers clear their children's environment; those are found by
/// their program, arguments or working directory, which all lie in the fleet's folder.)
pub(crate) const MARKER: &str = "FLEET_UNDER_TEST";

/// Processes that have to do with this fleet's folder, as `PID COMMAND LINE`.
pub(crate) fn related_to(dir: &Path) -> Vec<String> {
    let needle = dir.as_os_str().as_encoded_bytes();
    let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let me = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == me || !name.bytes().all(|byte| byte.is_ascii_digit()) || is_dead(&entry.path()) {
            continue;
        }
        let file = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let link = |name: &str| fs::read_link(entry.path().join(name)).unwrap_or_default();
        let command = file("cmdline");
        let ours = holds(&command)
            || holds(&file("environ"))
            || ["cwd", "exe"].iter().any(|name| holds(link(name).as_os_str().as_encoded_bytes()));
        if ours {
            found.push(format!("{name} {}", String::from_utf8_lossy(&command).replace('\0', " ").trim_end()));
        }
    }
    found
}

/// A zombie, or gone meanwhile.
fn is_dead(process: &Path) -> bool {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The state follows the name in parentheses, which may itself hold anything.
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Waits until no process with `text` in its command line has to do with the folder; gives those that stay longer than
/// `patience`.
///
/// The kernel tells nobody but its parent when a stranger's child ends, so this looks again and again.
pub(crate) async fn gone(dir: &Path, text: &str, patience: Duration) -> Vec<String> {
    let deadline = Instant::now() + patience;
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let mut left = related_to(dir);
        left.retain(|line| line.contains(text));
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
    }
}
