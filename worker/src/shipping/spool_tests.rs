use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn place(folder: &TempDir, memory: usize, disk: u64) -> SpoolFile {
    SpoolFile { path: folder.path().join("t.ndjson"), memory, budget: Arc::new(Budget::new(disk)) }
}

fn push(spool: &Spool, stream: Stream, text: &str) {
    spool.push(stream, Timestamp::UNIX_EPOCH, text.as_bytes().to_vec(), None);
}

/// Sends everything, a small batch at a time, and checks that there are no gaps.
fn drain(spool: &Spool, mut next: u64) -> Vec<Record> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let batch = spool.batch(300);
        let Some(last) = batch.last() else { return all };
        for record in &batch {
            assert_eq!(record.seq, next, "a gap or a repetition");
            next = record.last_seq() + 1;
        }
        spool.settle(last.last_seq() + 1);
        all.extend(batch);
    }
}

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| match &record.data {
        Data::Text(text) | Data::B64(text) => text.clone(),
        Data::Dropped(lost) => format!("{:?} {:?} {}..{}", record.stream, lost.reason, record.seq, lost.to),
    };
    records.iter().map(text).collect()
}

#[test]
fn records_stay_until_they_are_settled() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(place(&folder, 10_000, 0), 1);
    assert_eq!(spool.batch(1000), []);
    for text in ["a", "b", "c"] {
        push(&spool, Stream::Stderr, text);
    }
    assert_eq!(texts(&spool.batch(1000)), ["a", "b", "c"]);
    spool.settle(3);
    assert_eq!(texts(&spool.batch(1000)), ["c"]);
    spool.settle(2);
    assert_eq!(texts(&spool.batch(1000)), ["c"], "an older answer takes nothing back");
    assert!(!folder.path().join("t.ndjson").exists(), "memory sufficed");
}

#[test]
fn what_memory_cannot_hold_goes_through_the_file_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(place(&folder, 1000, 1_000_000), 7);
    let all: Vec<String> = (0..500).map(|n| format!("line {n}")).collect();
    for text in &all {
        push(&spool, Stream::Stdout, text);
    }
    assert!(spool.lock().front_bytes <= 1000);
    assert_eq!(texts(&drain(&spool, 7)), all);
    assert_eq!(spool.totals(), Totals { last_seq: 506, first_stdout: Some(7) });
    push(&spool, Stream::Stderr, "after");
    assert_eq!(texts(&drain(&spool, 507)), ["after"]);
}

#[test]
fn space_that_was_read_can_be_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(place(&folder, 500, 4_000), 1);
    let mut next = 1;
    for round in 0..20 {
        for n in 0..20 {
            push(&spool, Stream::Stderr, &format!("{round} {n}"));
        }
        let told = drain(&spool, next);
        assert!(told.iter().all(|record| !matches!(record.data, Data::Dropped(_))), "{:?}", texts(&told));
        next += 20;
    }
}

#[test]
fn a_full_disk_becomes_one_declared_loss() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(place(&folder, 200, 0), 1);
    push(&spool, Stream::Stderr, "kept");
    for _ in 0..50 {
        push(&spool, Stream::Stderr, &"x".repeat(100));
    }
    push(&spool, Stream::Stdout, &"y".repeat(100));
    assert_eq!(texts(&spool.batch(10_000)), ["kept"]);
    spool.settle(2);
    push(&spool, Stream::Stderr, "kept again");
    let told = drain(&spool, 2);
    assert_eq!(texts(&told), ["Stdout SpoolFull 2..52", "kept again"]);
    let Data::Dropped(lost) = &told[0].data else { panic!("no loss") };
    assert_eq!(lost.bytes, Some(5100));
}

#[test]
fn a_loss_at_the_end_is_told_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(place(&folder, 150, 0), 1);
    push(&spool, Stream::Stderr, "kept");
    push(&spool, Stream::Stderr, &"x".repeat(100));
    spool.close();
    assert_eq!(texts(&drain(&spool, 1)), ["kept", "Stderr SpoolFull 2..2"]);
}

