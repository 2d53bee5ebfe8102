//! Opening a database of SQLite: connections, durability, tables.

use std::{
    fs::OpenOptions,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ffleet_migrations::{Migrator, MigratorTrait};
use rusqlite::{Connection, OpenFlags};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, sqlx::sqlite};

use super::{
    Meter, Store, StoreError, Writing, checkpoint,
    clock::Clock,
    reader::Reader,
    recent::Recent,
    server::Finding,
    tables::{Tables, Versions, judge, tell_newer},
    writer::Writer,
};

/// Connections that read at the same time. Each has a thread and a cache of its own.
const READERS: u32 = 4;
/// Caches of pages, in KiB. Behind them is the kernel's, which all share.
const READER_CACHE: i64 = 2 * 1024;
const WRITER_CACHE: i64 = 8 * 1024;
/// The log's file keeps so many bytes when it begins anew.
const LOG_LIMIT: i64 = 64 * 1024 * 1024;
/// How long a connection waits for another program that writes.
const BUSY: Duration = Duration::from_secs(10);

pub(crate) async fn open(url: &str) -> Result<Store, StoreError> {
    migrate(url).await?;
    let path = named(url)?;
    let mut readers = connect(path, READERS).await?;
    let meter = Arc::new(Meter::default());
    Meter::count_statements_of(&meter, &mut readers);
    let large = checkpoint::Large::default();
    checkpoint::start(own(path, READER_CACHE)?, Arc::downgrade(&meter), large.clone())?;
    let writer = Writer::start(own(path, WRITER_CACHE)?, meter.clone(), large)?;
    let readers = Reader::File(readers);
    Ok(Store {
        hints: readers.clone(),
        readers,
        writing: Writing::File(writer),
        clock: Clock::default(),
        recent: Recent::default(),
        findings: Arc::default(),
        meter,
        source: rand::random(),
    })
}

/// Makes the file if it is not there, and brings its tables up to date; says which changes of them were missing.
pub(super) async fn migrate(url: &str) -> Result<Vec<String>, StoreError> {
    let path = named(url)?;
    refuse_network_filesystem(Path::new(path)).map_err(Finding::refusal)?;
    make_private(Path::new(path))?;
    refuse_other_files(Path::new(path)).map_err(Finding::refusal)?;
    let looking = looking(path).await?;
    let judged = judge(path, &looking, &Tables::of(DbBackend::Sqlite)).await;
    looking.close().await?;
    let Versions { missing, newer } = judged?;
    if !newer.is_empty() {
        tell_newer(path, &newer);
        return Ok(missing);
    }
    // A migration's statements follow each other only over the same connection.
    let migrating = connect(path, 1).await?;
    Migrator::up(&migrating, None).await?;
    migrating.close().await?;
    Ok(missing)
}

/// The file that a URL names.
pub(super) fn named(url: &str) -> Result<&str, StoreError> {
    sqlite_path(url).ok_or_else(|| {
        StoreError::Unavailable(format!(
            "database.url {:?} is not supported; expected sqlite:///path/to/ffleet.db, \
             mysql://USER@HOST/DATABASE or postgres://USER@HOST/DATABASE",
            without_password(url)
        ))
    })
}

fn sqlite_path(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && path != ":memory:").then_some(path)
}

fn without_password(url: &str) -> &str {
    url.split(':').next().unwrap_or("")
}

/// WAL, so that readers do not wait for the writer; `synchronous=FULL`, so that what was acknowledged is on disk.
pub(super) async fn connect(path: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let file = PathBuf::from(path);
    // The URL only names the kind of database: the path is no part of one, in which % and # would mean something.
    let mut options = ConnectOptions::new("sqlite:ffleet.db?mode=rw");
    options
        .min_connections(1)
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&file)
                .journal_mode(sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlite::SqliteSynchronous::Full)
                .busy_timeout(BUSY)
                .statement_cache_capacity(256)
                .pragma("cache_size", format!("-{READER_CACHE}"))
                .pragma("temp_store", "memory")
                // See `checkpoint`.
                .pragma("wal_autocheckpoint", "0")
                .pragma("journal_size_limit", LOG_LIMIT.to_string())
        });
    Ok(Database::connect(options).await?)
}

/// A connection outside of the pool, the same in everything that matters.
fn own(path: &str, cache_kib: i64) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    let wal: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if wal != "wal" {
        return Err(StoreError::Unavailable(format!("{path} cannot have a log beside it (journal_mode is {wal})")));
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    Ok(connection)
}

/// Makes the file, which SQLite would let everybody read, for its owner alone; one that is there stays as it is. SQLite gives
/// the files beside it the same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map(drop)
        .map_err(|error| StoreError::Unavailable(format!("cannot open {}: {error}; see database.url", path.display())))
}

