//! What goes out of one database and into another one is the same, and what is not whole goes nowhere.

use std::{collections::BTreeSet, path::Path};

use ffleet_protocol::job::{Need, Requirements};
use ffleet_servers::{Galera, MariaDb, Postgres};
use ffleet_settings::SecretReaders;
use sea_orm::{ConnectionTrait, Statement, sea_query::Query};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    super::{
        Store,
        commit::{Commit, Rows},
        needs::Needs,
        row,
    },
    *,
};
use crate::{
    auth::{self, InstallationError, Keyring},
    config::Database,
    domain::need_key,
};

const READERS: SecretReaders = SecretReaders::OwnerOnly;

fn at(url: &str) -> Database {
    Database { url: url.to_owned(), ..Database::default() }
}

fn file(folder: &Path, name: &str) -> String {
    format!("sqlite://{}/{name}", folder.display())
}

fn id(n: usize) -> Uuid {
    Uuid::from_u128(0x0199_7e5c_0000_7000_8000_0000_0000_0000 + n as u128)
}

fn need(program: &str) -> Need {
    Need { program: program.to_owned(), variables: BTreeSet::new(), requirements: Requirements::default() }
}

/// Texts that somebody may take for other ones, or for nothing.
const ODD: [&str; 9] =
    ["", " ", "a ", "A", "a", "cäse", "case\u{301}", "😀 \u{1}\u{7f}\n\r\t\"\\'`$1?", "{\"t\":\"jobs\",\"r\":[]}"];

fn job(n: usize) -> row::job::Model {
    let ended = n % 3 == 2;
    row::job::Model {
        id: id(n),
        requester: ODD[n % ODD.len()].to_owned(),
        version: i64::MAX - n as i64,
        status: if ended { "failed" } else { "pending" }.to_owned(),
        priority: if n.is_multiple_of(2) { i64::MIN } else { i64::MAX },
        policy: ODD[n % ODD.len()].to_owned(),
        created_at: 0,
        started_at: ended.then_some(-1),
        ended_at: ended.then_some(i64::MIN),
        outcome: ended.then(String::new),
        retry_of: (n % 5 == 1).then(Uuid::nil),
        monitored: i64::from(n.is_multiple_of(2)),
        follower: (n % 5 == 2).then(Uuid::max),
        beat: 0,
        client_until: (n % 5 == 3).then_some(0),
        purge_at: ended.then_some(1),
        retried_by: (n % 5 == 4).then(|| id(1)),
    }
}

fn task(n: usize) -> row::task::Model {
    let held = n % 3 == 1;
    row::task::Model {
        id: id(100_000 + n),
        job_id: id(n),
        requester: "alice".to_owned(),
        name: "main".to_owned(),
        version: 1,
        state: ["pending", "running", "failed"][n % 3].to_owned(),
        epoch: n as i64,
        need_id: if n.is_multiple_of(2) { 7 } else { 1_000 },
        neg_priority: i64::MIN,
        fair_key: i64::MAX,
        claim_need: n.is_multiple_of(3).then_some(7),
        claim_priority: n.is_multiple_of(3).then_some(-5),
        live_priority: (n % 3 != 2).then_some(-5),
        not_before: None,
        queue_deadline: n.is_multiple_of(3).then_some(i64::MAX),
        worker_id: held.then(|| "encoder-1".to_owned()),
        lease_until: held.then_some(5),
        holder_worker: held.then(String::new),
        holder_incarnation: held.then(|| id(3)),
        holder_token: held.then(Uuid::max),
        failures: 0,
        crashes: 1,
        rejections: 2,
        ran: i64::from(held),
        detail: "{}".to_owned(),
        signals: ODD[7].repeat(50),
        created_at: 9,
    }
}

