//! The program's command line, from the outside.

#![expect(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder of a fresh installation.
    fn initialized() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        assert_eq!(place.run(&["init", "--dir", "."]).code(), 0);
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, &[])
    }

    /// Runs it in the folder, in no other environment than this.
    fn run_with(&self, args: &[&str], vars: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_ffleet-coordinator"))
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(vars.iter().copied())
            .output()
            .unwrap();
        Ran(output)
    }
}

/// A coordinator that serves; it does not outlive the test.
struct Serving {
    child: Child,
    log: BufReader<ChildStderr>,
    address: String,
}

impl Serving {
    /// Starts it on a free port and reads its JSON log until it listens.
    fn start(place: &Place) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ffleet-coordinator"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .current_dir(place.folder.path())
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut serving = Self { child, log, address: String::new() };
        let line = serving.read_until("listening on ");
        let url = line["addr"].as_str().unwrap().to_owned();
        serving.address = url.strip_prefix("http://").unwrap().to_owned();
        serving
    }

    /// The next line of the log whose message begins so.
    fn read_until(&mut self, message: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the log ended before {message:?}");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"].as_str().is_some_and(|text| text.starts_with(message)) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// The status line of the answer about its readiness.
    fn readiness(&self) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        write!(connection, "GET /health/ready HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)
            .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap().to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct Ran(Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    fn json(&self) -> Value {
        assert_eq!(self.code(), 0, "{}", self.err());
        serde_json::from_str(&self.out()).unwrap()
    }

    /// It failed with this code, and said all of these words.
    fn refused(&self, code: i32, words: &[&str]) {
        let err = self.err();
        assert_eq!(self.code(), code, "{err}");
        for word in words {
            assert!(err.contains(word), "{word:?} is missing in {err}");
        }
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_what_serve_needs_and_overwrites_nothing() {
    let place = Place::initialized();
    assert_eq!(mode(&place.path("master.key")), 0o600);
    let key = std::fs::read(place.path("master.key")).unwrap();
    std::fs::write(place.path("coordinator.toml"), "# mine\n").unwrap();

    let again = place.run(&["init", "--dir", "."]);
    assert_eq!(again.code(), 0);
    assert_eq!(again.out().matches("left as it is").count(), 2, "{}", again.out());
    assert_eq!(std::fs::read(place.path("master.key")).unwrap(), key);
    assert_eq!(std::fs::read_to_string(place.path("coordinator.toml")).unwrap(), "# mine\n");
}

#[test]
fn what_init_and_serve_make_is_for_their_user_alone() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    assert_eq!(place.run(&["init", "--dir", "new/fleet"]).code(), 0);
    assert_eq!(mode(&place.path("new/fleet")), 0o700);
    assert_ne!(mode(&place.path("new")), 0o700);
    assert_eq!(place.run(&["--config", "new/fleet/coordinator.toml", "account", "list"]).code(), 0);
    assert_eq!(mode(&place.path("new/fleet/ffleet.db")), 0o600);
}

#[test]
fn the_configuration_in_force_is_shown_and_no_secrets() {
    let place = Place::initialized();
    let vars = [("FFLEET_COORDINATOR_LOG__LEVEL", "debug")];
    let shown = place.run_with(&["--check-config", "--listen", "127.0.0.1:9"], &vars);
    assert_eq!(shown.code(), 0, "{}", shown.err());
    let text = shown.out();
    for line in ["listen = \"127.0.0.1:9\"", "url = \"sqlite:///", "level = \"debug\"", "lease_s = 35"] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    toml::from_str::<toml::Table>(&text).unwrap();

    let foreign = [("FFLEET_COORDINATOR_DATABASE__URL", "oracle://ffleet:hunter2@db/ffleet")];
    let refused = place.run_with(&["--check-config"], &foreign);
    refused.refused(2, &["`database.url`", "oracle", "sqlite:///", "mysql://", "postgres://"]);
    assert!(!refused.err().contains("hunter2"), "{}", refused.err());
}

#[test]
fn a_wrong_configuration_is_refused_with_the_place() {
    let place = Place::initialized();
    let misspelt = place.run_with(&["--check-config"], &[("FFLEET_COORDINATOR_TIMING__LEESE_S", "1")]);
    misspelt.refused(2, &["`timing.leese_s`", "FFLEET_COORDINATOR_TIMING__LEESE_S", "did you mean `timing.lease_s`?"]);
    let arithmetic = place.run_with(&["serve"], &[("FFLEET_COORDINATOR_TIMING__LEASE_S", "30")]);
    arithmetic.refused(2, &["28 + 2 = 30 is not less than 30"]);
    let tls = [("FFLEET_COORDINATOR_TLS__CERTIFICATE", "none.pem"), ("FFLEET_COORDINATOR_TLS__KEY", "none.pem")];
    place.run_with(&["serve"], &tls).refused(2, &["`tls.certificate`", "none.pem cannot be read"]);
    let misspelt = place.path("misspelt.toml");
    std::fs::write(&misspelt, "[limits]\nprogramms = [\"ffmpeg\"]\n").unwrap();
    let words = ["`limits.programms`", "misspelt.toml, line 2", "did you mean `limits.programs`?"];
    place.run(&["--config", "misspelt.toml", "serve"]).refused(2, &words);
    place.run(&["--config", ".", "serve"]).refused(2, &["configuration file .", "--config"]);
    place.run(&["--config", "none.toml", "--check-config"]).refused(2, &["none.toml", "--config"]);
    place.run(&["--log-format", "xml", "--check-config"]).refused(2, &["the flag --log-format", "text, json"]);
}

#[test]
fn an_account_lives_from_add_to_remove() {
    let place = Place::initialized();
    let added = place.run(&["account", "add", "root", "--role", "admin", "--out", "root.key"]);
    assert_eq!((added.code(), added.err().as_str()), (0, ""));
    assert_eq!(mode(&place.path("root.key")), 0o600);
    let line = std::fs::read_to_string(place.path("root.key")).unwrap();
    let key = ffleet_protocol::sign::KeyFile::parse(&line).unwrap();
    assert!(key.key_id.as_str().starts_with("root."), "{line}");
    assert_eq!(key.secret.expose().len(), 32);
    assert!(!added.out().contains(key.secret.to_base64().as_str()));

    let network = ["account", "add", "w", "--role", "worker", "--network", "10.1.2.3/8", "--json"];
    let worker = place.run(&network).json();
    assert_eq!(worker["account"], "w");
    let rotated = place.run(&["account", "rotate", "w", "--overlap-s", "60", "--json"]).json();
    assert_ne!(rotated["key_id"], worker["key_id"]);
    let changed = place.run(&["account", "scope", "w", "--weight", "3", "--json"]).json();
    assert_eq!(changed["scope"]["networks"], serde_json::json!(["10.0.0.0/8"]));
    assert_eq!((&changed["scope"]["weight"], changed["keys"].as_array().unwrap().len()), (&3.into(), 2));
    assert_eq!(place.run(&["account", "disable", "w", "--json"]).json()["enabled"], false);

    let list = place.run(&["account", "list"]).out();
    assert!(list.contains("root") && list.contains("DISABLED") && list.contains("from 10.0.0.0/8"), "{list}");
    assert!(!list.contains(worker["secret"].as_str().unwrap()));
    assert_eq!(place.run(&["account", "remove", "w"]).code(), 0);
    assert_eq!(place.run(&["account", "list", "--json"]).json()["accounts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_key_without_a_file_is_printed_once_and_alone() {
    let place = Place::initialized();
    let added = place.run(&["account", "add", "alice", "--role", "client"]);
    assert_eq!(added.code(), 0);
    ffleet_protocol::sign::KeyFile::parse(&added.out()).unwrap();
}

#[test]
fn what_must_not_happen_to_accounts_is_refused() {
    let place = Place::initialized();
    assert_eq!(place.run(&["account", "add", "root", "--role", "admin", "--out", "root.key"]).code(), 0);
    place.run(&["account", "add", "root", "--role", "admin"]).refused(3, &["an account root exists"]);
    place.run(&["account", "disable", "root"]).refused(3, &["last enabled admin"]);
    place.run(&["account", "remove", "nobody"]).refused(3, &["no account nobody"]);
    let network = place.run(&["account", "add", "x", "--role", "client", "--network", "10.0.0.0/33"]);
    network.refused(3, &["scope.networks", "10.0.0.0/33"]);
    let taken = place.run(&["account", "add", "x", "--role", "client", "--out", "root.key"]);
    taken.refused(2, &["root.key exists"]);
    place.run(&["account", "add", "a b", "--role", "client"]).refused(2, &["a b"]);
    place.run(&["account", "add", "x", "--role", "king"]).refused(2, &["client, worker, admin"]);
    assert_eq!(place.run(&["account", "list", "--json"]).json()["accounts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_master_key_that_does_not_fit_is_refused() {
    let place = Place::initialized();
    assert_eq!(place.run(&["account", "list"]).code(), 0);
    let key = place.path("master.key");

    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    place.run(&["serve"]).refused(2, &["mode 0644", "chmod 600"]);
    assert_eq!(
        place.run_with(&["account", "list"], &[("FFLEET_COORDINATOR_MASTER_KEY__ALLOW_OPEN_FILES", "true")]).code(),
        0
    );

    std::fs::rename(&key, place.path("right.key")).unwrap();
    place.run(&["serve"]).refused(2, &["master.key", "ffleet-coordinator init"]);
    assert_eq!(place.run(&["init", "--dir", "."]).code(), 0);
    place.run(&["serve"]).refused(2, &["another master key", "master_key.older"]);

    std::fs::set_permissions(place.path("right.key"), PermissionsExt::from_mode(0o600)).unwrap();
    let older = format!("[{:?}]", place.path("right.key"));
    let swapped = place.run_with(&["account", "list"], &[("FFLEET_COORDINATOR_MASTER_KEY__OLDER", &older)]);
    assert_eq!(swapped.code(), 0, "{}", swapped.err());
    assert_eq!(place.run(&["account", "list"]).code(), 0, "the installation follows its new master key");
}

#[test]
fn places_that_cannot_be_used_are_named() {
    let place = Place::initialized();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place.run(&["serve", "--listen", &address]).refused(1, &[&address, "another program uses this port"]);
    let nowhere = [("FFLEET_COORDINATOR_DATABASE__URL", "sqlite:///nonexistent/ffleet.db")];
    place.run_with(&["serve"], &nowhere).refused(1, &["/nonexistent", "database.url"]);
    // Below a file, and where not even root may write.
    for folder in [place.path("master.key").display().to_string(), "/proc".to_owned()] {
        let url = format!("sqlite://{folder}/ffleet.db");
        let words = ["cannot write in the folder", &folder, "database.url"];
        place.run_with(&["serve"], &[("FFLEET_COORDINATOR_DATABASE__URL", &url)]).refused(1, &words);
    }
    let made = place.run(&["init", "--dir", "master.key/ffleet"]);
    made.refused(1, &["cannot write master.key/ffleet"]);
}

#[tokio::test]
async fn databases_that_are_not_ours_are_named_and_left_alone() {
    let place = Place::initialized();
    let refused = |url: &str, words: &[&str]| {
        place.run_with(&["serve"], &[("FFLEET_COORDINATOR_DATABASE__URL", url)]).refused(1, words);
    };
    let text = place.path("notes.txt");
    std::fs::write(&text, "this is no database, and must stay as it is").unwrap();
    let url = format!("sqlite://{}", text.display());
    refused(&url, &["notes.txt is no SQLite database", "database.url"]);
    assert_eq!(std::fs::read_to_string(&text).unwrap(), "this is no database, and must stay as it is");

    let execute = async |name: &str, mode: &str, statement: &str| {
        let url = format!("sqlite://{}?mode={mode}", place.path(name).display());
        let database = sea_orm::Database::connect(&url).await.unwrap();
        sea_orm::ConnectionTrait::execute_unprepared(&database, statement).await.unwrap();
        database.close().await.unwrap();
        format!("sqlite://{}", place.path(name).display())
    };
    let foreign = execute("photos.db", "rwc", "CREATE TABLE photos (id INTEGER)").await;
    let before = std::fs::read(place.path("photos.db")).unwrap();
    refused(&foreign, &["photos.db holds the tables of another program (photos)", "database.url"]);
    assert_eq!(std::fs::read(place.path("photos.db")).unwrap(), before);

    assert_eq!(place.run(&["account", "list"]).code(), 0);
    let added =
        "INSERT INTO seaql_migrations VALUES ('m9998_tomorrow', 0); ALTER TABLE workers ADD COLUMN mood TEXT NULL";
    execute("ffleet.db", "rw", added).await;
    assert_eq!(place.run(&["account", "list"]).code(), 0, "what was only added to goes on working");
    let migrated = place.run(&["migrate"]);
    assert!(migrated.out().starts_with("nothing was missing"), "{}", migrated.out());
    let seen = place.run(&["check", "--json"]).json();
    assert_eq!(seen["tables"]["newer"][0], "m9998_tomorrow", "{seen}");
    place.run(&["export", "copy"]).refused(1, &["m9998_tomorrow", "export with that version"]);
    let newer = execute("ffleet.db", "rw", "INSERT INTO seaql_migrations VALUES ('m9999_break_tomorrow', 0)").await;
    refused(&newer, &["ffleet.db was used by a newer version", "m9999_break_tomorrow", "install that version"]);
}

#[tokio::test]
async fn tables_are_made_and_brought_up_to_date_without_the_master_key() {
    let place = Place::initialized();
    std::fs::remove_file(place.path("master.key")).unwrap();
    let made = place.run(&["migrate", "--json"]).json();
    assert_eq!(made["applied"][0], "m0001_core");
    let again = place.run(&["migrate"]);
    assert_eq!((again.code(), again.err().as_str()), (0, ""));
    assert!(again.out().starts_with("nothing was missing"), "{}", again.out());
    let nowhere = [("FFLEET_COORDINATOR_DATABASE__URL", "sqlite:///nonexistent/ffleet.db")];
    place.run_with(&["migrate"], &nowhere).refused(1, &["/nonexistent", "database.url"]);

    let database = sea_orm::Database::connect(format!("sqlite://{}", place.path("ffleet.db").display())).await.unwrap();
    let older = "DELETE FROM seaql_migrations WHERE version = 'm0006_fewer_indexes'; CREATE INDEX idempotency_age ON \
                 idempotency (created_at); CREATE INDEX tasks_state ON tasks (state, id); DROP INDEX tasks_blocked";
    sea_orm::ConnectionTrait::execute_unprepared(&database, older).await.unwrap();
    database.close().await.unwrap();
    let export = place.run(&["export", "fleet.export"]);
    export.refused(3, &["m0006_fewer_indexes is missing", "ffleet-coordinator migrate"]);
    let behind = place.run(&["check", "--json"]);
    assert_eq!(behind.code(), 1);
    let behind: Value = serde_json::from_str(&behind.out()).unwrap();
    assert_eq!(
        behind["tables"],
        serde_json::json!({ "up_to_date": false, "missing": ["m0006_fewer_indexes"], "newer": [] })
    );
    assert_eq!(place.run(&["migrate"]).out(), "applied m0006_fewer_indexes\nthe tables are up to date\n");
}

#[test]
fn a_check_says_what_is_wrong_and_changes_nothing() {
    let place = Place::initialized();
    let new = place.run(&["check"]);
    new.refused(1, &["one thing has to be looked after"]);
    assert!(new.out().contains("is not there yet") && new.out().contains("fix: run"), "{}", new.out());
    assert!(!place.path("ffleet.db").exists());

    assert_eq!(place.run(&["migrate"]).code(), 0);
    let unused = place.run(&["check", "--json"]).json();
    assert_eq!((&unused["master_key"], &unused["tables"]["up_to_date"]), (&"unused".into(), &true.into()));
    assert!(unused["server"].as_str().unwrap().starts_with("SQLite 3."), "{unused}");
    assert_eq!(place.run(&["account", "add", "root", "--role", "admin", "--out", "root.key"]).code(), 0);
    let before = std::fs::read(place.path("ffleet.db")).unwrap();
    let good = place.run(&["check"]);
    assert_eq!((good.code(), good.err().as_str()), (0, ""));
    assert!(
        good.out().contains("is that of this database") && good.out().contains("Nothing was found"),
        "{}",
        good.out()
    );

    std::fs::rename(place.path("master.key"), place.path("right.key")).unwrap();
    let lost = place.run(&["check"]);
    assert!(lost.code() == 1 && lost.out().contains("ffleet-coordinator init"), "{}", lost.out());
    assert_eq!(place.run(&["init", "--dir", "."]).code(), 0);
    let other = place.run(&["check"]);
    assert!(other.code() == 1 && other.out().contains("master_key.older"), "{}", other.out());
    let older = format!("[{:?}]", place.path("right.key"));
    let older = place.run_with(&["check", "--json"], &[("FFLEET_COORDINATOR_MASTER_KEY__OLDER", &older)]).json();
    assert_eq!((&older["master_key"], &older["findings"]), (&"older".into(), &serde_json::json!([])));
    assert_eq!(std::fs::read(place.path("ffleet.db")).unwrap(), before);

    std::fs::write(place.path("ffleet.db"), "this is no database").unwrap();
    let foreign = place.run(&["check"]);
    assert!(foreign.code() == 1 && foreign.out().contains("is no SQLite database"), "{}", foreign.out());
    assert!(place.run(&["check", "--help"]).out().contains("Exit codes:"));
    let help = place.run(&["export", "--help"]).out();
    assert!(help.split_whitespace().collect::<Vec<_>>().join(" ").contains("stop all coordinators first"), "{help}");
}

#[test]
fn an_installation_moves_into_another_database() {
    let place = Place::initialized();
    place.run(&["export", "fleet.export"]).refused(1, &["ffleet.db"]);
    assert_eq!(place.run(&["account", "add", "root", "--role", "admin", "--out", "root.key"]).code(), 0);
    let done = place.run(&["export", "fleet.export", "--json"]).json();
    assert_eq!((&done["rows"]["accounts"], &done["rows"]["jobs"]), (&1.into(), &0.into()));
    assert_eq!(mode(&place.path("fleet.export")), 0o600);
    assert!(!place.path("fleet.export.partial").exists());
    place.run(&["export", "fleet.export"]).refused(2, &["fleet.export exists", "name a new file"]);
    std::fs::write(place.path("other.partial"), "").unwrap();
    place.run(&["export", "other"]).refused(2, &["other.partial exists", "remove it"]);
    let piped = place.run(&["export", "-"]);
    assert_eq!(piped.code(), 0);
    let rows =
        |text: &str| text.lines().filter(|line| line.starts_with("{\"t\"")).map(str::to_owned).collect::<Vec<_>>();
    let written = std::fs::read_to_string(place.path("fleet.export")).unwrap();
    assert_eq!(rows(&piped.out()), rows(&written));
    assert!(piped.err().contains("what coordinators do after that is not in it"), "{}", piped.err());

    place.run(&["import", "fleet.export"]).refused(3, &["ffleet.db holds an installation already", "database.url"]);
    let url = format!("sqlite://{}", place.path("new.db").display());
    let new = [("FFLEET_COORDINATOR_DATABASE__URL", url.as_str())];
    let cut = &written[..written.trim_end().rfind('\n').unwrap() + 1];
    std::fs::write(place.path("cut.export"), cut).unwrap();
    place.run_with(&["import", "cut.export"], &new).refused(1, &["cut.export, line", "it was cut"]);
    place.run_with(&["import", "none.export"], &new).refused(1, &["none.export cannot be read"]);
    assert!(!place.path("new.db").exists());

    let done = place.run_with(&["import", "fleet.export"], &new);
    assert_eq!((done.code(), done.err().as_str()), (0, ""));
    assert!(done.out().starts_with("imported 3 rows, 0 jobs among them"), "{}", done.out());
    assert_eq!(place.run_with(&["check"], &new).code(), 0);
    let accounts = |vars: &[(&str, &str)]| place.run_with(&["account", "list"], vars).out();
    assert_eq!(accounts(&new), accounts(&[]));
}

#[test]
fn two_coordinators_of_one_database_have_one_master_key() {
    let place = Place::initialized();
    let mut first = Serving::start(&place);
    let other = place.path("other.key");
    std::fs::rename(place.path("master.key"), place.path("first.key")).unwrap();
    assert_eq!(place.run(&["init", "--dir", "."]).code(), 0);
    std::fs::rename(place.path("master.key"), &other).unwrap();
    let with_other = [("FFLEET_COORDINATOR_MASTER_KEY__FILE", other.to_str().unwrap())];
    let second = place.run_with(&["serve", "--listen", "127.0.0.1:0"], &with_other);
    second.refused(2, &["started with another master key", "master_key.file", "master_key.older"]);
    // The first one goes on as if nothing had happened.
    assert!(first.readiness().contains(" 200 "), "{}", first.readiness());
    first.signal(Signal::SIGTERM);
    first.read_until("stopped");
}

#[test]
fn a_coordinator_that_leaves_is_not_ready_and_ends_well() {
    let place = Place::initialized();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut serving = Serving::start(&place);
        assert!(serving.readiness().contains(" 200 "), "{}", serving.readiness());
        serving.signal(signal);
        serving.read_until("leaving");
        assert!(serving.readiness().contains(" 503 "), "{}", serving.readiness());
        serving.read_until("stopped");
        assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    let place = Place::initialized();
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let mut serving = Serving::start(&place);
        // A request that never ends would hold it for a long time.
        let mut endless = TcpStream::connect(&serving.address).unwrap();
        endless.write_all(b"POST /v1/jobs HTTP/1.1\r\ncontent-length: 10\r\n").unwrap();
        serving.signal(Signal::SIGTERM);
        serving.read_until("leaving");
        serving.signal(signal);
        assert_eq!(serving.child.wait().unwrap().code(), Some(code));
    }
}
