//! The records of a task's output: each number once, none left out.

use std::collections::BTreeMap;

use super::{Chunk, Invariant, Span, Task, Violation};

/// What is kept of a log when the coordinators are not told otherwise.
const USUAL_LOG_CAP: i64 = 8 << 20;

/// Looks at every attempt's records. A log of half its cap may have given up its middle; a smaller one has no reason to.
pub(super) fn check(task: &Task, chunks: &[&Chunk], log_cap: Option<i64>, found: &mut Vec<Violation>) {
    let mut bad = |invariant, what: String| found.push(Violation::task(invariant, task.id, &[], what));
    let mut epochs: BTreeMap<i64, Vec<&Chunk>> = BTreeMap::new();
    for chunk in chunks {
        epochs.entry(chunk.epoch).or_default().push(chunk);
    }
    let pruned = task.kept_bytes >= log_cap.unwrap_or(USUAL_LOG_CAP) / 2 || chunks.iter().any(|chunk| chunk.thinned);
    for (epoch, chunks) in epochs {
        if epoch < 1 || epoch > task.epoch {
            bad(Invariant::I3, format!("there is output of epoch {epoch}, and its last epoch is {}", task.epoch));
        }
        let mut spans: Vec<Span> = chunks.iter().flat_map(|chunk| &chunk.records).copied().collect();
        spans.sort_unstable();
        let mut next = 1;
        for span in &spans {
            if span.first < next {
                bad(Invariant::I8, format!("epoch {epoch}: record {} is there again", span.first));
            } else if span.first > next && !pruned {
                bad(Invariant::I8, format!("epoch {epoch}: records {next} to {} are missing", span.first - 1));
            }
            next = next.max(span.last + 1);
        }
        let batches = batches(&chunks, &mut |what| bad(Invariant::I8, format!("epoch {epoch}: {what}")));
        if epoch == task.epoch && task.next_seq != next.max(batches + 1) {
            let last = next - 1;
            bad(
                Invariant::I8,
                format!("epoch {epoch}: record {} is expected next, the last one is {last}", task.next_seq),
            );
        }
    }
    if task.next_seq > 1 && !pruned && !chunks.iter().any(|chunk| chunk.epoch == task.epoch) {
        bad(Invariant::I8, format!("record {} is expected next, and there is none", task.next_seq));
    }
}

/// Batches do not overlap, and their records lie within. Gives the last number of the last batch.
fn batches(chunks: &[&Chunk], bad: &mut impl FnMut(String)) -> i64 {
    let mut spans: BTreeMap<i64, i64> = BTreeMap::new();
    for chunk in chunks {
        let last = spans.entry(chunk.batch_first).or_insert(chunk.batch_last);
        let own = chunk.records.iter().all(|span| span.first >= chunk.batch_first && span.last <= chunk.batch_last);
        if *last != chunk.batch_last || !own {
            bad(format!("the batch from {} does not hold together", chunk.batch_first));
        }
    }
    let mut through = 0;
    for (first, last) in spans {
        if first <= through {
            bad(format!("the batch from {first} to {last} overlaps the one before"));
        }
        through = through.max(last);
    }
    through
}
