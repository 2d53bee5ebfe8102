//! Every state × every event.

use std::collections::BTreeSet;

use ffleet_protocol::task::Order;

use super::*;

/// What is expected: rows are events, columns are states. A status is where the task goes; `=` stays and renews;
/// `stale`, `wrong`, `again`, `late`, `taken`, `early` and `avoid` are refusals. In `lapsed` the lease of an attempt that
/// ran has lapsed, in `waits` one ended badly and its finish is recorded, in `sent` one was rejected. Every word of a
/// worker quotes the current epoch's own lease, and every lease is over.
const EXPECTED: &str = "
event              blocked   pending   lapsed     waits    sent     assigned  running    publishing canceling completed failed   canceled
unblocked          pending   wrong     wrong      wrong    wrong    wrong     wrong      wrong      wrong     wrong     wrong    wrong
dependency_failed  failed    wrong     wrong      wrong    wrong    wrong     wrong      wrong      wrong     wrong     wrong    wrong
queue_timed_out    failed    failed    wrong      wrong    failed   wrong     wrong      wrong      wrong     wrong     wrong    wrong
claimed            wrong     assigned  assigned   early    early    taken     taken      taken      taken     wrong     wrong    wrong
claimed_by_same    wrong     assigned  avoid      early    early    again     again      again      again     wrong     wrong    wrong
accepted           stale     stale     again      stale    stale    running   again      again      again     stale     stale    stale
rejected           stale     stale     stale      stale    again    pending   wrong      wrong      wrong     stale     stale    stale
renewed            stale     stale     running    stale    stale    =         =          =          =         stale     stale    stale
lapsed             wrong     wrong     wrong      wrong    wrong    pending   pending    pending    canceled  wrong     wrong    wrong
lapsed_gone        wrong     wrong     wrong      wrong    wrong    pending   pending    pending    canceled  wrong     wrong    wrong
superseded         wrong     wrong     wrong      wrong    wrong    pending   pending    pending    canceled  wrong     wrong    wrong
left               wrong     wrong     wrong      wrong    wrong    pending   pending    pending    canceled  wrong     wrong    wrong
published          stale     stale     publishing stale    stale    wrong     publishing again      wrong     stale     stale    stale
finished_well      stale     stale     completed  again    stale    wrong     completed  completed  canceled  again     again    again
finished_badly     stale     stale     failed     again    stale    wrong     failed     failed     canceled  again     again    again
finished_transient stale     stale     pending    again    stale    wrong     pending    pending    canceled  again     again    again
timed_out          stale     stale     failed     again    stale    wrong     failed     failed     canceled  again     again    again
stopped            stale     stale     pending    again    stale    wrong     pending    pending    canceled  again     again    again
handed_back        stale     stale     pending    again    stale    wrong     pending    pending    canceled  again     again    again
cancel             canceled  canceled  canceled   canceled canceled canceled  canceling  late       again     wrong     wrong    wrong
";

/// The same when every word of a worker quotes an old epoch, another token or another worker: the rows that are missing
/// here do not quote anything.
const QUOTING: [&str; 11] = [
    "accepted",
    "rejected",
    "renewed",
    "published",
    "finished_well",
    "finished_badly",
    "finished_transient",
    "timed_out",
    "stopped",
    "handed_back",
    "",
];

/// Each state, and what the current epoch's holder would quote there.
fn state(name: &str) -> (Story, Quote) {
    let nobody = Quote { epoch: 0, token: Token::new(), worker: worker("one") };
    let from = |story: Story, then: fn(Story) -> Story| {
        let quote = quote(&story.task);
        (then(story), quote)
    };
    let one = Story::begins();
    match name {
        "blocked" => (Story { task: Task::new(TaskId::new(), true), ..one }, nobody),
        "pending" => (one, nobody),
        "lapsed" => from(one.runs("one"), Story::lapsed),
        "waits" => from(one.runs("one"), |story| story.finished(fails(FailureClass::Network))),
        "sent" => from(one.claimed("one"), |story| story.rejected("not now")),
        "assigned" => from(one.claimed("one"), |story| story),
        "running" => from(one.runs("one"), |story| story),
        "publishing" => from(one.runs("one"), Story::published),
        "canceling" => from(one.runs("one"), Story::canceled),
        "completed" => from(one.runs("one"), |story| story.finished(code(0))),
        "failed" => from(one.runs("one"), |story| story.finished(code(1))),
        "canceled" => from(one.runs("one"), |story| story.canceled().finished(code(255))),
        other => panic!("no such state: {other}"),
    }
}

