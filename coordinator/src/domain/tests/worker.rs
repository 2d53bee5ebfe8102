use std::time::Duration;

use ffleet_protocol::state::WorkerState;

use crate::domain::worker::{Standing, WorkerEvent, WorkerRefusal, silence_limit};

/// Rows are events, columns are standings; `+p` is a pause that outlives what the worker is doing.
const EXPECTED: &str = "
event          offline   offline+p online    paused+p  draining  draining+p
Registered     online    paused+p  online    paused+p  online    paused+p
Paused         offline+p offline+p paused+p  paused+p  leaving   leaving
Resumed        offline   offline   online    online    leaving   leaving
Drained        gone      gone      draining  draining+p draining draining+p
LastTaskEnded  offline   offline+p online    paused+p  offline   offline+p
Left           offline   offline+p offline   offline+p offline   offline+p
Silent         offline   offline+p offline   offline+p offline   offline+p
";

fn standing(word: &str) -> Standing {
    let (state, paused) = word.strip_suffix("+p").map_or((word, false), |state| (state, true));
    Standing { state: state.parse().unwrap(), paused }
}

fn in_a_word(answer: Result<Standing, WorkerRefusal>) -> String {
    match answer {
        Ok(Standing { state, paused }) => format!("{state}{}", if paused { "+p" } else { "" }),
        Err(WorkerRefusal::Offline) => "gone".to_owned(),
        Err(WorkerRefusal::Leaving) => "leaving".to_owned(),
    }
}

#[test]
fn every_event_in_every_standing_does_what_is_written_down() {
    let mut rows = EXPECTED.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let standings = rows.next().unwrap().split_off(1);
    let mut tried = 0;
    for row in rows {
        let event = WorkerEvent::ALL.into_iter().find(|event| format!("{event:?}") == row[0]).unwrap();
        for (name, expected) in standings.iter().zip(&row[1..]) {
            let got = in_a_word(standing(name).on(event));
            assert_eq!(got, *expected, "{event:?} in {name}");
            tried += 1;
        }
    }
    assert_eq!(tried, WorkerEvent::ALL.len() * standings.len());
}

#[test]
fn what_is_reached_is_consistent() {
    let mut known = vec![Standing::NEW];
    let mut next = 0;
    while let Some(&standing) = known.get(next) {
        next += 1;
        assert!(standing.state != WorkerState::Paused || standing.paused, "{standing:?}");
        assert!(standing.state != WorkerState::Online || !standing.paused, "{standing:?}");
        assert_eq!(standing.takes_work(), standing.state == WorkerState::Online);
        for event in WorkerEvent::ALL {
            if let Ok(reached) = standing.on(event)
                && !known.contains(&reached)
            {
                known.push(reached);
            }
        }
    }
    assert_eq!(known.len(), 6, "the table's columns are all there is");
}

#[test]
fn a_pause_survives_a_restart() {
    let mut standing = Standing::NEW;
    for event in [WorkerEvent::Registered, WorkerEvent::Paused, WorkerEvent::Left, WorkerEvent::Registered] {
        standing = standing.on(event).unwrap();
    }
    assert_eq!(standing.state, WorkerState::Paused);
}

#[test]
fn silence_is_two_and_a_half_heartbeats() {
    let seconds = Duration::from_secs;
    assert_eq!(silence_limit(seconds(5), seconds(15)), seconds(15));
    assert_eq!(silence_limit(seconds(10), seconds(15)), seconds(25));
}
