//! From what somebody asks for to what is to be done, in fleet terms: no local paths, no machine. A function from spec
//! to plan, and every reason why not.

mod args;
mod fields;
mod hint;
mod trouble;

use std::collections::BTreeSet;

use ffleet_protocol::{
    job::{JobSpec, Need},
    task::Command,
    template::Variable,
};

pub use trouble::BadSpec;

/// What this installation and this account allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The programs that may be named.
    pub programs: BTreeSet<String>,
    /// The path variables that may be named; none means any.
    pub variables: BTreeSet<Variable>,
    /// Whether files outside path variables may be named.
    pub raw_paths: bool,
}

/// What is to be done for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its tasks. A plain command has one.
    pub tasks: Vec<PlannedTask>,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTask {
    /// Its name within the job.
    pub name: String,
    /// What a worker must have.
    pub need: Need,
    /// What it runs.
    pub command: Command,
}

/// The name of the only task of a plain command.
pub const ONLY_TASK: &str = "main";

/// Plans a job, or says everything that is wrong with it at once.
pub fn plan(spec: &JobSpec, rules: &Rules) -> Result<Plan, BadSpec> {
    let mut troubles = trouble::Troubles::default();
    fields::program(spec, rules, &mut troubles);
    let variables = args::check(spec, rules, &mut troubles);
    fields::check(spec, &mut troubles);
    troubles.into_result()?;
    let need = Need { program: spec.program.clone(), variables, requirements: spec.needs.clone() };
    let command = Command { program: spec.program.clone(), args: spec.args.clone(), cwd: spec.cwd.clone() };
    Ok(Plan { tasks: vec![PlannedTask { name: ONLY_TASK.to_owned(), need, command }] })
}

#[cfg(test)]
mod tests;
