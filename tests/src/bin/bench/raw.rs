//! What the machine does by itself: the same parts with nothing of ours around them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use actix_web::{App, HttpServer, web};
use anyhow::{Context, Result};
use ffleet_tests::load::{Line, Samples};
use futures_util::future::try_join_all;
use sqlx::{
    AssertSqlSafe, Connection, Executor, SqliteConnection, query,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::jobs::{float, rate};

/// Bytes of a row, about those of a job's specification.
const ROW: usize = 600;

/// Rows a second that SQLite takes in transactions of `batch` rows, each on disk before the next begins.
pub async fn sqlite(folder: &Path, batch: u64, rows: u64) -> Result<f64> {
    let dir = tempfile::tempdir_in(folder)?;
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join("raw.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut db = SqliteConnection::connect_with(&options).await?;
    db.execute("CREATE TABLE jobs (id BLOB NOT NULL PRIMARY KEY, spec TEXT NOT NULL)").await?;
    let values = vec!["(?, ?)"; usize::try_from(batch)?].join(", ");
    let insert = format!("INSERT INTO jobs VALUES {values}");
    let spec = "x".repeat(ROW);
    let began = Instant::now();
    for _ in 0..rows / batch {
        let mut tx = db.begin().await?;
        let mut insert = query(AssertSqlSafe(insert.clone()));
        for _ in 0..batch {
            insert = insert.bind(uuid::Uuid::now_v7().as_bytes().to_vec()).bind(spec.clone());
        }
        insert.execute(&mut *tx).await?;
        tx.commit().await?;
    }
    let took = began.elapsed();
    db.close().await?;
    Ok(rate(rows / batch * batch, took))
}

/// What an HTTP server answers that does nothing.
pub struct Hello {
    /// Requests a second.
    pub rate: f64,
    /// How long each took.
    pub samples: Samples,
}

/// The coordinator's own HTTP library, saying hello over so many connections.
pub async fn hello(connections: usize, requests: u64) -> Result<Hello> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let (tell, told) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let app = || App::new().route("/", web::get().to(async || "hello"));
            let server = HttpServer::new(app).workers(2).disable_signals().listen(listener)?.run();
            let _ = tell.send(server.handle());
            server.await
        })
    });
    let handle = told.recv().context("no server to say hello")?;
    let measured = greet(address, connections, requests).await;
    handle.stop(false).await;
    let _ = server.join();
    measured
}

async fn greet(address: SocketAddr, connections: usize, requests: u64) -> Result<Hello> {
    let each = requests / connections as u64;
    let began = Instant::now();
    let one = || async move {
        let mut line = Line::open(address).await?;
        let mut samples = Samples::default();
        for _ in 0..each {
            let began = Instant::now();
            line.ask(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await?;
            samples.push(began.elapsed());
        }
        anyhow::Ok(samples)
    };
    let all = try_join_all((0..connections).map(|_| one())).await?;
    let took = began.elapsed();
    let mut samples = Samples::default();
    all.into_iter().for_each(|part| samples.extend(part));
    Ok(Hello { rate: rate(samples.len() as u64, took), samples })
}

/// Lines of 80 bytes a second through a pipe of the kernel, from one thread to another.
pub fn pipe(lines: u64) -> Result<f64> {
    let (mut reader, mut writer) = std::io::pipe()?;
    let began = Instant::now();
    let writing = thread::spawn(move || {
        let block = [b'x'; 80 * 100];
        for _ in 0..lines / 100 {
            writer.write_all(&block)?;
        }
        std::io::Result::Ok(())
    });
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0_u64;
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            read => bytes += read as u64,
        }
    }
    let _ = writing.join();
    Ok(float(bytes) / 80.0 / began.elapsed().as_secs_f64())
}

/// How long it takes to run this program to its end, again and again.
pub fn runs(times: u64, mut command: impl FnMut() -> std::process::Command) -> Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..times {
        samples.push(run(&mut command())?);
    }
    Ok(samples)
}

/// How long one run takes, which must end well.
pub fn run(command: &mut std::process::Command) -> Result<Duration> {
    let began = Instant::now();
    let done = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let took = began.elapsed();
    anyhow::ensure!(
        done.status.success(),
        "{command:?} ended with {}: {}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(took)
}
