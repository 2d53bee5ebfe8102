//! The files that operators copy, tried as they are: only ports, paths and addresses are this machine's.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Output},
};

use ffleet_protocol::state::JobStatus;
use ffleet_servers::{Authority, Front, Galera, HaProxy, MariaDb, PASSWORD, Shipped, free_port, galera_check, until};
use ffleet_tests::{Fleet, PATIENCE, Trial, job};
use tokio::task::spawn_blocking;

/// Runs a program to its end, and gives everything that it said.
fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    (output, said)
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn keepalived_takes_its_file_and_sees_whether_haproxy_lives() {
    let interface = fs::read_dir("/sys/class/net").unwrap().flatten().map(|entry| entry.file_name());
    let interface = interface.map(|name| name.into_string().unwrap()).find(|name| name != "lo");
    let interface = interface.expect("a network interface besides the loopback, which VRRP refuses");
    let folder = tempfile::tempdir().unwrap();
    let shipped = Shipped::read("keepalived/keepalived.conf").with("interface eth0", &format!("interface {interface}"));
    let port = free_port();
    let statistics = format!("http://127.0.0.1:{port}/alive");
    let file = shipped.with("http://127.0.0.1:8404/alive", &statistics);
    // Its exit code says nothing, see the file.
    let complaints = |text: &str| {
        let file = write(folder.path(), "keepalived.conf", text);
        let (_, said) = run(Command::new("/usr/sbin/keepalived").arg("-t").arg("-f").arg(file));
        said.replace("Terminated", "").trim().to_owned()
    };
    assert_eq!(complaints(file.text()), "");
    let misspelt = file.clone().with("nopreempt\n", "nopreemt\n");
    assert!(
        complaints(misspelt.text()).contains("Unknown keyword 'nopreemt'"),
        "it finds nothing wrong with a wrong file"
    );

    // And what it asks every two seconds is answered by HAProxy, and by nobody else.
    let script = file.text().lines().find_map(|line| line.trim().strip_prefix("script \"")).unwrap();
    let words: Vec<_> = script.trim_end_matches('"').split(' ').collect();
    let lives = || Command::new(words[0]).args(&words[1..]).status().expect("curl").success();
    assert!(!lives());
    let front = HaProxy::start(&Front { statistics: Some(port), ..Front::default() }.config());
    until("HAProxy says that it lives", lives);
    front.kill9();
    until("nobody says so any more", || !lives());
}

#[test]
fn systemd_takes_the_units_and_makes_their_users() {
    let folder = tempfile::tempdir().unwrap();
    let units = |programs: &str| {
        let units = [
            Shipped::read("systemd/ffleet-coordinator.service").with("/usr/local/bin/ffleet-coordinator", programs),
            Shipped::read("systemd/ffleet-worker.service").with("/usr/local/bin/ffleet-worker", programs),
            Shipped::read("mariadb/galera-check@.service").with("/usr/local/lib/ffleet/galera-check", programs),
            Shipped::read("mariadb/galera-check.socket"),
        ];
        let names =
            ["ffleet-coordinator.service", "ffleet-worker.service", "galera-check@.service", "galera-check.socket"];
        let units = names.iter().zip(&units).map(|(name, unit)| write(folder.path(), name, unit.text()));
        let units: Vec<_> = units.collect();
        run(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units))
    };
    let (verified, said) = units("/bin/true");
    assert!(verified.status.success() && said.is_empty(), "{said}");
    let (_, said) = units("/nowhere/program");
    assert!(said.contains("/nowhere/program"), "it finds nothing wrong with a wrong file");

    // In a folder that looks like a machine.
    fs::create_dir(folder.path().join("etc")).unwrap();
    write(folder.path(), "usr/lib/sysusers.d/ffleet.conf", Shipped::read("systemd/ffleet.sysusers").text());
    let (made, said) = run(Command::new("systemd-sysusers").arg(format!("--root={}", folder.path().display())));
    assert!(made.status.success(), "{said}");
    let lines = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
    for user in ["ffleet:", "ffleet-worker:"] {
        let users = lines("etc/passwd");
        let line = users.lines().find(|line| line.starts_with(user)).unwrap_or_else(|| panic!("no {user} in {users}"));
        assert!(
            line.contains(&format!("/var/lib/{}", user.trim_end_matches(':'))) && line.ends_with("nologin"),
            "{line}"
        );
    }
    for group in ["video", "render"] {
        let groups = lines("etc/group");
        let member = |line: &str| line.starts_with(group) && line.ends_with(":ffleet-worker");
        assert!(groups.lines().any(member), "{groups}");
    }
}

