//! Looking before accepting: whether this machine can begin the task at all. What is wrong is told in words for people,
//! and another worker may have the task.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ffleet_protocol::task::{Command, Grant};

use crate::{agent::Worker, capabilities::Proven};

/// Shorter than the time in which an assignment must be accepted.
const PATIENCE: Duration = Duration::from_secs(8);

/// A command as this machine will run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The program's name in the configuration.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// Its arguments, resolved.
    pub args: Vec<OsString>,
    /// Its working directory; none means an empty one.
    pub dir: Option<PathBuf>,
}

/// Resolves the command and tries what it needs.
pub async fn plan(worker: &Worker, grant: &Grant) -> Result<Plan, String> {
    let (proven, command) = (worker.proven(), grant.command.clone());
    let looking = tokio::task::spawn_blocking(move || look(&proven, &command));
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok(plan)) => plan,
        Ok(Err(panicked)) => Err(format!("the worker could not look at the command: {panicked}")),
        Err(_) => Err(format!("the directories of the command did not answer within {} s", PATIENCE.as_secs())),
    }
}

fn look(proven: &Arc<Proven>, command: &Command) -> Result<Plan, String> {
    let name = command.program.clone();
    let file = proven.programs.get(&name).ok_or_else(|| format!("this worker has no program {name:?}"))?;
    executable(file).map_err(|why| format!("program {name}: {} {why}", file.display()))?;
    let resolve = |arg| proven.mounts.resolve(arg).map_err(|error| error.to_string());
    let args = command.args.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
    let dir = command.cwd.as_ref().map(resolve).transpose()?.map(PathBuf::from);
    if let Some(dir) = &dir {
        if !dir.is_absolute() {
            return Err(format!("the working directory {} is under no path variable", dir.display()));
        }
        if !dir.is_dir() {
            return Err(format!("the working directory {} does not exist here", dir.display()));
        }
    }
    Ok(Plan { name, file: file.clone(), args, dir })
}

fn executable(file: &Path) -> Result<(), String> {
    match fs::metadata(file) {
        Ok(meta) if !meta.is_file() => Err("is not a file".to_owned()),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => Err("is not executable".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot be found: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ffleet_protocol::template::{Arg, Variable};

    use super::*;
    use crate::mounts::{Mounts, Root};

    fn proven(folder: &Path) -> Arc<Proven> {
        let root = Root { path: folder.to_owned(), writable: None, mount: false };
        let programs = BTreeMap::from([("sh".to_owned(), "/bin/sh".into()), ("gone".to_owned(), folder.join("gone"))]);
        let mounts = Mounts::new(BTreeMap::from([(Variable::new("Media").unwrap(), root)]));
        Arc::new(Proven { mounts, programs, ..Proven::default() })
    }

    fn command(program: &str, args: &[&str], cwd: Option<&str>) -> Command {
        Command {
            program: program.to_owned(),
            args: args.iter().map(|arg| Arg::from(*arg)).collect(),
            cwd: cwd.map(Arg::from),
        }
    }

    #[test]
    fn a_command_is_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let plan = look(&proven(folder.path()), &command("sh", &["-c", "true", "$Media/a"], Some("$Media"))).unwrap();
        assert_eq!(plan.args, [OsString::from("-c"), "true".into(), folder.path().join("a").into()]);
        assert_eq!((plan.file, plan.dir), (PathBuf::from("/bin/sh"), Some(folder.path().to_owned())));
    }

    #[test]
    fn what_is_missing_is_said() {
        let folder = tempfile::tempdir().unwrap();
        for (command, said) in [
            (command("ffmpeg", &[], None), "no program \"ffmpeg\""),
            (command("gone", &[], None), "cannot be found"),
            (command("sh", &["$Movies/a"], None), "no path variable $Movies"),
            (command("sh", &["$Media/../a"], None), "\"..\""),
            (command("sh", &[], Some("$Media/none")), "does not exist"),
            (command("sh", &[], Some("relative")), "under no path variable"),
        ] {
            let reason = look(&proven(folder.path()), &command).unwrap_err();
            assert!(reason.contains(said), "{reason}");
        }
    }
}
