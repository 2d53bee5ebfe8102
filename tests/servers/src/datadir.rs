//! A data directory of MariaDB, made once in a program and copied for every server.

use std::{path::Path, process::Command, sync::OnceLock};

use nix::sys::signal::Signal;

use crate::{
    PASSWORD, USER,
    process::Process,
    programs::{account, program, run},
};

/// The one that is copied.
static MADE: OnceLock<Process> = OnceLock::new();

/// The size of the log of InnoDB; small, because every server gets a copy.
pub(crate) const LOG_SIZE: &str = "--innodb-log-file-size=32M";

/// A new data directory at `place`, with the account that tests use.
pub(crate) fn data_directory(place: &Path) {
    let made = MADE.get_or_init(make);
    run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(made.folder().join("data")).arg(place));
}

fn make() -> Process {
    // No server of its own, but a folder that is removed with the others.
    let template = Process::new("template", account("mysql"), Signal::SIGTERM, "");
    let account = template.file(
        "account.sql",
        &format!(
            "FLUSH PRIVILEGES;\n\
             DELETE FROM mysql.global_priv WHERE User = '';\n\
             FLUSH PRIVILEGES;\n\
             CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON `{USER}%`.* TO '{USER}'@'%';\n"
        ),
    );
    let mut install = template.command(&program("mariadb-install-db"));
    install.args([
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ]);
    install.arg(format!("--datadir={}", template.folder().join("data").display()));
    install.arg(format!("--extra-file={}", account.display()));
    install.args([LOG_SIZE, "--innodb-buffer-pool-size=32M"]);
    run(&mut install);
    template
}
