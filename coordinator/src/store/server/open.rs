//! Opening a database of a server: connections, what its settings promise, tables.

use std::{
    collections::BTreeSet,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use ffleet_migrations::{Migrator, MigratorTrait};
use ffleet_settings::SecretReaders;
use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector};
use secrecy::ExposeSecret;
use sqlx::{
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode},
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use super::{
    super::{
        Meter, Store, StoreError, Writing,
        clock::Clock,
        reader::Reader,
        recent::Recent,
        tables::{Tables, Versions, judge, tell_newer},
    },
    advice,
    link::{Link, Purpose, Target, failed},
    reader::Links,
    settings::{Finding, Settings},
    writer::Writer,
};
use crate::config::{Database, Verify};

/// Statements that stay prepared with each connection.
const PREPARED: usize = 512;
/// Coordinators that start together may be in each other's way; one that dies half way leaves the rest to the others.
const MIGRATING: Duration = Duration::from_secs(60);

/// Where to connect, as configured.
pub(in crate::store) fn target(database: &Database, readers: SecretReaders) -> Result<Target, StoreError> {
    let bad = |error: sqlx::Error| StoreError::Unavailable(format!("database.url is not understood: {error}"));
    // The certificates are read again for each connection, so that renewed ones are taken.
    let password = database.files(readers).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let password = password.as_ref().map(|secret| secret.expose_secret().trim_end().to_owned());
    let tls = &database.tls;
    let rest = database.url.split_once("://").map_or("", |(_, rest)| rest);
    if database.url.starts_with("postgres") {
        let mut options = PgConnectOptions::from_str(&database.url).map_err(bad)?.statement_cache_capacity(PREPARED);
        if let Some(password) = &password {
            options = options.password(password);
        }
        options = match tls.verify {
            Verify::Off => options,
            Verify::Encrypt => options.ssl_mode(PgSslMode::Require),
            Verify::Ca => options.ssl_mode(PgSslMode::VerifyCa),
            Verify::Full => options.ssl_mode(PgSslMode::VerifyFull),
        };
        if let Some(ca) = &tls.ca {
            options = options.ssl_root_cert(ca);
        }
        if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        return Ok(Target::Postgres(options));
    }
    let mut options = MySqlConnectOptions::from_str(&format!("mysql://{rest}"))
        .map_err(bad)?
        .statement_cache_capacity(PREPARED)
        .charset("utf8mb4")
        .pipes_as_concat(false);
    if let Some(password) = &password {
        options = options.password(password);
    }
    options = match tls.verify {
        Verify::Off => options,
        Verify::Encrypt => options.ssl_mode(MySqlSslMode::Required),
        Verify::Ca => options.ssl_mode(MySqlSslMode::VerifyCa),
        Verify::Full => options.ssl_mode(MySqlSslMode::VerifyIdentity),
    };
    if let Some(ca) = &tls.ca {
        options = options.ssl_ca(ca);
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    Ok(Target::MySql(options))
}

/// Connects, refuses what cannot work, and brings the tables up to date.
pub(in crate::store) async fn open(database: &Database, readers: SecretReaders) -> Result<Store, StoreError> {
    let target = Arc::new(target(database, readers)?);
    let found = usable(&target).await?;
    for finding in &found {
        tracing::warn!(fix = finding.fix, "{}", finding.what);
    }
    bring_up_to_date(&target).await?;
    let meter = Arc::new(Meter::default());
    let most = database.connections.max(2) as usize;
    let reader = |purpose| -> Result<Reader, StoreError> {
        Ok(Reader::Server(target.backend(), Links::new(target.clone(), purpose, most)?, meter.clone()))
    };
    Ok(Store {
        readers: reader(Purpose::Causal)?,
        hints: reader(Purpose::Plain)?,
        writing: Writing::Server(Writer::start(target.clone(), most, meter.clone())),
        clock: Clock::default(),
        recent: Recent::default(),
        findings: found.into(),
        meter,
        source: rand::random(),
    })
}

/// What the server's settings endanger; refuses those with which nothing can work.
async fn usable(target: &Target) -> Result<Vec<Finding>, StoreError> {
    let mut link = connected(target, Purpose::Plain).await.map_err(Finding::refusal)?;
    let unread = |error: sqlx::Error| {
        let fix = advice::connecting(&error.to_string());
        Finding::fatal(format!("{} does not tell its settings: {error}", target.place()), fix).refusal()
    };
    let found = Settings::read(&mut link).await.map_err(unread)?.findings();
    link.close().await.map_err(failed)?;
    match found.iter().find(|finding| finding.fatal) {
        None => Ok(found),
        Some(fatal) => Err(StoreError::Unavailable(format!("{}: {}; {}", target.place(), fatal.what, fatal.fix))),
    }
}

/// A connection, or why there is none.
pub(in crate::store) async fn connected(target: &Target, purpose: Purpose) -> Result<Link, Finding> {
    Link::open(target, purpose).await.map_err(|error| {
        Finding::fatal(format!("cannot connect to {}: {error}", target.place()), advice::connecting(&error.to_string()))
    })
}

/// Refuses what cannot work, and brings the tables up to date; says which changes of them were missing.
pub(in crate::store) async fn migrate(
    database: &Database,
    readers: SecretReaders,
) -> Result<BTreeSet<String>, StoreError> {
    let target = target(database, readers)?;
    usable(&target).await?;
    bring_up_to_date(&target).await
}

/// Every statement can be run again, so that it does not matter where another coordinator that does the same is, or where
/// one has died.
async fn bring_up_to_date(target: &Target) -> Result<BTreeSet<String>, StoreError> {
    let until = Instant::now() + MIGRATING;
    let mut lacking = BTreeSet::new();
    loop {
        match migrate_once(target, &mut lacking).await {
            Ok(()) => return Ok(lacking),
            Err(error @ StoreError::Unavailable(_)) => return Err(error),
            Err(error) if Instant::now() >= until => return Err(error),
            Err(error) => {
                tracing::info!(%error, "the tables are being changed by somebody else as well; trying again");
                tokio::time::sleep(Duration::from_millis(rand::random_range(50..500))).await;
            }
        }
    }
}

async fn migrate_once(target: &Target, lacking: &mut BTreeSet<String>) -> Result<(), StoreError> {
    let db = migrating(target).await.map_err(failed)?;
    let done = async {
        let place = target.place();
        let Versions { missing, newer } = judge(&place, &db, &Tables::of(target.backend())).await?;
        if !newer.is_empty() {
            tell_newer(&place, &newer);
            return Ok(());
        }
        lacking.extend(missing);
        Ok(Migrator::up(&db, None).await?)
    }
    .await;
    db.close().await?;
    done
}

/// A migration's statements follow each other over one connection.
async fn migrating(target: &Target) -> Result<DatabaseConnection, sqlx::Error> {
    Ok(match target {
        Target::MySql(options) => {
            let pool = MySqlPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
            SqlxMySqlConnector::from_sqlx_mysql_pool(pool)
        }
        Target::Postgres(options) => {
            let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
            SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
        }
    })
}
