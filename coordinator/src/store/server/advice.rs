//! What a server's words mean, and what to do.

use ffleet_settings::Trust;

const TRUST: Trust<'_> = Trust { whose: "the server's", ca: "database.tls.ca", address: "database.url" };

/// What is said, and what to do then; the first that fits.
const ADVICE: &[(&[&str], &str)] = &[
    (
        &["fatal alert", "received alert"],
        "the server refuses this coordinator's certificate: `database.tls.certificate` must be signed by an authority in the \
         server's ssl_ca, and `database.tls.key` be its key",
    ),
    (
        &["does not support TLS", "server does not support SSL"],
        "the server offers no encryption: set ssl_cert and ssl_key there as deploy/mariadb/ffleet.cnf does, or, on a network \
         that is trusted, `database.tls.verify` = \"off\"",
    ),
    (
        &["1044 (", "1049 (", "3D000"],
        "make the database and its account (deploy/mariadb/users.sql), or write its name into `database.url`",
    ),
    (
        &["1045 (", "1698 (", "password authentication failed", "certificate authentication failed"],
        "check the user in `database.url`, `database.password_file`, and from where this user may come; one who must show a \
         certificate (REQUIRE X509) wants `database.tls.certificate` and `database.tls.key`",
    ),
    (
        &["1130 (", "no pg_hba.conf entry"],
        "nobody may come from this machine's address: grant it to the account (deploy/mariadb/users.sql)",
    ),
    (
        &["1040 (", "1203 (", "too many clients"],
        "raise max_connections on the server, or lower `database.connections` of the coordinators",
    ),
    (
        &["1047 ("],
        "this Galera node has no quorum or is not in step: see \"quorum lost\" in docs/high-availability.md, and have the load \
         balancer ask deploy/mariadb/galera-check",
    ),
    (
        &["1290 (", "1792 (", "1836 (", "25006"],
        "the server takes no writes: write the address of the one that does into `database.url`, or SET GLOBAL read_only = OFF",
    ),
];

/// What to do about an error of a server, if it is known.
pub(crate) fn advice(error: &str) -> Option<String> {
    let known = ADVICE.iter().find(|(words, _)| words.iter().any(|words| error.contains(words)));
    TRUST.advice(error).or_else(|| known.map(|(_, advice)| (*advice).to_owned()))
}

/// The same when there is no connection at all.
pub(super) fn connecting(error: &str) -> String {
    let usual = || "check `database.url`, that the server runs, and that this user may come from here".to_owned();
    advice(error).unwrap_or_else(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_names_what_ends_it() {
        let server = |text: &str| format!("error returned from database: {text}");
        for (error, words) in [
            (
                "error communicating with database: invalid peer certificate: UnknownIssuer".to_owned(),
                "`database.tls.ca`",
            ),
            ("invalid peer certificate: certificate not valid for name \"a\"".to_owned(), "`database.url`"),
            ("received fatal alert: UnknownCA".to_owned(), "`database.tls.certificate`"),
            (
                "error occurred while attempting to establish a TLS connection: server does not support TLS".to_owned(),
                "ssl_cert",
            ),
            (server("1045 (28000): Access denied for user 'ffleet'@'127.0.0.1' (using password: YES)"), "REQUIRE X509"),
            (server("1049 (42000): Unknown database 'x'"), "users.sql"),
            (server("1044 (42000): Access denied for user 'ffleet'@'%' to database 'x'"), "users.sql"),
            (server("1130 (HY000): Host '10.0.0.9' is not allowed to connect"), "this machine's address"),
            (server("1040 (08004): Too many connections"), "max_connections"),
            (server("1047 (08S01): WSREP has not yet prepared node for application use"), "quorum"),
            (server("1290 (HY000): The MariaDB server is running with the --read-only option"), "takes no writes"),
            (server("password authentication failed for user \"ffleet\""), "`database.password_file`"),
        ] {
            let advice = advice(&error).unwrap_or_default();
            assert!(advice.contains(words), "{error}: {advice}");
        }
        assert_eq!(advice("Connection refused (os error 111)"), None);
        assert!(connecting("Connection refused (os error 111)").contains("that the server runs"));
    }
}
