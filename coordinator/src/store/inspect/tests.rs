//! Real servers, as they are and as they must not be.

use ffleet_servers::{Galera, MariaDb, Postgres};
use ffleet_settings::SecretReaders;
use tokio::task::spawn_blocking;

use super::*;
use crate::store::Store;

async fn look(url: &str) -> Inspection {
    inspect(&Database { url: url.to_owned(), ..Database::default() }, SecretReaders::OwnerOnly).await
}

fn whats(seen: &Inspection) -> Vec<&str> {
    seen.findings.iter().map(|finding| finding.what.as_str()).collect()
}

/// The same address for somebody else.
fn of_another(url: &str, user: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    format!("{scheme}://{user}:looks@{}", rest.split_once('@').unwrap().1)
}

fn database(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_server_as_it_should_be_is_not_blamed() {
    let servers = || [MariaDb::shared().database(), Postgres::shared().database()];
    for url in spawn_blocking(servers).await.unwrap() {
        assert_eq!(whats(&look(&url).await), ["there are no tables yet"], "{url}");
        drop(Store::open(&url).await.unwrap());
        let seen = look(&url).await;
        assert_eq!(whats(&seen), Vec::<&str>::new(), "{url}");
        assert!(seen.up_to_date && seen.fingerprint.is_none() && seen.cluster.is_none(), "{seen:?}");
        assert!(seen.server.contains("MariaDB") || seen.server.starts_with("PostgreSQL 1"), "{}", seen.server);
    }
}

#[tokio::test]
async fn a_cluster_says_how_many_it_is() {
    let [url, ..] = spawn_blocking(|| Galera::shared().database()).await.unwrap();
    let seen = look(&url).await;
    let cluster = seen.cluster.as_ref().unwrap();
    assert_eq!((cluster.size.as_str(), cluster.status.as_str(), cluster.state.as_str()), ("3", "Primary", "Synced"));
    assert!(!seen.findings.iter().any(|finding| finding.fatal), "{seen:?}");
}

#[tokio::test]
async fn whoever_may_only_look_is_told() {
    let servers = || (MariaDb::shared().database(), Postgres::shared().database());
    let (mariadb, postgres) = spawn_blocking(servers).await.unwrap();
    for url in [&mariadb, &postgres] {
        drop(Store::open(url).await.unwrap());
    }
    let (m, p) = (database(&mariadb).to_owned(), database(&postgres).to_owned());
    let (at_mariadb, at_postgres) = (format!("looks_{m}"), format!("looks_{p}"));
    let all = [of_another(&mariadb, &at_mariadb), of_another(&postgres, &at_postgres)];
    let granting = move || {
        let user = format!("'{at_mariadb}'@'%'");
        MariaDb::shared().sql(&format!("CREATE USER {user} IDENTIFIED BY 'looks'; GRANT SELECT ON `{m}`.* TO {user}"));
        Postgres::shared().sql(&format!("CREATE ROLE {at_postgres} LOGIN PASSWORD 'looks'"));
        Postgres::shared().sql_in(&p, &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {at_postgres}"));
    };
    spawn_blocking(granting).await.unwrap();
    for url in &all {
        let seen = look(url).await;
        let said = whats(&seen).join("\n");
        for word in
            ["may not INSERT in installation, accounts", "may not UPDATE in", "may not DELETE in", "lacks CREATE"]
        {
            assert!(said.contains(word), "{url}: {word:?} is missing in {said}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_finding() {
    let seen = look("mysql://ffleet@127.0.0.1:1/ffleet").await;
    assert!(
        seen.findings[0].fatal && seen.findings[0].what.contains("cannot connect to 127.0.0.1:1/ffleet"),
        "{seen:?}"
    );
}
