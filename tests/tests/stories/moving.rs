//! An installation moves from its file to MariaDB, with the commands that operators use.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Instant};

use ffleet_protocol::{
    account::Scope,
    sign::content_digest,
    state::{JobStatus, Role},
};
use ffleet_servers::MariaDb;
use ffleet_tests::{Fleet, job, load::fill::multiply, program, spec, stderr_text};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, Row, SqliteConnection, query, query_scalar};
use tokio::task::spawn_blocking;

const ENDED: u64 = 9_980;
const PENDING: usize = 20;
const ACCOUNTS: usize = 50;
/// What the only job says that is there at first. Each of its copies says its number instead.
const SAID: &str = "Q7W3ZK9V";

#[tokio::test]
async fn ten_thousand_jobs_their_logs_and_the_accounts_arrive_as_they_were() {
    let fleet = Fleet::start().await;
    let worker = fleet.worker("box").await;
    let labelled = spec(["-fake-say", &format!("line {SAID}")], json!({ "labels": { "show": "pilot" } }));
    let first = fleet.submit(&labelled).await;
    fleet.wait(first).until(JobStatus::Completed).await;
    assert!(worker.term().await.success());
    fleet.coordinator().process().term().await;
    fill(fleet.database()).await;
    fleet.coordinator().restart().await;
    for n in 0..PENDING {
        fleet.submit(&job(["-fake-say", &format!("pending {n} é😀\n")])).await;
    }
    for n in 0..ACCOUNTS {
        fleet.account(&format!("guest-{n}"), Role::Client, Scope::default()).await;
    }
    fleet.coordinator().process().term().await;

    // As docs/high-availability.md says: export, another `database.url` and nothing else, import.
    let before = checksums(&mut File(SqliteConnection::connect(fleet.database()).await.unwrap())).await;
    let (config, exported) = (fleet.dir().join("coordinator-1.toml"), fleet.dir().join("fleet.export"));
    let told = command(&config, &["export"], &exported);
    let url = spawn_blocking(|| MariaDb::shared().database()).await.unwrap();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&format!("sqlite://{}", fleet.database()), &url)).unwrap();
    assert!(told.contains("10000 jobs among them"), "{told}");
    let told = command(&config, &["import"], &exported);
    assert!(told.contains("10000 jobs among them"), "{told}");
    let after = checksums(&mut Server(MySqlConnection::connect(&url).await.unwrap())).await;
    assert_eq!(after, before);
    for (table, (rows, checksum)) in &after {
        println!("{table:<16} {rows:>6} {checksum}");
    }
    assert_eq!((after["jobs"].0, after["log_chunks"].0, after["accounts"].0), (10_000, 9_980, ACCOUNTS + 3));

    // Keys, jobs and logs are those of before, and what was waiting goes on.
    fleet.coordinator().restart().await;
    let server = query_scalar::<_, Vec<u8>>("SELECT id FROM jobs ORDER BY id LIMIT 1 OFFSET 1234");
    let some: Vec<u8> = server.fetch_one(&mut MySqlConnection::connect(&url).await.unwrap()).await.unwrap();
    let some = uuid::Uuid::from_slice(&some).unwrap().to_string().parse().unwrap();
    let said = stderr_text(&fleet.wait(some).everything().await);
    let spec = serde_json::to_string(&fleet.api().job(some).await.unwrap().spec).unwrap();
    assert!(
        said[0].starts_with("line ") && spec.contains(said[0].trim_end()) && !spec.contains(SAID),
        "{said:?} {spec}"
    );
    worker.restart().await;
    let newest = fleet.newest().await;
    fleet.wait(newest).until(JobStatus::Completed).await;
    fleet.cancel_all().await;
}