#[tokio::test]
async fn a_database_is_reached_by_whom_it_may_be_and_believed_when_it_proves_itself() {
    let authority = Authority::new("the installation's own");
    let names = authority.pem();
    let server = spawn_blocking(|| {
        let server = MariaDb::deployed(&authority, &["localhost"]);
        (server, authority)
    });
    let (server, authority) = server.await.unwrap();
    let trial = Trial::start().await;
    let ca = trial.file("ca.pem", &names);
    let stranger = Authority::new("somebody else's");
    let other = trial.file("stranger.pem", &stranger.pem());
    let password = trial.file("password", PASSWORD);
    let identity = |name: &str, of: &Authority| {
        let identity = of.client("coordinator");
        let certificate = trial.file(&format!("{name}.pem"), &identity.certificate);
        format!("certificate = {certificate:?}\nkey = {:?}\n", trial.file(&format!("{name}.key"), &identity.key))
    };
    let (own, strange) = (identity("own", &authority), identity("strange", &stranger));
    let config = |host: &str, tls: &str| {
        let url = server.deployed_url(host);
        format!("[database]\nurl = {url:?}\npassword_file = {password:?}\n\n[database.tls]\n{tls}")
    };
    let full = format!("verify = \"full\"\nca = {ca:?}\n");

    // Everything as it should be: the tables are made, and nothing about the shipped settings endangers a promise.
    for command in ["migrate", "check"] {
        let (code, said) = trial.says(&config("localhost", &full), &[command]).await;
        assert_eq!(code, 0, "{said}");
    }
    // Who does not ask for the name takes any that the authority has signed for.
    let signed = format!("verify = \"ca\"\nca = {ca:?}\n");
    assert_eq!(trial.says(&config("127.0.0.1", &signed), &["check"]).await.0, 0);

    let (believe, none, key) = ("set `database.tls.ca`", trial.dir().join("none.pem"), trial.dir().join("own.key"));
    for (host, tls, code, words) in [
        ("localhost", format!("verify = \"full\"\nca = {other:?}\n"), 1, ["UnknownIssuer", believe]),
        ("localhost", format!("verify = \"ca\"\nca = {other:?}\n"), 1, ["UnknownIssuer", believe]),
        ("localhost", "verify = \"full\"\n".to_owned(), 1, ["UnknownIssuer", believe]),
        ("127.0.0.1", full.clone(), 1, ["not valid for name", "write a name that it has into `database.url`"]),
        (
            "localhost",
            format!("verify = \"full\"\nca = {none:?}\n"),
            2,
            ["`database.tls.ca`", "none.pem cannot be read"],
        ),
        (
            "localhost",
            format!("verify = \"full\"\nca = {key:?}\n"),
            2,
            ["`database.tls.ca`", "holds no certificate in PEM"],
        ),
        ("localhost", format!("{full}certificate = {ca:?}\n"), 2, ["`database.tls.key`", "go together"]),
    ] {
        trial.refuses(&config(host, &tls), &["serve"], code, &words).await;
    }

    // The account is to show a certificate as well.
    server.sql("ALTER USER 'ffleet'@'127.0.0.%' REQUIRE X509");
    let wanted = ["Access denied", "REQUIRE X509", "`database.tls.certificate`"];
    trial.refuses(&config("localhost", &full), &["serve"], 1, &wanted).await;
    let refused = ["the server refuses this coordinator's certificate", "`database.tls.certificate`"];
    trial.refuses(&config("localhost", &format!("{full}{strange}")), &["serve"], 1, &refused).await;
    let (code, said) = trial.says(&config("localhost", &format!("{full}{own}")), &["check"]).await;
    assert_eq!(code, 0, "{said}");
    server.sql("ALTER USER 'ffleet'@'127.0.0.%' REQUIRE SSL");

    let _ = trial.file("password", "not the password");
    let wrong = ["Access denied", "check the user in `database.url`, `database.password_file`"];
    trial.refuses(&config("localhost", &full), &["serve"], 1, &wrong).await;
    let _ = trial.file("password", PASSWORD);
    server.sql("SET GLOBAL read_only = ON");
    trial.refuses(&config("localhost", &full), &["serve"], 1, &["read-only", "SET GLOBAL read_only = OFF"]).await;
}

