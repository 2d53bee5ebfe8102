//! Whether a server keeps the promises that are made in its name.

use std::collections::HashMap;

use super::{super::StoreError, link::Link};

/// Something about the database that endangers a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is, and what it endangers.
    pub what: String,
    /// What to do.
    pub fix: String,
    /// Whether nothing can be done with the database as it is.
    pub fatal: bool,
}

impl Finding {
    /// Something with which the database cannot be used.
    pub(in crate::store) fn fatal(what: impl Into<String>, fix: impl Into<String>) -> Self {
        finding(true, what, fix)
    }

    /// Something with which it can.
    pub(in crate::store) fn danger(what: impl Into<String>, fix: impl Into<String>) -> Self {
        finding(false, what, fix)
    }

    /// The same for whoever wanted to use it.
    pub(in crate::store) fn refusal(self) -> StoreError {
        StoreError::Unavailable(format!("{}; {}", self.what, self.fix))
    }
}

/// The state of a Galera cluster as one of its nodes knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// How many nodes it has.
    pub size: String,
    /// Whether these are the ones that may work: `Primary`.
    pub status: String,
    /// Whether this one has what the others have: `Synced`.
    pub state: String,
}

/// What a server says of itself.
#[derive(Debug)]
pub(in crate::store) enum Settings {
    MariaDb(HashMap<String, String>),
    Postgres(HashMap<String, String>),
}

/// The oldest MariaDB whose behaviour is relied on.
const OLDEST: (u32, u32) = (10, 11);

impl Settings {
    /// Asks for them.
    pub(in crate::store) async fn read(link: &mut Link) -> Result<Self, sqlx::Error> {
        let sql = match link {
            Link::MySql(_) => {
                "SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES UNION ALL SELECT \
                 LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME LIKE \
                 'wsrep%' UNION ALL SELECT 'version()', VERSION()"
            }
            Link::Postgres(_) => "SELECT name, setting FROM pg_settings",
        };
        let mut settings = HashMap::new();
        for row in link.rows(sql, Vec::new()).await? {
            let texts =
                row.try_get_by_index::<String>(0).and_then(|name| Ok((name, row.try_get_by_index::<String>(1)?)));
            // Values that are no text are none that is judged.
            settings.extend(texts);
        }
        Ok(match link {
            Link::MySql(_) => Self::MariaDb(settings),
            Link::Postgres(_) => Self::Postgres(settings),
        })
    }

    /// What of them endangers a promise.
    pub(in crate::store) fn findings(&self) -> Vec<Finding> {
        match self {
            Self::MariaDb(settings) => mariadb(settings),
            Self::Postgres(settings) => postgres(settings),
        }
    }

    /// Which server it is, and which version of it.
    pub(in crate::store) fn server(&self) -> String {
        match self {
            // It says its name itself.
            Self::MariaDb(settings) => text(settings, "version()").to_owned(),
            Self::Postgres(settings) => format!("PostgreSQL {}", text(settings, "server_version")),
        }
    }

    /// The cluster, if it is a node of one.
    pub(in crate::store) fn cluster(&self) -> Option<Cluster> {
        let Self::MariaDb(settings) = self else { return None };
        let get = |name| text(settings, name).to_owned();
        text(settings, "wsrep_on").eq_ignore_ascii_case("ON").then(|| Cluster {
            size: get("wsrep_cluster_size"),
            status: get("wsrep_cluster_status"),
            state: get("wsrep_local_state_comment"),
        })
    }
}

fn text<'a>(settings: &'a HashMap<String, String>, name: &str) -> &'a str {
    settings.get(name).map_or("", String::as_str)
}

fn finding(fatal: bool, what: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { what: what.into(), fix: fix.into(), fatal }
}