/// Copies of the only job; each says and is asked to say something else.
async fn fill(database: &str) {
    multiply(Path::new(database), ENDED).await.unwrap();
    let mut db = SqliteConnection::connect(database).await.unwrap();
    // The last digits of a copy's ids are its number.
    let number = |id: &str| format!("substr(hex({id}), 25, 8)");
    for sql in [
        format!("UPDATE job_specs SET spec = replace(spec, '{SAID}', {})", number("job_id")),
        format!("UPDATE log_chunks SET data = unhex(replace(hex(data), hex('{SAID}'), hex({})))", number("task_id")),
    ] {
        db.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let distinct: i64 = query_scalar("SELECT COUNT(DISTINCT data) FROM log_chunks").fetch_one(&mut db).await.unwrap();
    assert_eq!(u64::try_from(distinct).unwrap(), ENDED);
    db.close().await.unwrap();
}

/// Runs the released program; gives what it tells.
fn command(config: &Path, words: &[&str], file: &Path) -> String {
    let began = Instant::now();
    let mut program = Command::new(program("ffleet-coordinator"));
    let ended = program.env("FFLEET_COORDINATOR_CONFIG", config).args(words).arg(file).output().unwrap();
    let told = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    assert!(ended.status.success(), "{words:?}: {told}");
    println!("{} took {:.1} s: {}", words[0], began.elapsed().as_secs_f64(), told.trim_end());
    told
}

/// A database, read without anything of the product.
trait Plain {
    /// Its tables, and of each the columns, and which of them are numbers.
    async fn columns(&mut self) -> Vec<(String, String, bool)>;
    /// A column as text that is the same in every database: `n`, a number, or bytes in hexadecimal digits.
    fn text(column: &str, number: bool) -> String;
    /// Texts that stand behind each other in one.
    fn joined(texts: &[String]) -> String;
    async fn lines(&mut self, sql: String) -> Vec<String>;
}

struct File(SqliteConnection);
struct Server(MySqlConnection);

impl Plain for File {
    async fn columns(&mut self) -> Vec<(String, String, bool)> {
        let sql = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
            WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'seaql_migrations'";
        let rows = query(sql).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), false)).collect()
    }

    fn text(column: &str, _number: bool) -> String {
        format!("CASE typeof({column}) WHEN 'null' THEN 'n' WHEN 'integer' THEN {column} ELSE 'x' || hex({column}) END")
    }

    fn joined(texts: &[String]) -> String {
        texts.join(" || ' ' || ")
    }

    async fn lines(&mut self, sql: String) -> Vec<String> {
        query_scalar(AssertSqlSafe(sql)).fetch_all(&mut self.0).await.unwrap()
    }
}

impl Plain for Server {
    async fn columns(&mut self) -> Vec<(String, String, bool)> {
        let sql = "SELECT table_name, column_name, data_type LIKE '%int' FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name <> 'seaql_migrations' AND is_generated = 'NEVER'";
        let rows = query(sql).fetch_all(&mut self.0).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get::<i64, _>(2) == 1)).collect()
    }

    fn text(column: &str, number: bool) -> String {
        if number {
            format!("IFNULL(CAST(`{column}` AS CHAR), 'n')")
        } else {
            format!("IFNULL(CONCAT('x', HEX(`{column}`)), 'n')")
        }
    }

    fn joined(texts: &[String]) -> String {
        format!("CONCAT_WS(' ', {})", texts.join(", "))
    }

    async fn lines(&mut self, sql: String) -> Vec<String> {
        query_scalar(AssertSqlSafe(sql)).fetch_all(&mut self.0).await.unwrap()
    }
}

/// Of each table how many rows it has, and the SHA-256 of all of them with the names of their columns.
async fn checksums<D: Plain>(db: &mut D) -> BTreeMap<String, (usize, String)> {
    let mut tables = BTreeMap::<String, Vec<(String, bool)>>::new();
    for (table, column, number) in db.columns().await {
        tables.entry(table).or_default().push((column, number));
    }
    let mut checksums = BTreeMap::new();
    for (table, mut columns) in tables {
        columns.sort();
        let texts: Vec<_> = columns.iter().map(|(column, number)| D::text(column, *number)).collect();
        let mut lines = db.lines(format!("SELECT {} FROM {table}", D::joined(&texts))).await;
        lines.sort_unstable();
        let names: Vec<_> = columns.into_iter().map(|(column, _)| column).collect();
        let whole = format!("{}\n{}", names.join(" "), lines.join("\n"));
        checksums.insert(table, (lines.len(), content_digest(whole.as_bytes())));
    }
    checksums
}