fn event(n: usize) -> row::event::Model {
    row::event::Model {
        id: id(n),
        at: n as i64,
        job_id: id(1),
        task_id: id(2),
        requester: "alice".to_owned(),
        epoch: 1,
        from_state: n.is_multiple_of(2).then(|| "pending".to_owned()),
        to_state: "running".to_owned(),
        what: String::new(),
        actor: "😀".repeat(20),
        worker_id: (n % 2 == 1).then(|| "encoder-1".to_owned()),
        request_id: Uuid::nil(),
        source: 0,
    }
}

/// Rows in every table but that of needs; of some, more than one page.
fn rows() -> Rows {
    let bytes: Vec<u8> = (0..=255).collect();
    let mut rows = Rows::default();
    rows.installations.push(row::installation::Model { id: 1, fingerprint: bytes.clone(), created_at: -3 });
    for (n, text) in ODD.into_iter().enumerate() {
        rows.accounts.push(row::account::Model {
            id: text.to_owned(),
            role: "client".to_owned(),
            enabled: (n % 2) as i64,
            scope: text.to_owned(),
            created_at: i64::MAX,
            version: i64::MIN,
        });
        rows.keys.push(row::account_key::Model {
            key_id: text.to_owned(),
            account_id: "alice".to_owned(),
            sealed: bytes.iter().copied().skip(n).collect(),
            master_key_id: String::new(),
            created_at: 0,
            expires_at: n.is_multiple_of(2).then_some(0),
        });
        rows.workers.push(row::worker::Model {
            id: text.to_owned(),
            account_id: "w".to_owned(),
            version: 1,
            state: "draining".to_owned(),
            paused: 1,
            incarnation: id(n),
            program_version: "0.1.0".to_owned(),
            capabilities: text.repeat(3_000),
            beat: -1,
            registered_at: 0,
            seen_at: 0,
            hearing: None,
        });
        rows.idempotency.push(row::idempotency::Model {
            account_id: "alice".to_owned(),
            idempotency_key: text.to_owned(),
            body_hash: Vec::new(),
            job_id: id(n),
            nonce: n.is_multiple_of(2).then(|| text.to_owned()),
            created_at: 0,
        });
        rows.nonces.push(row::nonce::Model {
            key_id: text.to_owned(),
            nonce: text.to_owned(),
            request_id: id(n),
            expires_at: 0,
        });
        rows.identities.push(row::job_identity::Model {
            account_id: text.to_owned(),
            identity: text.to_owned(),
            job_id: id(n),
        });
    }
    for n in 0..700 {
        rows.jobs.push(job(n));
        rows.tasks.push(task(n));
        // One that many share, so that a page begins within it.
        let (label_key, label_value) = ("show".to_owned(), if n < 600 { "x" } else { "y" }.to_owned());
        rows.labels.push(row::job_label::Model { label_key, label_value, job_id: id(n) });
        rows.deps.push(row::task_dep::Model { task_id: id(n / 10), job_id: id(n) });
    }
    for n in 0..40 {
        rows.specs.push(row::job_spec::Model { job_id: id(n), spec: ODD[n % 9].to_owned(), warnings: "[]".to_owned() });
        rows.outputs.push(row::output::Model {
            task_id: id(n),
            version: 1,
            epoch: 2,
            next_seq: 3,
            kept_bytes: 4,
            stdout_bytes: 5,
            stdout_taken: 6,
            stdout_lost: 7,
            progress: n.is_multiple_of(2).then(String::new),
            progress_at: n.is_multiple_of(2).then_some(i64::MIN),
        });
        rows.chunks.push(row::chunk::Model {
            task_id: id(n / 20),
            epoch: (n / 10) as i64,
            batch_first: (n / 2) as i64,
            stream: ["stderr", "stdout"][n % 2].to_owned(),
            batch_last: 9,
            bytes: 256,
            has_cr: 0,
            thinned: 1,
            data: bytes.repeat(n * 20),
        });
        rows.attempts.push(row::attempt::Model {
            task_id: id(n / 3),
            epoch: (n % 3) as i64,
            job_id: id(n),
            worker_id: "encoder-1".to_owned(),
            incarnation: id(0),
            token: id(n),
            grant_no: 0,
            claimed_at: 0,
            started_at: None,
            ended_at: n.is_multiple_of(2).then_some(0),
            end_kind: n.is_multiple_of(2).then(String::new),
            exit_code: n.is_multiple_of(2).then_some(-1),
            exit_signal: None,
            failure: None,
            message: (n % 2 == 1).then(|| ODD[n % 9].to_owned()),
        });
    }
    rows.events = (0..1_203).map(event).collect();
    rows
}