fn event(name: &str, quote: Quote, story: &Story) -> Event {
    let lapsed = |lapse| Event::LeaseLapsed { lapse };
    let finished = |quote, end| Event::Finished { quote, end };
    match name {
        "unblocked" => Event::Unblocked,
        "dependency_failed" => Event::DependencyFailed { message: "the job before it failed".to_owned() },
        "queue_timed_out" => Event::QueueTimedOut,
        "claimed" => Event::Claimed { holder: holder("two") },
        "claimed_by_same" => {
            let same = story.task.state.holder().cloned().unwrap_or_else(|| holder("one"));
            Event::Claimed { holder: same }
        }
        "accepted" => Event::Accepted { quote },
        "rejected" => Event::Rejected { quote, reason: "no space".to_owned() },
        "renewed" => Event::Renewed { quote },
        "lapsed" => lapsed(Lapse::Over),
        "lapsed_gone" => lapsed(Lapse::OverAndGone),
        "superseded" => lapsed(Lapse::Superseded),
        "left" => lapsed(Lapse::Left),
        "published" => Event::Published { quote, outputs: outputs() },
        "finished_well" => finished(quote, code(0)),
        "finished_badly" => finished(quote, code(1)),
        "finished_transient" => finished(quote, fails(FailureClass::DiskFull)),
        "timed_out" => finished(quote, exits(Exit::TimedOut)),
        "stopped" => finished(quote, exits(Exit::Stopped)),
        "handed_back" => finished(quote, exits(Exit::HandedBack)),
        "cancel" => Event::CancelRequested { by: "bob".to_owned(), reason: CancelReason::Requested },
        other => panic!("no such event: {other}"),
    }
}

fn in_a_word(answer: Result<Next, Refusal>) -> String {
    match answer {
        Ok(next) if next.what == Next::RENEWED => "=".to_owned(),
        Ok(next) => next.task.state.status().to_string(),
        Err(Refusal::StaleLease) => "stale".to_owned(),
        Err(Refusal::TooLate) => "late".to_owned(),
        Err(Refusal::Taken) => "taken".to_owned(),
        Err(Refusal::NotBefore { .. } | Refusal::LeaseNotOver { .. }) => "early".to_owned(),
        Err(Refusal::Avoided { .. }) => "avoid".to_owned(),
        Err(Refusal::WrongState { .. }) => "wrong".to_owned(),
        Err(Refusal::AlreadyRecorded) => "again".to_owned(),
    }
}

/// The moment at which every row is tried: every lease that a story began with is over, and no wait is.
fn when(story: &Story) -> Timestamp {
    story.task.state.lease().map_or(at(story.now), |lease| lease.until)
}

fn table() -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let mut rows = EXPECTED.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let states = rows.next().unwrap().split_off(1);
    (states, rows.collect())
}

