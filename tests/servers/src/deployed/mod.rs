//! Servers as operators run them: with the very files of `deploy/`, in which ports, paths and addresses are this machine's,
//! and what encrypts is taken in.

mod databases;
mod front;
mod mosquitto;
mod rabbitmq;

pub use front::{Front, galera_check};

use crate::{Authority, process::Process};

/// Puts a certificate for this machine where the files of `deploy/` look for one, but for the folder.
fn certificates(process: &Process, authority: &Authority, names: &[&str]) {
    let server = authority.server(names);
    process.file("ca.pem", &authority.pem());
    process.file("server.pem", &server.certificate);
    process.file("server.key", &server.key);
}
