//! However a test program ends, its servers end.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use ffleet_servers::{HaProxy, MariaDb, Postgres, Process, free_port, until};

/// Set for the program that is killed.
const VICTIM: &str = "FFLEET_SERVERS_VICTIM";

/// Not a test by itself: starts servers, says where they are, and stays.
#[test]
fn victim() {
    if env::var_os(VICTIM).is_none() {
        return;
    }
    let (mariadb, postgres) = (MariaDb::start(), Postgres::shared());
    let haproxy = HaProxy::start(&format!(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
         frontend one\n  bind 127.0.0.1:{}\n",
        free_port()
    ));
    mariadb.pause();
    let servers: [&Process; 3] = [&mariadb, postgres, &haproxy];
    for server in servers {
        println!("\nserver {}", server.folder().display());
    }
    println!("\nserver end");
    loop {
        thread::park();
    }
}

/// Who works in this folder.
fn inhabitants(folder: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let places = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    places.filter(|place| place.starts_with(folder)).count()
}

/// The number of the shared memory of a PostgreSQL.
fn segment(folder: &str) -> String {
    let state = fs::read_to_string(Path::new(folder).join("data/postmaster.pid")).unwrap();
    state.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

/// Whether there is shared memory with this number.
fn exists(segment: &str) -> bool {
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap();
    segments.lines().any(|line| line.split_whitespace().nth(1) == Some(segment))
}

#[test]
fn a_killed_test_program_leaves_no_server_behind() {
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["ending::victim", "--exact", "--nocapture"]).env(VICTIM, "1");
    let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(program.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said = said.filter_map(|line| line.strip_prefix("server ").map(str::to_owned));
    let folders: Vec<_> = said.take_while(|line| line != "end").collect();
    assert_eq!(folders.len(), 3, "{folders:?}");
    assert!(folders.iter().all(|folder| inhabitants(folder) > 0), "{folders:?}");
    let segment = segment(&folders[1]);
    assert!(exists(&segment), "{segment}");
    program.kill().unwrap();
    program.wait().unwrap();
    for folder in &folders {
        until(&format!("nobody is in {folder}"), || inhabitants(folder) == 0);
        until(&format!("{folder} is gone"), || !Path::new(folder).exists());
    }
    until("the shared memory of PostgreSQL is free", || !exists(&segment));
}

#[test]
fn a_dropped_server_is_gone_at_once() {
    let server = Postgres::start();
    let folder = server.folder().to_str().unwrap().to_owned();
    assert!(inhabitants(&folder) > 1);
    assert!(server.memory() > 1_000_000);
    drop(server);
    assert_eq!(inhabitants(&folder), 0);
    assert!(!Path::new(&folder).exists());
}
