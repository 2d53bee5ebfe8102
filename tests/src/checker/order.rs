//! The order of transitions where the database keeps none.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Event;

/// Brings the transitions of each task into an order in which each begins where the one before has ended, as far as there
/// is one: ids carry moments that several coordinators have read off one clock, each with an error of its own.
pub(super) fn in_order(events: Vec<Event>) -> Vec<Event> {
    let mut of_task: BTreeMap<Uuid, Vec<Event>> = BTreeMap::new();
    for event in events {
        of_task.entry(event.task).or_default().push(event);
    }
    of_task.into_values().flat_map(chained).collect()
}

fn chained(mut left: Vec<Event>) -> Vec<Event> {
    left.sort_by_key(|event| (event.epoch, event.at, event.id));
    let mut chain: Vec<Event> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let state = chain.last().map(|last| last.to.clone());
        let first = left[0].at;
        let follows = |event: &Event| event.from == state && event.at - first < NEAR;
        let at = left.iter().position(follows).unwrap_or(0);
        chain.push(left.remove(at));
    }
    chain
}

/// Moments that are nearer to each other than this, in microseconds, may be in either order. A coordinator's clock is behind
/// the server's by as long as its answer took, which is a tenth of a second on a busy machine, and seconds while a cluster
/// loses a node. What cannot follow each other in any order is found all the same.
const NEAR: i64 = 5_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn event(from: Option<&str>, to: &str, epoch: i64, at: i64) -> Event {
        Event {
            id: Uuid::now_v7(),
            task: Uuid::nil(),
            epoch,
            from: from.map(str::to_owned),
            to: to.to_owned(),
            what: String::new(),
            worker: None,
            at,
        }
    }

    #[test]
    fn near_moments_are_put_in_order_and_others_are_not() {
        let states = |events: Vec<Event>| in_order(events).into_iter().map(|event| event.to).collect::<Vec<_>>();
        let submitted = || event(None, "pending", 0, 1_000);
        let near = vec![
            event(Some("assigned"), "running", 1, 5_000),
            event(Some("pending"), "assigned", 1, 2_000_000),
            submitted(),
        ];
        assert_eq!(states(near), ["pending", "assigned", "running"]);
        let far = vec![
            event(Some("assigned"), "running", 1, 5_000),
            event(Some("pending"), "assigned", 1, 50_000_000),
            submitted(),
        ];
        assert_eq!(states(far), ["pending", "running", "assigned"], "that is for the checker to find");
    }
}