#[test]
fn another_life_goes_on_where_this_one_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(place(&folder, 300, 1_000_000), 1);
    for n in 1..=20 {
        push(&spool, Stream::Stderr, &format!("{n}"));
    }
    spool.settle(6);
    let totals = spool.close();
    spool.persist().unwrap();
    drop(spool);

    let spool = Spool::recovered(place(&folder, 300, 1_000_000), totals);
    // The file may begin before what was settled; the coordinator's first answer says how far it is.
    spool.settle(6);
    let told = drain(&spool, 6);
    assert_eq!(texts(&told), (6..=20).map(|n| n.to_string()).collect::<Vec<_>>());
    spool.discard();
    assert!(!folder.path().join("t.ndjson").exists());
}

#[test]
fn what_is_not_found_again_is_declared_lost() {
    let folder = tempfile::tempdir().unwrap();
    let totals = Totals { last_seq: 9, first_stdout: Some(4) };
    let spool = Spool::recovered(place(&folder, 300, 0), totals);
    assert_eq!(spool.batch(1000), [], "until the coordinator says what it lacks");
    spool.rewind(8);
    assert_eq!(texts(&drain(&spool, 8)), ["Stdout SpoolLost 8..9"]);
    spool.rewind(2);
    assert_eq!(texts(&drain(&spool, 2)), ["Stdout SpoolLost 2..9"]);

    let spool = Spool::recovered(place(&folder, 300, 0), Totals { last_seq: 3, first_stdout: None });
    spool.rewind(2);
    assert_eq!(texts(&drain(&spool, 2)), ["Stderr SpoolLost 2..3"]);
}

#[test]
fn damage_in_the_file_is_a_declared_loss() {
    let folder = tempfile::tempdir().unwrap();
    let record = |seq| Record {
        seq,
        stream: Stream::Stderr,
        at: Timestamp::UNIX_EPOCH,
        data: Data::Text(format!("{seq}")),
        end: None,
    };
    let lines = [&json_line(&record(1)).unwrap()[..], b"{damaged\n", &json_line(&record(3)).unwrap(), b"{\"seq\":4,"];
    fs::write(folder.path().join("t.ndjson"), lines.concat()).unwrap();
    let spool = Spool::recovered(place(&folder, 300, 0), Totals { last_seq: 4, first_stdout: None });
    assert_eq!(texts(&drain(&spool, 1)), ["1", "Stderr SpoolLost 2..2", "3", "Stderr SpoolLost 4..4"]);
}

#[test]
fn what_nobody_will_ever_take_is_forfeited() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(place(&folder, 10_000, 0), 1);
    for text in ["a", "b", "c"] {
        push(&spool, Stream::Stderr, text);
    }
    spool.forfeit(2);
    assert_eq!(texts(&drain(&spool, 1)), ["Stderr SpoolLost 1..2", "c"]);
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Send,
    Restart,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes in and however it is sent, every number is told exactly once and in order.
    #[test]
    fn every_number_is_told_once(
        steps in proptest::collection::vec(prop_oneof![
            6 => (0usize..400).prop_map(Step::Push), 3 => Just(Step::Send), 1 => Just(Step::Restart)], 1..120),
        memory in 100usize..2000,
        disk in 0u64..6000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(place(&folder, memory, disk), 1);
        let mut next = 1;
        for step in &steps {
            match step {
                Step::Push(length) => push(&spool, Stream::Stderr, &"z".repeat(*length)),
                Step::Send => {
                    for record in spool.batch(300) {
                        prop_assert_eq!(record.seq, next);
                        next = record.last_seq() + 1;
                    }
                    spool.settle(next);
                }
                Step::Restart => break,
            }
        }
        let totals = spool.close();
        spool.persist().unwrap();
        drop(spool);
        let spool = Spool::recovered(place(&folder, memory, disk), totals);
        spool.rewind(next);
        let told = drain(&spool, next);
        prop_assert_eq!(told.last().map_or(next, |record| record.last_seq() + 1), totals.last_seq + 1);
        prop_assert!(!texts(&told).iter().any(|text| text.contains("SpoolLost")), "nothing was lost on the way");
    }
}