async fn fill(url: &str, rows: Rows) {
    let store = Store::open(url).await.unwrap();
    let mut commit = Commit { rows, ..Commit::default() };
    for (id, program) in [(7_i64, "ffmpeg"), (1_000, "ffprobe")] {
        use row::need::Column as C;
        let mut insert = Query::insert();
        insert.into_table(row::need::Entity).columns([C::Id, C::Canonical, C::CreatedAt]).values_panic([
            id.into(),
            need_key(&need(program)).into(),
            0_i64.into(),
        ]);
        commit.inserts.push(insert);
    }
    store.commit(commit).await.unwrap();
}

async fn exported(url: &str) -> Result<String, TransferError> {
    let mut out = Vec::new();
    export(&at(url), READERS, &mut out, &mut |_| {}).await?;
    Ok(String::from_utf8(out).unwrap())
}

async fn imported(url: &str, text: &str, anew: bool) -> Result<Imported, TransferError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export");
    std::fs::write(&file, text).unwrap();
    import(&at(url), READERS, &file, anew, &mut |_| {}).await
}

/// The rows, without the first line, which has a time in it, and the last one, which adds that up.
fn body(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    lines[1..lines.len() - 1].to_vec()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines = body(text);
    lines.sort_unstable();
    lines
}

/// Puts lines together with a last one that fits.
fn sealed(lines: &[String], rows: &Value) -> String {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let sha256: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{text}{}\n", serde_json::json!({ "rows": rows, "sha256": sha256 }))
}

fn parts(text: &str) -> (Vec<String>, Value) {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last: Value = serde_json::from_str(&lines.pop().unwrap()).unwrap();
    (lines, last["rows"].clone())
}

fn said<T: std::fmt::Debug>(result: Result<T, TransferError>) -> String {
    format!("{:#}", anyhow::Error::from(result.unwrap_err()))
}

#[tokio::test]
async fn every_database_gives_what_any_other_one_has_taken() {
    let folder = tempfile::tempdir().unwrap();
    let first = file(folder.path(), "first.db");
    fill(&first, rows()).await;
    let text = exported(&first).await.unwrap();
    let servers = spawn_blocking(|| {
        let [one, other, _] = Galera::shared().database();
        [(MariaDb::shared().database(), None), (Postgres::shared().database(), None), (one, Some(other))]
    });
    let last = file(folder.path(), "last.db");
    let mut all: Vec<(String, Option<String>)> = servers.await.unwrap().into();
    all.push((last.clone(), None));
    let mut travelling = text.clone();
    for (url, other_node) in all {
        let done = imported(&url, &travelling, false).await.unwrap();
        assert_eq!((done.rows["jobs"], done.rows["events"], done.rows["needs"]), (700, 1_203, 2), "{url}");
        let read_at = other_node.unwrap_or(url);
        travelling = exported(&read_at).await.unwrap();
        assert_eq!(sorted(&travelling), sorted(&text), "{read_at}");
        // A need that is new gets an id that no other one has.
        let store = Store::open(&read_at).await.unwrap();
        let needs = Needs::default();
        let new = needs.id(&store, &need("fresh"), 100).await.unwrap().unwrap();
        assert!(new > 1_000, "{read_at}: {new}");
        assert_eq!(needs.id(&store, &need("ffmpeg"), 100).await.unwrap(), Some(7));
    }
    // The last of them was read before it was given a need of its own.
    assert_eq!(body(&travelling), body(&text));
}