/// What every SQLite database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// SQLite's own words for a file of another kind do not name it.
pub(super) fn refuse_other_files(path: &Path) -> Result<(), Finding> {
    let unreadable = |error: std::io::Error| {
        Finding::fatal(format!("{} cannot be read: {error}", path.display()), "see database.url")
    };
    let mut begin = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut begin).map_err(unreadable)?;
    if begin.is_empty() || begin == MAGIC {
        return Ok(());
    }
    Err(Finding::fatal(
        format!("{} is no SQLite database", path.display()),
        "set database.url to the right file, or to one that is not there yet",
    ))
}

/// A connection that changes nothing: even the way of keeping a journal is written into the file.
pub(super) async fn looking(path: &str) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new("sqlite:ffleet.db?mode=ro");
    let file = PathBuf::from(path);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |sqlite| sqlite.filename(&file).busy_timeout(BUSY));
    Ok(Database::connect(options).await?)
}

/// WAL needs shared memory between the connections, which a network file system does not give: it would corrupt silently.
pub(super) fn refuse_network_filesystem(path: &Path) -> Result<(), Finding> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(folder) = folder.canonicalize() else {
        return Err(Finding::fatal(
            format!("the folder {} does not exist", folder.display()),
            "make it, or set database.url to another place",
        ));
    };
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    match network_mount(&mounts, &folder) {
        None => Ok(()),
        Some(kind) => Err(Finding::fatal(
            format!("{} is on a network file system ({kind}), where SQLite loses data", folder.display()),
            "set database.url to a local disk",
        )),
    }
}

/// The kind of the file system that holds `folder`, when it is one of a network. `mounts` is in the format of fstab(5).
fn network_mount(mounts: &str, folder: &Path) -> Option<String> {
    const NETWORK: &[&str] = &[
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "afs",
        "lustre",
    ];
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
            folder.starts_with(at).then_some((at.len(), kind))
        })
        .max_by_key(|(length, _)| *length)
        .filter(|(_, kind)| NETWORK.contains(kind))
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use ffleet_protocol::id::JobId;

    use super::*;

    #[tokio::test]
    async fn only_its_owner_reads_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("50% of #1.db");
        let _store = open(&format!("sqlite://{}", path.display())).await.unwrap();
        let modes = std::fs::read_dir(folder.path()).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777)
        });
        let mut modes: Vec<_> = modes.collect();
        modes.sort();
        let names = ["50% of #1.db", "50% of #1.db-shm", "50% of #1.db-wal"];
        assert_eq!(modes, names.map(|name| (name.to_owned(), 0o600)));
    }

    /// What each version before had written must still be there, and mean the same, after all that came later.
    #[tokio::test]
    async fn what_earlier_versions_wrote_is_read() {
        use sea_orm::ConnectionTrait;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ffleet.db");
        let path = path.to_str().unwrap();
        make_private(Path::new(path)).unwrap();
        let db = connect(path, 1).await.unwrap();
        Migrator::up(&db, Some(1)).await.unwrap();
        let id: JobId = "01997e5c-0000-7000-8000-000000000001".parse().unwrap();
        for sql in [
            "INSERT INTO jobs (id, requester, version, status, priority, policy, created_at, started_at, ended_at, \
             outcome, retry_of, monitored, follower, beat, client_until, purge_at) VALUES \
             (x'01997e5c000070008000000000000001', 'alice', 3, 'pending', 5, '{}', 1, NULL, NULL, NULL, NULL, 0, NULL, \
             0, NULL, NULL)",
            "INSERT INTO job_specs (job_id, spec, warnings) VALUES \
             (x'01997e5c000070008000000000000001', '{\"args\":[\"-version\"]}', '[]')",
        ] {
            db.execute_unprepared(sql).await.unwrap();
        }
        drop(db);
        let store = open(&format!("sqlite://{path}")).await.unwrap();
        let job = store.job(id).await.unwrap().unwrap();
        assert_eq!((job.version, job.priority, job.retried_by), (3, 5, None));
        assert_eq!(store.spec(id).await.unwrap().unwrap().0.identity, None);
    }

    #[test]
    fn urls_name_a_file() {
        assert_eq!(sqlite_path("sqlite:///var/lib/x.db"), Some("/var/lib/x.db"));
        assert_eq!(sqlite_path("sqlite://x.db?mode=rwc"), Some("x.db"));
        assert_eq!(sqlite_path("sqlite:x.db"), Some("x.db"));
        for bad in ["sqlite::memory:", "sqlite:", "mysql://a:b@c/d", ""] {
            assert_eq!(sqlite_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_longest_mount_decides() {
        let mounts = "/dev/a / ext4 rw 0 0\nbox:/x /mnt nfs4 rw 0 0\n/dev/b /mnt/local xfs rw 0 0\n";
        assert_eq!(network_mount(mounts, Path::new("/mnt/db")), Some("nfs4".to_owned()));
        assert_eq!(network_mount(mounts, Path::new("/mnt/local/db")), None);
        assert_eq!(network_mount(mounts, Path::new("/srv")), None);
    }
}
