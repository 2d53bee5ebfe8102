//! Three nodes of MariaDB.

use ffleet_servers::{Galera, Node, until};

/// Waits until a node has as many rows as this.
fn has(node: &Node, table: &str, count: usize) {
    let what = format!("the node on port {} has {count} rows", node.port());
    until(&what, || node.try_sql(&format!("SELECT COUNT(*) FROM {table}")) == Ok(count.to_string()));
}

#[test]
fn what_one_node_has_survives_the_end_of_all() {
    let _alone = crate::one_cluster();
    // Nodes that are gone are missed sooner than usual, so that nobody waits for that.
    let sooner = "evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.5S;\
                  evs.suspect_timeout=PT2S;evs.inactive_timeout=PT6S";
    let cluster = Galera::with(&["--wsrep-slave-threads=2"], sooner);
    let [first, second, third] = cluster.nodes();
    let urls = cluster.database();
    assert!(urls[2].contains(&format!(":{}/ffleet", third.port())), "{urls:?}");
    let table = format!("{}.t", urls[0].rsplit_once('/').unwrap().1);
    let insert = |node: &Node, n: u32| node.sql(&format!("INSERT INTO {table} VALUES ({n})"));

    first.sql(&format!("CREATE TABLE {table} (n INT PRIMARY KEY)"));
    insert(first, 1);
    has(third, &table, 1);

    second.kill9();
    insert(third, 2);
    second.restart();
    cluster.wait_synced();
    has(second, &table, 2);

    assert_eq!(first.sql("SELECT @@wsrep_slave_threads"), "2");

    third.pause();
    insert(first, 10);
    third.resume();
    has(third, &table, 3);
    cluster.wait_synced();

    third.isolate();
    assert!(third.try_sql(&format!("INSERT INTO {table} VALUES (0)")).is_err(), "a node alone takes no writes");
    insert(first, 3);
    third.rejoin();
    has(third, &table, 4);
    cluster.wait_synced();

    // The others go on without the one that is killed first, so it must not be the one that begins.
    first.kill9();
    insert(second, 4);
    has(third, &table, 5);
    second.kill9();
    third.kill9();
    cluster.bootstrap();
    for node in cluster.nodes() {
        assert_eq!(node.status("wsrep_cluster_size"), "3");
        has(node, &table, 5);
    }
    insert(first, 5);
    has(second, &table, 6);
}