#[tokio::test]
async fn events_stay_in_the_order_in_which_they_were_committed() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from.db", "to.db"].map(|name| file(folder.path(), name));
    let mut some = rows();
    some.events.reverse();
    fill(&from, some).await;
    let text = exported(&from).await.unwrap();
    imported(&to, &text, false).await.unwrap();
    assert_eq!(body(&exported(&to).await.unwrap()), body(&text));
    let store = Store::open(&to).await.unwrap();
    let sql = "SELECT at FROM events ORDER BY rowid LIMIT 1";
    let first = store.reader().query_one_raw(Statement::from_string(sea_orm::DbBackend::Sqlite, sql)).await.unwrap();
    assert_eq!(first.unwrap().try_get_by_index::<i64>(0).unwrap(), 1_202);
}

#[tokio::test]
async fn every_table_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = file(folder.path(), "ffleet.db");
    let store = Store::open(&url).await.unwrap();
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> \
               'seaql_migrations'";
    let there = store.reader().query_all_raw(Statement::from_string(sea_orm::DbBackend::Sqlite, sql)).await.unwrap();
    let there: BTreeSet<String> = there.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    assert_eq!(there, tables().iter().map(|table| table.name.to_owned()).collect());
}

#[tokio::test]
async fn what_is_not_whole_or_of_another_version_goes_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from.db", "to.db"].map(|name| file(folder.path(), name));
    fill(&from, rows()).await;
    let text = exported(&from).await.unwrap();
    let without_last = text.trim_end().rfind('\n').unwrap() + 1;
    let changed = |what: &str, with: &str| {
        assert!(text.contains(what), "{what}");
        text.replacen(what, with, 1)
    };
    let cut = "it was cut";
    for (name, text, words) in [
        ("nothing", String::new(), ["line 1", "the file is empty"]),
        ("something else", "[database]\n".to_owned(), ["line 1", "no export of ffleet"]),
        ("half a line", text[..text.floor_char_boundary(text.len() / 2)].to_owned(), [cut, "copy or export it again"]),
        ("no last line", text[..without_last].to_owned(), [cut, "copy or export it again"]),
        ("half of the last line", text[..text.len() - 20].to_owned(), [cut, "copy or export it again"]),
        ("more behind it", format!("{text}x"), ["more behind the last line", "again"]),
        ("another letter", changed("encoder-1", "encoder-2"), ["SHA-256", "again"]),
        ("another number", changed(",7,", ",8,"), ["SHA-256", "again"]),
        ("no row", changed("{\"t\":\"events\",", "{\"t\":\"nights\","), ["nights", "no such table"]),
        ("a value too many", changed("{\"t\":\"jobs\",\"r\":[", "{\"t\":\"jobs\",\"r\":[1,"), ["(jobs)", "18 values"]),
        ("another format", changed("\"format\":1", "\"format\":2"), ["format 2", "version 0.1.0"]),
        ("a newer version", changed("m0006_fewer", "m9999_fewer"), ["m9999_fewer_indexes", "does not know"]),
    ] {
        let said = said(imported(&to, &text, false).await);
        for word in words {
            assert!(said.contains(word), "{name}: {said}");
        }
        assert!(!folder.path().join("to.db").exists(), "{name}");
    }
}

#[tokio::test]
async fn a_database_that_holds_something_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from.db", "to.db"].map(|name| file(folder.path(), name));
    fill(&from, rows()).await;
    let text = exported(&from).await.unwrap();
    let mut other = rows();
    other.events.truncate(1);
    other.jobs.truncate(0);
    fill(&to, other).await;
    let before = exported(&to).await.unwrap();
    for anew in [false, true] {
        let said = said(imported(&to, &text, anew).await);
        assert!(said.contains("to.db holds an installation already") && said.contains("empty database"), "{said}");
    }
    assert_eq!(body(&exported(&to).await.unwrap()), body(&before));
}

