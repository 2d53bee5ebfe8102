//! Whose turn it is: how many tasks one claim gets, and how requesters take turns.

/// How far apart a requester of weight 1 puts its tasks.
pub const SCALE: i64 = 1 << 20;

/// How many tasks a claim is granted: an even share among the workers that wait, so that work spreads instead of piling
/// on the first one. `waiting` counts the one that asks.
#[must_use]
pub fn share(claimable: u64, waiting: u64, free_slots: u32) -> u32 {
    let even = claimable.div_ceil(waiting.max(1));
    u32::try_from(even).unwrap_or(u32::MAX).max(1).min(free_slots)
}

/// Whether one more worker that is lost with a task would have it called poison. Such a task gets a worker on which no other
/// is as near to it: a task at fault would otherwise take the same innocent ones down with it each time.
#[must_use]
pub fn is_suspect(crashes: u32, crash_limit: u32) -> bool {
    crashes > 0 && crashes + 1 >= crash_limit
}

/// Where a new task stands in the line of its priority (start-time fair queueing): after the requester's own work, but
/// not behind the backlogs of others, and not before what is being served now, however long the requester was away.
#[must_use]
pub fn fair_key(lowest_claimable: Option<i64>, own_highest_unfinished: Option<i64>, weight: u32) -> i64 {
    let start = lowest_claimable.max(own_highest_unfinished).unwrap_or(0);
    start.saturating_add((SCALE / i64::from(weight.max(1))).max(1))
}
