//! Every line of the table, in its order. A new one is a file with a `run` and an entry here.

mod brokers;
mod claim;
mod cli;
mod cpu;
mod followers;
mod galera;
mod idle;
mod life;
mod lone;
mod mariadb;
mod memory;
mod million;
mod nudges;
mod output;
mod statements;
mod submit;

use std::pin::Pin;

use anyhow::Result;

use crate::{Bench, report::Figure};

/// What measuring a line is.
type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Vec<Figure>>> + 'a>>;

/// A line of the table: figures that are measured together.
pub struct Line {
    /// For `--only`.
    pub name: &'static str,
    /// For people.
    pub about: &'static str,
    /// Measures.
    pub run: for<'a> fn(&'a Bench) -> Measuring<'a>,
}

macro_rules! lines {
    ($($name:ident: $about:literal,)+) => {
        /// Every line.
        pub const ALL: &[Line] =
            &[$(Line { name: stringify!($name), about: $about, run: |bench| Box::pin($name::run(bench)) }),+];
    };
}

lines! {
    submit: "submits over 32 connections, one by one and in batches of 1,000",
    life: "the whole life of tasks that do nothing, 8 workers with 16 slots",
    lone: "from the answer to a submit until a waiting worker has the job",
    claim: "a claim with 100,000 pending tasks of 20 needs beside one with 100",
    output: "output on its way from a worker to a follower",
    cli: "what the client adds to a program that does nothing; its help",
    followers: "1,000 followers of one job with 1,000 lines a second",
    statements: "database statements of single requests",
    memory: "resident memory, idle and after 100,000 jobs",
    cpu: "processor time of ours beside that of an encode of 60 s of 720p",
    mariadb: "submits and lives with two coordinators on one MariaDB, what a life asks of it, and claims from a long queue",
    galera: "the same with three coordinators on the three nodes of a cluster",
    nudges: "from the answer of one coordinator until a worker at another has the job, by each way of telling",
    brokers: "submits while a broker stands still or is gone, beside those while it works",
    idle: "1,200 workers at two coordinators with nothing to do",
    million: "listing, counting and retention with 1,000,000 ended jobs",
}