#[tokio::test]
async fn a_database_that_nobody_has_used_yet_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from.db", "to.db"].map(|name| file(folder.path(), name));
    fill(&from, rows()).await;
    let text = exported(&from).await.unwrap();
    assert!(said(exported(&to).await).contains("to.db"));
    let store = Store::open(&to).await.unwrap();
    assert!(said(exported(&to).await).contains("no coordinator has served it"));
    auth::admit(&store, &Keyring::new([1; 32].into(), [])).await.unwrap();
    Needs::default().id(&store, &need("left"), 100).await.unwrap();
    drop(store);
    imported(&to, &text, false).await.unwrap();
    assert_eq!(body(&exported(&to).await.unwrap()), body(&text));
}

/// A row that no database takes stands for whatever ends an import half way.
async fn an_import_that_was_not_finished_begins_anew_on(to: &str) {
    let folder = tempfile::tempdir().unwrap();
    let from = file(folder.path(), "from.db");
    fill(&from, rows()).await;
    let text = exported(&from).await.unwrap();
    let (lines, counts) = parts(&text);
    let spoiled: Vec<String> = lines.iter().map(|line| line.replace("\"draining\"", "\"dancing\"")).collect();
    let what = said(imported(to, &sealed(&spoiled, &counts), false).await);
    assert!(what.contains("rows of workers before line") && what.contains("import --anew"), "{what}");

    let store = Store::open(to).await.unwrap();
    let refused = auth::admit(&store, &Keyring::new([1; 32].into(), [])).await.unwrap_err();
    assert!(matches!(refused, InstallationError::UnfinishedImport), "{refused}");
    drop(store);
    assert!(said(exported(to).await).contains("not finished"));
    let again = said(imported(to, &text, false).await);
    assert!(again.contains("not finished") && again.contains("import --anew"), "{again}");

    imported(to, &text, true).await.unwrap();
    assert_eq!(sorted(&exported(to).await.unwrap()), sorted(&text));
}

#[tokio::test]
async fn an_import_that_was_not_finished_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (mariadb, postgres) =
        spawn_blocking(|| (MariaDb::shared().database(), Postgres::shared().database())).await.unwrap();
    for to in [file(folder.path(), "to.db"), mariadb, postgres] {
        Box::pin(an_import_that_was_not_finished_begins_anew_on(&to)).await;
    }
}

#[tokio::test]
async fn what_an_older_version_wrote_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from.db", "to.db"].map(|name| file(folder.path(), name));
    fill(&from, rows()).await;
    let text = exported(&from).await.unwrap();
    let (mut lines, mut counts) = parts(&text);
    lines.retain(|line| !line.starts_with("{\"t\":\"job_identities\""));
    counts.as_object_mut().unwrap().remove("job_identities");
    let mut header: Value = serde_json::from_str(&lines[0]).unwrap();
    header["schema"].as_array_mut().unwrap().truncate(2);
    header["tables"].as_object_mut().unwrap().remove("job_identities");
    let columns = header["tables"]["jobs"].as_array_mut().unwrap();
    assert_eq!(columns.pop().unwrap(), "retried_by");
    lines[0] = header.to_string();
    for line in lines.iter_mut().filter(|line| line.starts_with("{\"t\":\"jobs\"")) {
        let mut row: Value = serde_json::from_str(line).unwrap();
        row["r"].as_array_mut().unwrap().pop();
        *line = format!("{{\"t\":\"jobs\",\"r\":{}}}", row["r"]);
    }
    let done = imported(&to, &sealed(&lines, &counts), false).await.unwrap();
    assert_eq!((done.rows["jobs"], done.rows.get("job_identities")), (700, None));
    let back = exported(&to).await.unwrap();
    assert!(
        body(&back).iter().filter(|line| line.starts_with("{\"t\":\"jobs\"")).all(|line| line.ends_with(",null]}"))
    );
}
