//! RabbitMQ with the files of `deploy/rabbitmq`.

use std::{io::Write, process::Stdio, sync::Arc};

use super::certificates;
use crate::{
    Authority, RabbitMq, Shipped,
    ports::free_port,
    process::start_anew,
    programs::{of_rabbitmq, program},
    rabbitmq::Names,
};

impl RabbitMq {
    /// One with `rabbitmq.conf`, prepared by `setup.sh`, and its port with encryption. There are no accounts yet.
    #[must_use]
    pub fn deployed(authority: &Authority) -> (Self, u16) {
        let (server, port) = start_anew(|| {
            let server = Self::place(&Arc::new(Names::start()?), "rabbit");
            certificates(&server, authority, &["localhost", "127.0.0.1"]);
            let port = free_port();
            let file = Shipped::read("rabbitmq/rabbitmq.conf")
                .with("listeners.tcp.default = 0.0.0.0:5672", &format!("listeners.tcp.1 = 127.0.0.1:{}", server.port()))
                .taking_in(&["listeners.ssl", "ssl_options"])
                .with("listeners.ssl.default = 0.0.0.0:5671", &format!("listeners.ssl.1 = 127.0.0.1:{port}"))
                .with("/etc/rabbitmq/tls", &server.folder().display().to_string());
            // To where the test reads it.
            let log = "log.file = false\nlog.console = true\nlog.console.use_colors = off\n";
            server.file("rabbitmq.conf", &format!("{}{log}", file.text()));
            server.begin().map(|()| (server, port))
        });
        server.file("setup.sh", Shipped::read("rabbitmq/setup.sh").text());
        server.file("definitions.json", Shipped::read("rabbitmq/definitions.json").text());
        server.set_up(&[], "").unwrap_or_else(|error| panic!("setup.sh failed: {error}"));
        (server, port)
    }

    /// Runs `setup.sh`, with a password on its standard input.
    ///
    /// # Errors
    ///
    /// What it said.
    pub fn set_up(&self, arguments: &[&str], password: &str) -> Result<String, String> {
        let mut setup = self.command(&program("sh"));
        setup.arg("setup.sh").args(arguments).env("RABBITMQCTL", of_rabbitmq("rabbitmqctl"));
        setup.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = setup.spawn().expect("sh");
        let mut input = child.stdin.take().expect("piped");
        // It may have refused its arguments already.
        let _ = writeln!(input, "{password}");
        drop(input);
        let output = child.wait_with_output().expect("our own child");
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        if output.status.success() { Ok(said) } else { Err(format!("{}: {said}", output.status)) }
    }
}
