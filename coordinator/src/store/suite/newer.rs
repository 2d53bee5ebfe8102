//! Tables of the version after this one. That version is not there yet, so its changes are made by hand.

use ffleet_protocol::{
    id::{AccountId, Incarnation, WorkerId},
    worker::Capabilities,
};
use sea_orm::{ConnectionTrait, Database};

use super::*;
use crate::{domain::Standing, store::workers::WorkerRow};

/// What changes of tables may do: see `ffleet_migrations`.
const ADDITIONS: [&str; 4] = [
    "ALTER TABLE workers ADD COLUMN mood VARCHAR(16) NULL",
    "ALTER TABLE jobs ADD COLUMN colour BIGINT NOT NULL DEFAULT 7",
    "CREATE TABLE moods (id BIGINT NOT NULL PRIMARY KEY)",
    "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9998_moods', 0)",
];

async fn execute(url: &str, statements: &[&str]) {
    let database = Database::connect(url).await.unwrap();
    for statement in statements {
        database.execute_unprepared(statement).await.unwrap();
    }
    database.close().await.unwrap();
}

pub(super) fn worker(now: Timestamp) -> WorkerRow {
    let account: AccountId = "farm".parse().unwrap();
    let id: WorkerId = "newfangled".parse().unwrap();
    WorkerRow {
        id,
        account,
        version: 0,
        standing: Standing::NEW,
        incarnation: Incarnation::new(),
        program_version: "9.9.9".to_owned(),
        capabilities: Capabilities { slots: 4, ..Capabilities::default() },
        beat: 0,
        registered_at: now,
        seen_at: now,
        hearing: None,
    }
}

/// Back to the version before, or a coordinator of it that is started again while the others are brought up to date.
pub(super) async fn an_older_coordinator_starts_on_tables_that_were_added_to(url: &str) {
    execute(url, &ADDITIONS).await;
    let store = &Nodes::of(vec![Store::open(url).await.unwrap()]);
    let id = job(store).await;
    let held = holder("older");
    let seen = run(store, id, &held).await;
    assert_eq!(seen.job.status, JobStatus::Running, "it works there as before");

    what_newer_ones_wrote_stays(store, url).await;

    let broken = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_break_words', 0)";
    execute(url, &[broken]).await;
    let refused = Store::open(url).await.unwrap_err().to_string();
    assert!(refused.contains("m9999_break_words") && refused.contains("install that version"), "{refused}");
    execute(url, &["DELETE FROM seaql_migrations WHERE version LIKE 'm999%'"]).await;
}

/// A heartbeat through an older coordinator changes nothing of what a newer one knows about the worker, and a need that only
/// newer ones understand keeps no other task from being claimed.
async fn what_newer_ones_wrote_stays(store: &Nodes, url: &str) {
    let new = worker(store.now().await.unwrap());
    store.commit(new.commit()).await.unwrap();
    let more = r#"{"slots":4,"programs":{},"variables":{},"tags":[],"memory_mib":64000}"#;
    let hearing = r#"{"by":"carrier_pigeon","perch":3}"#;
    let update = format!("UPDATE workers SET capabilities = '{more}', hearing = '{hearing}' WHERE id = 'newfangled'");
    execute(url, &[&update]).await;

    let before = store.worker(&new.id).await.unwrap().unwrap();
    assert_eq!(before.capabilities.slots, 4, "what is known of it is read");
    let beaten = WorkerRow { beat: 1, ..before.clone() };
    store.commit(beaten.since(&before)).await.unwrap();
    assert_eq!(store.worker(&new.id).await.unwrap().unwrap().beat, 1);
    let left = format!("SELECT COUNT(*) FROM workers WHERE capabilities = '{more}' AND hearing = '{hearing}'");
    let database = Database::connect(url).await.unwrap();
    let asked = sea_orm::Statement::from_string(database.get_database_backend(), left);
    let row = database.query_one_raw(asked).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<i64>(0).unwrap(), 1, "word for word");
    database.close().await.unwrap();

    let all = Needs::default();
    let known = all.all(store).await.unwrap().len();
    let canonical = r#"{"program":"ffmpeg","variables":[],"moods":["good"]}"#;
    execute(url, &[&format!("INSERT INTO needs (canonical, created_at) VALUES ('{canonical}', 0)")]).await;
    assert_eq!(all.all(store).await.unwrap().len(), known, "it is left to those who know it");
    let other: Need = serde_json::from_str(r#"{"program":"ffprobe","variables":["Later"]}"#).unwrap();
    assert!(all.id(store, &other, 1_000).await.unwrap().is_some(), "and is in nobody's way");
}
