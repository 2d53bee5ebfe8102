//! Short fault runs, on a file and on a whole installation with its servers, and the proof that they would notice: the same
//! over coordinators that are broken on purpose.
//!
//! The run with all faults wants the machine for itself; the others spend their time waiting for leases.

use ffleet_tests::{
    chaos::{Mix, Options, Report, Serving, run},
    checker::Invariant,
    program,
};
use tokio::sync::RwLock;

static MACHINE: RwLock<()> = RwLock::const_new(());

/// What the sabotaged coordinator can be told to do.
const UNCHECKED: &str = "epochs-unchecked";
const HASTY: &str = "acknowledge-before-commit";
const FORGETFUL: &str = "nonces-per-process";

/// The whole machine, or a part of it for a directed run.
async fn report(options: Options) -> Report {
    let (_alone, _shared);
    match options.mix {
        Mix::Everything => _alone = MACHINE.write().await,
        Mix::Cluster | Mix::LateWorkers | Mix::KilledSubmits | Mix::Replays => _shared = MACHINE.read().await,
    }
    Box::pin(run(options)).await
}

/// A short run of one kind of fault.
fn directed(mix: Mix, serving: Serving) -> Options {
    let (jobs, faults) = match mix {
        Mix::KilledSubmits => (10, 3),
        Mix::Everything | Mix::Cluster | Mix::LateWorkers | Mix::Replays => (10, 2),
    };
    Options { jobs, faults, seed: 3, mix, serving }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_among_all_faults() {
    let report = report(Options { jobs: 150, faults: 40, seed: 20_261_121, ..Options::default() }).await;
    println!("{report}");
    assert!(report.is_good(), "{report}");
    assert!(report.count("jobs") >= 150 && report.count("faults injected and felt") >= 40, "{report}");
    assert!(report.count("refused stale reports") > 0 && report.count("refused replays") > 0, "{report}");
    assert_eq!((report.count("lost"), report.count("doubled")), (0, 0));
}

/// Databases, brokers and HAProxy meet everything that can happen to them, while all else goes on. What happens to workers
/// and lines is the matter of the run above; `cargo xtask chaos --galera` has both.
#[tokio::test(flavor = "multi_thread")]
async fn every_promise_is_kept_while_servers_fail() {
    let report = report(Options { jobs: 40, faults: 12, seed: 7, mix: Mix::Cluster, ..Options::default() }).await;
    println!("{report}");
    assert!(report.is_good(), "{report}");
    assert!(report.count("jobs") >= 40 && report.count("faults injected and felt") >= 12, "{report}");
    for outage in ["all database nodes killed", "quorum lost", "broker gone", "broker purged", "HAProxy reloaded"] {
        assert_eq!(report.count(outage), 1, "{report}");
    }
    assert_eq!((report.count("lost"), report.count("doubled")), (0, 0));
}

/// The controls below must fail for what was broken, so without that they must not fail.
#[tokio::test(flavor = "multi_thread")]
async fn released_coordinators_pass_what_sabotaged_ones_fail_even_if_told_to_fail() {
    for mix in [Mix::LateWorkers, Mix::KilledSubmits, Mix::Replays] {
        let told = Serving::ReleasedTold("epochs-unchecked,acknowledge-before-commit,nonces-per-process");
        let report = report(directed(mix, told)).await;
        assert!(report.is_good(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchecked_epoch_is_noticed() {
    let report = report(directed(Mix::LateWorkers, Serving::Sabotaged(UNCHECKED))).await;
    assert!(report.breaks(Invariant::I3), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_before_the_commit_is_noticed() {
    let report = report(directed(Mix::KilledSubmits, Serving::Sabotaged(HASTY))).await;
    assert!(report.breaks(Invariant::I1) && report.count("lost") > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonces_that_others_do_not_know_are_noticed() {
    let report = report(directed(Mix::Replays, Serving::Sabotaged(FORGETFUL))).await;
    assert!(report.breaks(Invariant::I5) && report.count("doubled") > 0, "{report}");
}

#[test]
fn the_released_program_holds_no_sabotage() {
    let holds = |name: &str, word: &str| {
        let bytes = std::fs::read(program(name)).unwrap();
        memchr::memmem::find(&bytes, word.as_bytes()).is_some()
    };
    for word in ["FFLEET_SABOTAGE", UNCHECKED, HASTY, FORGETFUL] {
        assert!(holds("ffleet-coordinator-sabotage", word), "the look for {word} finds nothing anywhere");
        assert!(!holds("ffleet-coordinator", word), "{word} is in the released program");
    }
}
