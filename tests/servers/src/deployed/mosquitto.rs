//! Mosquitto with the files of `deploy/mosquitto`.

use std::fs;

use nix::unistd::geteuid;

use super::certificates;
use crate::{Authority, Mosquitto, Shipped, ports::free_port, process::start_anew};

impl Mosquitto {
    /// One with `mosquitto.conf` and `acl`, these accounts and their passwords, and its port with encryption.
    #[must_use]
    pub fn deployed(authority: &Authority, users: &[(&str, &str)]) -> (Self, u16) {
        start_anew(|| {
            let (server, port) = (Self::place(), free_port());
            let folder = server.folder().display().to_string();
            certificates(&server, authority, &["localhost", "127.0.0.1"]);
            let accounts = server.passwords(users);
            let rights = server.file("acl", Shipped::read("mosquitto/acl").text());
            let file = Shipped::read("mosquitto/mosquitto.conf")
                .taking_in(&["listener 8883", "cafile", "certfile", "keyfile"])
                .with("listener 1883", &format!("listener {} 127.0.0.1", server.port()))
                .with("listener 8883", &format!("listener {port} 127.0.0.1"))
                .with("/etc/mosquitto/tls", &folder)
                .with("/etc/mosquitto/ffleet.passwd", &accounts.display().to_string())
                .with("/etc/mosquitto/ffleet.acl", &rights.display().to_string());
            fs::create_dir(server.folder().join("conf.d")).expect("our own folder");
            server.file("conf.d/ffleet.conf", file.text());
            // As Debian's own file, which reads the other at its end.
            let user = if geteuid().is_root() { "user root\n" } else { "" };
            let own = format!(
                "persistence true\npersistence_location {folder}/\nlog_dest stderr\n{user}include_dir {folder}/conf.d\n"
            );
            server.file("mosquitto.conf", &own);
            server.begin().map(|()| (server, port))
        })
    }
}
