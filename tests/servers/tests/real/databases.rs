//! MariaDB and PostgreSQL.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use ffleet_servers::{MariaDb, Postgres, until};

/// The name in the address of a database.
fn name(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

#[test]
fn mariadb_keeps_its_data_when_it_is_killed() {
    let server = MariaDb::with(&["--max-connections=77"]);
    assert_eq!(server.sql("SELECT @@port, @@max_connections"), format!("{}\t77", server.port()));
    assert_eq!(server.sql("SELECT @@innodb_flush_log_at_trx_commit, @@skip_name_resolve"), "1\t1");
    let url = server.database();
    let table = format!("{}.t", name(&url));
    server.sql(&format!(
        "CREATE TABLE {table} (n INT PRIMARY KEY, word VARCHAR(9)); INSERT INTO {table} VALUES (1, 'é')"
    ));
    let first = server.pid();
    server.kill9();
    assert!(!server.is_alive());
    assert!(server.try_sql("SELECT 1").is_err());
    server.restart();
    assert!(server.is_alive() && server.pid() != first);
    assert_eq!(server.sql(&format!("SELECT * FROM {table}")), "1\té");
    server.restart();
    assert_eq!(server.sql(&format!("SELECT * FROM {table}")), "1\té");
}

#[test]
fn the_account_of_tests_owns_its_databases_and_nothing_else() {
    let server = MariaDb::shared();
    let (first, second) = (server.database(), server.database());
    assert_ne!(first, second);
    assert_eq!(server.sql("SELECT COUNT(*) FROM mysql.global_priv WHERE User = ''"), "0");
    let grants = server.sql("SHOW GRANTS FOR 'ffleet'@'%'");
    assert!(grants.contains("GRANT ALL PRIVILEGES ON `ffleet%`.*"), "{grants}");
    assert!(server.try_sql("SELECT nonsense").unwrap_err().contains("nonsense"));
}

#[test]
fn a_paused_server_does_not_answer_and_goes_on() {
    let server = MariaDb::start();
    server.pause();
    thread::scope(|scope| {
        let (said, hears) = channel();
        let server = &server;
        scope.spawn(move || said.send(server.sql("SELECT 1")));
        assert_eq!(hears.recv_timeout(Duration::from_millis(300)), Err(RecvTimeoutError::Timeout));
        server.resume();
        assert_eq!(hears.recv().unwrap(), "1");
    });
    server.pause();
    server.terminate();
    assert!(!server.is_alive());
}

#[test]
fn postgres_keeps_its_data_when_it_is_killed() {
    let server = Postgres::with(&["max_connections=77"]);
    assert_eq!(server.sql("SHOW max_connections"), "77");
    assert_eq!(server.sql("SHOW fsync"), "on");
    let url = server.database();
    let database = name(&url);
    server.sql_in(database, "CREATE TABLE t (n INT PRIMARY KEY, word TEXT)");
    server.sql_in(database, "INSERT INTO t VALUES (1, 'é'), (2, NULL)");
    server.kill9();
    assert!(!server.is_alive());
    server.restart();
    assert_eq!(server.sql_in(database, "SELECT * FROM t ORDER BY n"), "1\té\n2\t");
    server.restart();
    assert_eq!(server.sql_in(database, "SELECT COUNT(*) FROM t"), "2");
    assert_eq!(server.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname LIKE 'ffleet%'"), "ffleet");
}

#[test]
fn a_paused_postgres_stops_with_its_helpers() {
    let server = Postgres::shared();
    server.pause();
    server.resume();
    until("it answers again", || server.sql("SELECT 1") == "1");
}