fn mariadb(settings: &HashMap<String, String>) -> Vec<Finding> {
    let get = |name: &str| text(settings, name);
    let is = |name: &str, value: &str| get(name).eq_ignore_ascii_case(value);
    let mut found = Vec::new();
    let version = get("version()");
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if !version.to_ascii_lowercase().contains("mariadb") {
        found.push(finding(
            true,
            format!("the server is {version:?}, not MariaDB"),
            "use MariaDB 10.11 or later, PostgreSQL, or SQLite",
        ));
    } else if number < OLDEST {
        let what = format!("MariaDB {version} is older than {}.{}", OLDEST.0, OLDEST.1);
        found.push(finding(true, what, "upgrade MariaDB to 10.11 or later"));
    }
    if !is("innodb_flush_log_at_trx_commit", "1") {
        found.push(finding(
            false,
            format!(
                "innodb_flush_log_at_trx_commit is {}: what was acknowledged can be lost when the server's machine fails",
                get("innodb_flush_log_at_trx_commit")
            ),
            "set innodb_flush_log_at_trx_commit = 1 in the server's configuration and restart it, or SET GLOBAL it",
        ));
    }
    if is("log_bin", "ON") && !is("sync_binlog", "1") {
        found.push(finding(
            false,
            format!(
                "sync_binlog is {}: after a failure the binary log may lack commits that were acknowledged",
                get("sync_binlog")
            ),
            "set sync_binlog = 1",
        ));
    }
    if is("innodb_doublewrite", "OFF") {
        found.push(finding(
            false,
            "innodb_doublewrite is off: a page that was half written cannot be restored",
            "set innodb_doublewrite = ON, unless the file system writes whole pages",
        ));
    }
    if get("max_allowed_packet").parse::<u64>().is_ok_and(|bytes| bytes < 16 * 1024 * 1024) {
        found.push(finding(
            false,
            format!(
                "max_allowed_packet is {} bytes: large submits and logs would be refused",
                get("max_allowed_packet")
            ),
            "set max_allowed_packet = 16M or more",
        ));
    }
    if is("read_only", "ON") {
        found.push(finding(
            true,
            "the server is read-only (read_only is ON), as replicas are",
            "write the address of the server that is written to into `database.url`, or SET GLOBAL read_only = OFF",
        ));
    }
    if is("wsrep_on", "ON") {
        galera(&get, &is, &mut found);
    } else if get("wsrep_cluster_address").starts_with("gcomm://") {
        found.push(finding(
            true,
            format!(
                "wsrep_on is OFF, but wsrep_cluster_address is {}: what is written here does not reach the other nodes",
                get("wsrep_cluster_address")
            ),
            "set wsrep_on = ON as deploy/mariadb/galera.cnf does, or remove wsrep_cluster_address if this is no node",
        ));
    }
    found
}

fn galera<'a>(get: &impl Fn(&str) -> &'a str, is: &impl Fn(&str, &str) -> bool, found: &mut Vec<Finding>) {
    if matches!(get("wsrep_provider"), "" | "none") {
        found.push(finding(
            true,
            "wsrep_on is ON without a wsrep_provider: what is written here reaches no other node",
            "set wsrep_provider to libgalera_smm.so of the package galera-4, as deploy/mariadb/galera.cnf does",
        ));
    } else if !is("wsrep_cluster_status", "Primary") {
        found.push(finding(
            true,
            format!("this Galera node is {:?}: it has no quorum", get("wsrep_cluster_status")),
            "start the other nodes, or see \"quorum lost\" in docs/high-availability.md",
        ));
    } else if !is("wsrep_ready", "ON") || get("wsrep_local_state") != "4" {
        found.push(finding(
            true,
            format!("this Galera node is not in step with its cluster (state {:?})", get("wsrep_local_state_comment")),
            "wait until it is Synced; have the load balancer check wsrep_ready, as deploy/haproxy does",
        ));
    }
    if !is("binlog_format", "ROW") {
        found.push(finding(
            true,
            format!("binlog_format is {}: Galera replicates rows only", get("binlog_format")),
            "set binlog_format = ROW on every node",
        ));
    }
    if !matches!(get("wsrep_forced_binlog_format"), "" | "NONE" | "ROW") {
        found.push(finding(
            true,
            format!("wsrep_forced_binlog_format is {}: Galera replicates rows only", get("wsrep_forced_binlog_format")),
            "set wsrep_forced_binlog_format = NONE on every node",
        ));
    }
    for option in ["pc.ignore_quorum", "pc.ignore_sb"] {
        if provider_option(get("wsrep_provider_options"), option).is_some_and(|value| value == "true") {
            found.push(finding(
                false,
                format!(
                    "{option} is true: after a partition both parts go on, and what one of them acknowledged is lost"
                ),
                format!("remove {option} from wsrep_provider_options on every node"),
            ));
        }
    }
    if get("wsrep_max_ws_size").parse::<u64>().is_ok_and(|bytes| bytes < 16 * 1024 * 1024) {
        found.push(finding(
            false,
            format!("wsrep_max_ws_size is {} bytes: large submits and logs would be refused", get("wsrep_max_ws_size")),
            "remove wsrep_max_ws_size from the configuration of every node; the default is 2 GiB",
        ));
    }
    if get("innodb_autoinc_lock_mode") != "2" {
        found.push(finding(
            false,
            format!(
                "innodb_autoinc_lock_mode is {}: inserts can deadlock under Galera",
                get("innodb_autoinc_lock_mode")
            ),
            "set innodb_autoinc_lock_mode = 2 on every node",
        ));
    }
    if get("wsrep_osu_method") != "TOI" {
        found.push(finding(
            false,
            format!("wsrep_OSU_method is {}: tables would be changed at one node only", get("wsrep_osu_method")),
            "set wsrep_OSU_method = TOI",
        ));
    }
    if is("wsrep_certify_nonpk", "OFF") {
        found.push(finding(
            false,
            "wsrep_certify_nonPK is off: tables without a primary key are not kept apart",
            "set wsrep_certify_nonPK = ON",
        ));
    }
    let size = get("wsrep_cluster_size").parse::<u32>().unwrap_or(0);
    if (1..3).contains(&size) {
        found.push(finding(
            false,
            format!("the cluster has {size} node(s): with fewer than three, the loss of one ends the quorum"),
            "bring the other nodes back, or add an arbitrator (garbd)",
        ));
    }
}

