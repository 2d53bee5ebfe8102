//! Sizes that both sides know, so that a client can say no before a server must.

/// Body of an ordinary request, in bytes.
pub const BODY: usize = 1024 * 1024;
/// Body of a batch or of a log append, in bytes.
pub const LARGE_BODY: usize = 8 * 1024 * 1024;
/// Arguments of one command.
pub const ARGS: usize = 10_000;
/// One argument, in bytes; Linux's own limit (`MAX_ARG_STRLEN`, execve(2)).
pub const ARG_BYTES: usize = 128 * 1024;
/// Jobs in one batch.
pub const BATCH: usize = 1_000;
/// Labels on one job.
pub const LABELS: usize = 32;
/// A label's key or value, in bytes.
pub const LABEL_BYTES: usize = 255;
/// A job's identity, in bytes.
pub const IDENTITY_BYTES: usize = 128;
/// Jobs that one job may wait for.
pub const AFTER: usize = 100;
/// Distinct sets of requirements in one installation.
pub const NEEDS: usize = 500;
/// Bytes of standard output that one attempt may deliver.
pub const STDOUT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of stderr text that a final report quotes for the naming of failures.
pub const TAIL_BYTES: usize = 8 * 1024;
/// Rows of one page of a listing, at most.
pub const PAGE: u64 = 1_000;
/// Seconds a long poll may wait.
pub const LONG_POLL_S: u64 = 25;
/// Seconds between signs of life on a followed stream.
pub const KEEP_ALIVE_S: u64 = 10;
/// Longest lease a job may ask for, in seconds.
pub const LEASE_S: u64 = 24 * 3600;