/// What the check at this port says.
fn answer(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: galera\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn a_cluster_works_behind_haproxy_and_says_when_a_node_must_not_be_written_to() {
    let authority = Authority::new("the installation's own");
    let ca = authority.pem();
    let galera = spawn_blocking(move || Galera::deployed(&authority)).await.unwrap();
    let checks = galera.nodes().each_ref().map(|node| galera_check(node.check_account()));
    let nodes = [0, 1, 2].map(|n| (galera.nodes()[n].port(), checks[n]));
    let port = free_port();
    let _front = HaProxy::start(&Front { galera: Some((port, nodes)), ..Front::default() }.config());
    assert!(answer(checks[2]).ends_with("ready, Primary, Synced\n"), "{}", answer(checks[2]));
    let copied = galera.nodes()[1].sql("SELECT @@wsrep_sst_method, @@wsrep_node_name, @@collation_server");
    assert_eq!(copied, "mariabackup\tdb2\tutf8mb4_nopad_bin");

    let trial = Trial::start().await;
    let tls = format!("[database.tls]\nverify = \"full\"\nca = {:?}\n", trial.file("ca.pem", &ca));
    let url = |port: u16| format!("mysql://ffleet:{PASSWORD}@localhost:{port}/ffleet");
    let fleet = Fleet::setup().database_at([url(port)]).config(&tls).start().await;
    fleet.worker("box").await;
    let works = async |key: &str| {
        let id = fleet.api().submit(&job(["-fake-say", "x"]), key).await.unwrap().id;
        fleet.wait(id).until(JobStatus::Completed).await;
    };
    works("all-are-well").await;
    // At a node itself, past HAProxy.
    let at = |node: usize| format!("[database]\nurl = {:?}\n\n{tls}", url(galera.nodes()[node].port()));
    let (code, said) = trial.says(&at(0), &["check"]).await;
    assert!(said.contains("3 node(s), Primary; this one is Synced"), "{said}");
    // The master key is another one, and nothing else is wrong.
    assert!(code == 1 && said.contains("one thing has to be looked after"), "{said}");

    // The node that is written to loses the others: HAProxy is told, and a coordinator that came to it is.
    galera.nodes()[0].isolate();
    assert!(answer(checks[0]).starts_with("HTTP/1.1 503"), "{}", answer(checks[0]));
    let quorum = ["has no quorum", "docs/high-availability.md"];
    trial.refuses(&at(0), &["serve"], 1, &quorum).await;
    trial.refuses(&at(0), &["check"], 1, &quorum).await;
    works("one-is-cut-off").await;
    galera.nodes()[0].rejoin();

    // Nodes that are not set up alike.
    galera.nodes()[1].sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    trial.refuses(&at(1), &["check"], 1, &["innodb_flush_log_at_trx_commit is 2", "can be lost"]).await;
    galera.nodes()[2].sql("SET GLOBAL wsrep_forced_binlog_format = 'STATEMENT'");
    trial.refuses(&at(2), &["serve"], 1, &["wsrep_forced_binlog_format is STATEMENT", "on every node"]).await;
    galera.nodes()[2].sql("SET GLOBAL wsrep_forced_binlog_format = NONE, wsrep_on = OFF");
    trial.refuses(&at(2), &["serve"], 1, &["does not reach the other nodes", "wsrep_on = ON"]).await;
    galera.nodes()[2].sql("SET GLOBAL wsrep_on = ON");
    works("at-the-end").await;
}

#[tokio::test]
async fn brokers_that_cannot_be_used_are_named_with_what_to_do() {
    let nobody = "[notify.amqp]\nurls = [\"amqp://x@127.0.0.1:1/ffleet\"]\n\n[notify.mqtt]\nurls = [\"mqtts://x@127.0.0.1:1\"]\n";
    let fleet = Fleet::setup().config(nobody).start().await;
    let told = async {
        loop {
            let (status, ready) = fleet.coordinator().asked("/health/ready").await;
            assert_eq!(status, 200, "nothing needs a broker: {ready}");
            if ["`notify.amqp.urls`", "`notify.mqtt.urls`"].iter().all(|key| ready.contains(key)) {
                return ready;
            }
        }
    };
    let ready = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(ready.contains("carries no nudges since") && ready.contains("that the broker runs"), "{ready}");

    let trial = Trial::start().await;
    let no_pem = trial.file("no.pem", "this is no certificate");
    let database = format!("[database]\nurl = \"sqlite://{}\"\n\n", trial.dir().join("ffleet.db").display());
    for (section, words) in [
        (
            "amqp]\nca = \"none.pem\"\nurls = [\"amqps://x@b/v\"]".to_owned(),
            ["`notify.amqp.ca`", "none.pem cannot be read"],
        ),
        (
            format!("mqtt]\nca = {no_pem:?}\nurls = [\"mqtts://x@b\"]"),
            ["`notify.mqtt.ca`", "holds no certificate in PEM"],
        ),
        (
            "mqtt]\npassword_file = \"none\"\nurls = [\"mqtt://x@b\"]".to_owned(),
            ["`notify.mqtt.password_file`", "cannot read none"],
        ),
    ] {
        trial.refuses(&format!("{database}[notify.{section}\n"), &["serve"], 2, &words).await;
    }
}