#[test]
fn every_event_in_every_state_does_what_is_written_down() {
    let (states, rows) = table();
    let mut wrong = Vec::new();
    for row in &rows {
        assert_eq!(row.len(), states.len() + 1, "the row {} has a hole", row[0]);
        for (name, expected) in states.iter().zip(&row[1..]) {
            let (story, quote) = state(name);
            let event = event(row[0], quote, &story);
            let got = in_a_word(story.task.on(&event, when(&story), &story.policy));
            if got != *expected {
                wrong.push(format!("{} in {name}: expected {expected}, got {got}", row[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_state_and_every_event() {
    let (states, rows) = table();
    let statuses: BTreeSet<TaskStatus> = states.iter().map(|name| state(name).0.status()).collect();
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), TaskStatus::ALL);

    let kinds: BTreeSet<&str> = rows
        .iter()
        .map(|row| {
            let (story, quote) = state("running");
            match event(row[0], quote, &story) {
                Event::Unblocked => "unblocked",
                Event::DependencyFailed { .. } => "dependency_failed",
                Event::Claimed { .. } => "claimed",
                Event::Accepted { .. } => "accepted",
                Event::Rejected { .. } => "rejected",
                Event::Renewed { .. } => "renewed",
                Event::LeaseLapsed { .. } => "lease_lapsed",
                Event::Published { .. } => "published",
                Event::Finished { .. } => "finished",
                Event::CancelRequested { .. } => "cancel_requested",
                Event::QueueTimedOut => "queue_timed_out",
            }
        })
        .collect();
    assert_eq!(kinds.len(), 11);
}

#[test]
fn a_word_with_a_foreign_quote_is_stale_everywhere() {
    let (states, rows) = table();
    let quoting = rows.iter().map(|row| row[0]).filter(|row| QUOTING.contains(row));
    for row in quoting {
        for name in &states {
            let (story, own) = state(name);
            let foreign = [
                Quote { epoch: own.epoch + 1, ..own.clone() },
                Quote { epoch: own.epoch.wrapping_sub(1), ..own.clone() },
                Quote { token: Token::new(), ..own.clone() },
            ];
            for quote in foreign {
                let got = story.task.on(&event(row, quote.clone(), &story), when(&story), &story.policy);
                assert_eq!(got, Err(Refusal::StaleLease), "{row} in {name} quoting {quote:?}");
            }
            // A report that was recorded is known by epoch and token; everything else must come from the holder.
            let other = Quote { worker: worker("two"), ..own };
            let got = story.task.on(&event(row, other, &story), when(&story), &story.policy);
            assert!(matches!(got, Err(Refusal::StaleLease | Refusal::AlreadyRecorded)), "{row} in {name}: {got:?}");
        }
    }
}

#[test]
fn no_lease_lapses_before_its_time_unless_its_worker_is_known_to_be_gone() {
    for name in ["assigned", "running", "publishing", "canceling"] {
        let (story, _) = state(name);
        let until = story.lease().until;
        let before = until - SignedDuration::from_micros(1);
        for lapse in [Lapse::Over, Lapse::OverAndGone] {
            let got = story.task.on(&Event::LeaseLapsed { lapse }, before, &story.policy);
            assert_eq!(got, Err(Refusal::LeaseNotOver { until }), "{name}");
        }
        for lapse in [Lapse::Superseded, Lapse::Left] {
            assert!(story.task.on(&Event::LeaseLapsed { lapse }, before, &story.policy).is_ok(), "{name}");
        }
    }
}

#[test]
fn output_is_taken_while_the_lease_is_held_and_at_no_other_time() {
    use crate::domain::Takes;
    let (states, _) = table();
    for name in states {
        let (story, quote) = state(name);
        let expected = match name {
            "assigned" | "running" | "publishing" | "canceling" => Ok(Takes::Now),
            "lapsed" => Ok(Takes::OnceResumed),
            "waits" | "completed" | "failed" | "canceled" => Err(Refusal::AlreadyRecorded),
            "blocked" | "pending" | "sent" => Err(Refusal::StaleLease),
            other => panic!("no such state: {other}"),
        };
        assert_eq!(story.task.takes_output(&quote), expected, "{name}");
        let foreign = Quote { token: Token::new(), ..quote };
        assert_eq!(story.task.takes_output(&foreign), Err(Refusal::StaleLease), "{name}");
    }
}

#[test]
fn a_worker_goes_on_with_what_it_holds_and_stops_what_is_being_canceled() {
    let (states, _) = table();
    for name in states {
        let expected = match name {
            "assigned" | "running" | "publishing" => Order::Continue,
            "canceling" => Order::Stop { reason: CancelReason::Requested },
            "blocked" | "pending" | "lapsed" | "waits" | "sent" | "completed" | "failed" | "canceled" => Order::Lost,
            other => panic!("no such state: {other}"),
        };
        assert_eq!(state(name).0.task.state.order(), expected, "{name}");
    }
}
