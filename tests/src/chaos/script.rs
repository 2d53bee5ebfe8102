//! What a run does, decided before it begins: the jobs and the faults, in their order. It depends on the options and
//! their seed alone, so that a seed tells everything there is to repeat.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Mix, Options,
    faults::{Fault, Kind},
    work::Work,
};

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Move {
    /// Somebody submits a job and follows it.
    Submit(Submit),
    /// Something goes wrong.
    Fault(Fault),
}

/// A job and who submits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submit {
    /// Counted from 0 over the run; its label.
    pub(super) number: usize,
    /// The line through which its client speaks.
    pub(super) line: usize,
    /// Whether the program `ffleet` does it, or the library.
    pub(super) by_program: bool,
    /// What it is.
    pub(super) work: Work,
}

/// How many of each there are, besides jobs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast {
    pub(super) coordinators: usize,
    pub(super) workers: usize,
    pub(super) client_lines: usize,
}

/// Decides everything.
pub(super) fn script(options: &Options, cast: Cast) -> Vec<Move> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let mut faults = faults(options, cast, &mut rng).into_iter();
    let mut moves = Vec::with_capacity(options.jobs + options.faults);
    let mut done = 0;
    for number in 0..options.jobs {
        // As many faults as belong to this part of the jobs; the first come when there is something to disturb.
        let due = options.faults * number / options.jobs.max(1);
        moves.extend(faults.by_ref().take(due - done).map(Move::Fault));
        done = due;
        let line = rng.random_range(0..cast.client_lines);
        let by_program = matches!(options.mix, Mix::Everything | Mix::Cluster) && rng.random_bool(0.06);
        let work = match options.mix {
            Mix::Everything | Mix::Cluster => Work::any(&mut rng, by_program),
            // The late word is to find others at work.
            Mix::LateWorkers => Work::Encode { ms: rng.random_range(3_000..5_000) },
            Mix::KilledSubmits | Mix::Replays => Work::Encode { ms: rng.random_range(50..300) },
        };
        moves.push(Move::Submit(Submit { number, line, by_program, work }));
    }
    moves.extend(faults.map(Move::Fault));
    moves
}

/// Every kind in turn, in a random order each round, so that a run of some length has all of them. What only a cluster has
/// comes first, because a short run has it nowhere else.
fn faults(options: &Options, cast: Cast, rng: &mut StdRng) -> Vec<Fault> {
    let rounds: &[&[Kind]] = match options.mix {
        Mix::Everything => &[Kind::ANYWHERE],
        Mix::Cluster => &[Kind::SERVERS, Kind::ANYWHERE],
        Mix::LateWorkers => &[&[Kind::LateWorker]],
        Mix::KilledSubmits => &[&[Kind::KilledSubmits]],
        Mix::Replays => &[&[Kind::Replay]],
    };
    let mut rounds = rounds.iter().cycle();
    let mut faults = Vec::with_capacity(options.faults);
    let mut round: Vec<Kind> = Vec::new();
    while faults.len() < options.faults {
        if round.is_empty() {
            round = rounds.next().map(|kinds| kinds.to_vec()).unwrap_or_default();
        }
        let kind = round.swap_remove(rng.random_range(0..round.len()));
        faults.push(Fault::any(kind, cast, rng));
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const CAST: Cast = Cast { coordinators: 2, workers: 4, client_lines: 2 };

    fn of(seed: u64) -> Vec<Move> {
        script(&Options { jobs: 150, faults: 40, seed, ..Options::default() }, CAST)
    }

    fn kinds(moves: &[Move]) -> BTreeSet<Kind> {
        moves.iter().filter_map(|m| if let Move::Fault(fault) = m { Some(fault.kind) } else { None }).collect()
    }

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn a_run_has_all_its_jobs_and_every_kind_of_fault() {
        let moves = of(1);
        let jobs: Vec<_> =
            moves.iter().filter_map(|m| if let Move::Submit(job) = m { Some(job.number) } else { None }).collect();
        assert_eq!(jobs, (0..150).collect::<Vec<_>>());
        assert_eq!(moves.len() - jobs.len(), 40);
        assert_eq!(kinds(&moves), Kind::ANYWHERE.iter().copied().collect());
    }

    #[test]
    fn on_a_cluster_servers_come_first() {
        let options = |faults| Options { jobs: 10, faults, mix: Mix::Cluster, ..Options::default() };
        let (servers, all) = (Kind::SERVERS.len(), Kind::SERVERS.len() + Kind::ANYWHERE.len());
        assert_eq!(kinds(&script(&options(servers), CAST)), Kind::SERVERS.iter().copied().collect());
        assert_eq!(kinds(&script(&options(all), CAST)).len(), all);
    }
}
