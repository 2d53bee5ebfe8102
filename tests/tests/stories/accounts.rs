//! What admins do with accounts, and with the janitor.

use std::{fs, os::unix::fs::PermissionsExt};

use ffleet_tests::Fleet;

#[tokio::test]
async fn an_account_lives_from_its_first_key_to_its_end() {
    let fleet = Fleet::start().await;
    let chief = |args: &[&str]| fleet.ffleet_as("chief", args).run();
    let (first, second) = (fleet.dir().join("keys/new.key"), fleet.dir().join("keys/newer.key"));
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    let made = chief(&["account", "add", "new", "--role", "client", "--network", "127.0.0.0/8", "--out", first]).await;
    assert!(made.expect(0).text().contains(first));
    assert_eq!(fs::metadata(first).unwrap().permissions().mode() & 0o777, 0o600);
    let works = |key: &str, code: i32| {
        let ran = fleet.ffleet(["--key-file", key, "job", "list"]).run();
        async move { ran.await.expect(code) }
    };
    let _ = works(first, 0).await;

    let taken = chief(&["account", "add", "new", "--role", "worker", "--out", second]).await.expect(125);
    assert!(taken.stderr.contains("new exists"), "{}", taken.stderr);
    assert!(!fs::exists(second).unwrap(), "nothing was made, so nothing is written");
    let there = chief(&["account", "rotate", "new", "--out", first]).await.expect(125);
    assert!(there.stderr.contains("exists"), "a key in use is not overwritten: {}", there.stderr);

    let _ = chief(&["account", "rotate", "new", "--at-once", "--out", second]).await.expect(0);
    let _ = works(second, 0).await;
    let _ = works(first, 125).await;
    let _ = chief(&["account", "scope", "new", "--sees-all", "true", "--weight", "3"]).await.expect(0);
    let shown = chief(&["account", "show", "new", "--json"]).await.expect(0).json();
    assert_eq!((&shown["scope"]["sees_all"], &shown["scope"]["weight"]), (&true.into(), &3.into()));
    assert_eq!(shown["scope"]["networks"][0], "127.0.0.0/8", "what is not given stays");
    let _ = chief(&["account", "disable", "new"]).await.expect(0);
    let _ = works(second, 125).await;
    let list = chief(&["account", "list"]).await.expect(0).text();
    assert!(list.contains("new") && list.contains("disabled") && list.contains("chief"), "{list}");
    let _ = chief(&["account", "enable", "new"]).await.expect(0);
    let _ = works(second, 0).await;
    let unasked = chief(&["account", "remove", "new"]).await.expect(125);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    let _ = chief(&["account", "remove", "new", "--yes"]).await.expect(0);
    let _ = works(second, 125).await;
}

#[tokio::test]
async fn a_key_can_be_shown_once_instead() {
    let fleet = Fleet::start().await;
    let shown = fleet.ffleet_as("chief", ["account", "add", "new", "--role", "client"]).run().await.expect(0);
    assert!(shown.stderr.contains("shown this once"), "{}", shown.stderr);
    let key = fleet.dir().join("keys/copied.key");
    fs::write(&key, shown.text()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let _ = fleet.ffleet(["--key-file", key.to_str().unwrap(), "status"]).run().await.expect(0);
    let list = fleet.ffleet_as("chief", ["account", "list", "--json"]).run().await.expect(0).text();
    let secret = shown.text().trim().split_once(':').unwrap().1.to_owned();
    assert!(!list.contains(&secret), "and never again");
}

#[tokio::test]
async fn only_admins_manage() {
    let fleet = Fleet::start().await;
    for args in [&["account", "list"][..], &["account", "remove", "chief", "--yes"], &["janitor"]] {
        let refused = fleet.ffleet(args).run().await.expect(125);
        assert!(refused.stderr.contains("admin"), "{}", refused.stderr);
    }
    let last = fleet.ffleet_as("chief", ["account", "disable", "chief"]).run().await.expect(125);
    assert!(last.stderr.contains("another admin"), "{}", last.stderr);
}

#[tokio::test]
async fn the_janitor_says_what_it_did() {
    let fleet = Fleet::start().await;
    let text = fleet.ffleet_as("chief", ["janitor"]).run().await.expect(0).text();
    let chores = fleet.ffleet_as("chief", ["janitor", "--json"]).run().await.expect(0).json();
    let chores = chores["chores"].as_object().unwrap().clone();
    assert!(chores.len() > 5, "{chores:?}");
    for chore in chores.keys() {
        assert!(text.contains(chore.as_str()), "{text}");
    }
}
