//! Where the programs are, and who runs them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use nix::unistd::{User, geteuid};

/// Where servers are when they are not on the path of an ordinary user.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program called `name`; panics with advice if there is none.
pub(crate) fn program(name: &str) -> PathBuf {
    let ours = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(PATH).chain(env::split_paths(&ours)).collect::<Vec<_>>();
    file(name, folders.iter().map(|folder| folder.join(name)))
}

/// A program of PostgreSQL, whose newest version is taken: `initdb`, for example.
pub(crate) fn of_postgres(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<u32> = versions.filter_map(|version| version.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable();
    let places = versions.iter().rev().map(|version| format!("/usr/lib/postgresql/{version}/bin/{name}").into());
    file(name, places)
}

/// A script of RabbitMQ; those of the same name elsewhere would change the user.
pub(crate) fn of_rabbitmq(name: &str) -> PathBuf {
    file(name, [Path::new("/usr/lib/rabbitmq/bin").join(name)].into_iter())
}

/// The library that makes a cluster of MariaDB.
pub(crate) fn galera_library() -> PathBuf {
    let places = ["/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so"];
    file("libgalera_smm.so (galera-4)", places.into_iter().map(PathBuf::from))
}

fn file(name: &str, mut places: impl Iterator<Item = PathBuf>) -> PathBuf {
    let found = places.find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; `cargo xtask test --only install` does it"))
}

/// The account for a server that refuses to be root; nobody if we are not root, because then it can be us.
pub(crate) fn account(name: &str) -> Option<User> {
    let user = geteuid().is_root().then(|| User::from_name(name).expect("a list of users"))?;
    let missing =
        || panic!("there is no user {name}; `cargo xtask test --only install` installs the server and makes it");
    Some(user.unwrap_or_else(missing))
}

/// Runs `command` to its end, and gives what it said on its standard output, or everything it said when it failed.
pub(crate) fn attempt(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let Output { status, stdout, stderr } = output;
    let stdout = String::from_utf8_lossy(&stdout);
    let stdout = stdout.strip_suffix('\n').unwrap_or(&stdout).to_owned();
    if status.success() {
        return Ok(stdout);
    }
    Err(format!("{status}\n{}{stdout}", String::from_utf8_lossy(&stderr)))
}

/// Runs `command`, which must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    attempt(command).unwrap_or_else(|error| panic!("{command:?} failed: {error}"))
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_missing_program_is_named_with_advice() {
        let why = catch_unwind(|| program("no-such-server")).unwrap_err().downcast::<String>().unwrap();
        assert_eq!(*why, "no-such-server is not installed; `cargo xtask test --only install` does it");
    }
}