/// The value of one of `name = value; name = value`.
fn provider_option<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    let mut options = options.split(';').filter_map(|option| option.split_once('='));
    options.find_map(|(found, value)| (found.trim() == name).then(|| value.trim()))
}

fn postgres(settings: &HashMap<String, String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value = text(settings, name);
        let good = value == "on" || name == "synchronous_commit" && value.starts_with("remote_");
        if !good {
            let what = format!("{name} is {value}: what was acknowledged can be lost when the server's machine fails");
            found.push(finding(false, what, format!("set {name} = on in postgresql.conf and reload")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(changes: &[(&str, &str)]) -> Vec<(String, bool)> {
        let good = [
            ("version()", "10.11.14-MariaDB-0+deb12u2"),
            ("innodb_flush_log_at_trx_commit", "1"),
            ("log_bin", "OFF"),
            ("innodb_doublewrite", "ON"),
            ("max_allowed_packet", "16777216"),
            ("read_only", "OFF"),
            ("wsrep_on", "ON"),
            ("wsrep_provider", "/usr/lib/galera/libgalera_smm.so"),
            ("wsrep_provider_options", "gcs.fc_limit = 128; pc.ignore_quorum = false; pc.ignore_sb = false; "),
            ("wsrep_cluster_address", "gcomm://10.0.0.21,10.0.0.22,10.0.0.23"),
            ("wsrep_forced_binlog_format", "NONE"),
            ("wsrep_max_ws_size", "2147483647"),
            ("wsrep_cluster_status", "Primary"),
            ("wsrep_ready", "ON"),
            ("wsrep_local_state", "4"),
            ("binlog_format", "ROW"),
            ("innodb_autoinc_lock_mode", "2"),
            ("wsrep_osu_method", "TOI"),
            ("wsrep_cluster_size", "3"),
        ];
        let all = good.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        mariadb(&all.collect()).into_iter().map(|finding| (finding.what, finding.fatal)).collect()
    }

    #[test]
    fn what_endangers_a_promise_is_named() {
        assert_eq!(judged(&[]), []);
        for (name, value, said, fatal) in [
            ("version()", "10.6.12-MariaDB", "older than 10.11", true),
            ("version()", "8.0.36", "not MariaDB", true),
            ("innodb_flush_log_at_trx_commit", "2", "innodb_flush_log_at_trx_commit is 2", false),
            ("max_allowed_packet", "1048576", "max_allowed_packet is 1048576", false),
            ("innodb_doublewrite", "OFF", "innodb_doublewrite", false),
            ("wsrep_cluster_status", "non-Primary", "no quorum", true),
            ("wsrep_local_state", "2", "not in step", true),
            ("wsrep_ready", "OFF", "not in step", true),
            ("binlog_format", "MIXED", "binlog_format is MIXED", true),
            ("innodb_autoinc_lock_mode", "1", "innodb_autoinc_lock_mode is 1", false),
            ("wsrep_osu_method", "RSU", "wsrep_OSU_method is RSU", false),
            ("version()", "10.10.7-MariaDB-log", "older than 10.11", true),
            ("version()", "5.5.68-MariaDB", "older than 10.11", true),
            ("version()", "11.4.2-MariaDB", "", false),
            ("read_only", "ON", "the server is read-only", true),
            ("wsrep_on", "OFF", "does not reach the other nodes", true),
            ("wsrep_provider", "none", "without a wsrep_provider", true),
            ("wsrep_forced_binlog_format", "STATEMENT", "wsrep_forced_binlog_format is STATEMENT", true),
            ("wsrep_provider_options", "pc.ignore_sb = true; pc.weight = 1", "pc.ignore_sb is true", false),
            ("wsrep_provider_options", "pc.ignore_quorum=true", "both parts go on", false),
            ("wsrep_max_ws_size", "1048576", "wsrep_max_ws_size is 1048576", false),
            ("wsrep_cluster_size", "2", "2 node(s)", false),
        ] {
            let found = judged(&[(name, value)]);
            assert!(
                found.is_empty() && said.is_empty()
                    || matches!(&found[..], [(what, f)] if what.contains(said) && *f == fatal && !said.is_empty()),
                "{name}={value}: {found:?}"
            );
        }
        assert_eq!(judged(&[("log_bin", "ON"), ("sync_binlog", "0")]).len(), 1);
        let alone = [("wsrep_on", "OFF"), ("wsrep_cluster_address", ""), ("wsrep_cluster_status", "Disconnected")];
        assert_eq!(judged(&alone), []);
    }
}
