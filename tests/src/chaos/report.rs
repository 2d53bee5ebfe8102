//! What a run comes to, as a table and as JSON.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::{Mix, Options, verdict::Verdict, witness::Seen};
use crate::checker::{Invariant, Violation};

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was asked for.
    pub options: Options,
    /// How long it took.
    pub took: Duration,
    /// Everything that must not be.
    pub violations: Vec<Violation>,
    /// Where everything lies, if it was kept.
    pub kept: Option<PathBuf>,
    /// Counts, in the order of the table.
    pub counts: Vec<(String, usize)>,
}

impl Report {
    pub(super) fn new(options: Options, took: Duration, verdict: Verdict, seen: &Seen, kept: Option<PathBuf>) -> Self {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for (kind, _) in seen.faults.iter().filter(|(_, felt)| *felt) {
            *kinds.entry(kind.name()).or_default() += 1;
        }
        for told in seen.jobs.values() {
            if let Some(fault) = told.submit.work.fault() {
                *kinds.entry(fault).or_default() += 1;
            }
        }
        let felt = seen.faults.iter().filter(|(_, felt)| *felt).count();
        let mut counts: Vec<(String, usize)> = [
            ("jobs", verdict.jobs),
            ("jobs followed to their end", seen.jobs.values().filter(|told| told.outcome.is_some()).count()),
            ("attempts", verdict.attempts),
            ("records of output followed", verdict.records),
            ("faults injected and felt", felt),
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .into();
        counts.extend(kinds.into_iter().map(|(kind, count)| (format!("  {kind}"), count)));
        let more = [
            ("leases lapsed", verdict.lapses),
            ("lapsed leases resumed", verdict.resumed),
            ("lost", verdict.lost),
            ("doubled", verdict.doubled),
            ("refused stale reports", seen.stale_refused),
            ("refused replays", seen.replays_refused),
            ("cancels that came too late", seen.cancels_refused),
        ];
        counts.extend(more.map(|(name, count)| (name.to_owned(), count)));
        Self { options, took, violations: verdict.violations, kept, counts }
    }

    /// Whether nothing was found that must not be.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }

    /// Whether an invariant was broken.
    #[must_use]
    pub fn breaks(&self, invariant: Invariant) -> bool {
        self.violations.iter().any(|violation| violation.invariant == invariant)
    }

    /// A count by its name in the table.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.counts.iter().find(|(own, _)| own.trim_start() == name).map_or(0, |(_, count)| *count)
    }

    /// The rate that no failure in so many jobs bounds, with 95 % confidence: the rule of three.
    fn bound(&self) -> f64 {
        let jobs = u32::try_from(self.count("jobs").max(1)).unwrap_or(u32::MAX);
        3.0 / f64::from(jobs)
    }

    /// How to do the same again.
    #[must_use]
    pub fn command(&self) -> String {
        let Options { jobs, faults, seed, mix, .. } = self.options;
        let galera = if mix == Mix::Cluster { "--galera " } else { "" };
        format!("cargo xtask chaos {galera}--jobs {jobs} --faults {faults} --seed {seed}")
    }

    /// The same for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let violations: Vec<_> = self
            .violations
            .iter()
            .map(|found| json!({ "invariant": found.invariant.to_string(), "place": found.place, "what": found.what }))
            .collect();
        let counts: serde_json::Map<_, _> =
            self.counts.iter().map(|(name, count)| (name.trim_start().to_owned(), json!(count))).collect();
        json!({
            "seed": self.options.seed,
            "jobs": self.options.jobs,
            "faults": self.options.faults,
            "seconds": self.took.as_secs_f64(),
            "counts": counts,
            "bound": self.bound(),
            "violations": violations,
            "kept": self.kept,
            "again": self.command(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {:.0} s", self.options.seed, self.took.as_secs_f64())?;
        for (name, count) in &self.counts {
            writeln!(f, "  {name:<40} {count:>8}")?;
        }
        if self.is_good() {
            let percent = self.bound() * 100.0;
            writeln!(
                f,
                "no invariant was broken; with 95 % confidence fewer than {percent:.2} % of jobs would show a fault (3/n)"
            )?;
        } else {
            writeln!(f, "{} violations:", self.violations.len())?;
            for violation in &self.violations {
                writeln!(f, "  {violation}")?;
            }
            if let Some(kept) = &self.kept {
                writeln!(f, "database and logs are kept in {}", kept.display())?;
            }
        }
        write!(f, "again: {}", self.command())
    }
}
