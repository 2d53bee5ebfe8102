//! What an account may do beyond its role: checked, and written in one way.

use std::{collections::BTreeSet, net::IpAddr};

use ffleet_protocol::{
    account::Scope,
    problem::{Code, FieldError},
};
use ipnet::IpNet;

use crate::ops::OpError;

/// Networks that one account may have; every request is compared with each.
const NETWORKS: usize = 64;
/// Turns for another's one, at most.
const WEIGHT: u32 = 1_000;

/// The scope with its networks in their usual spelling. `prefix` is where it stands in the request, such as `scope.`.
pub(super) fn checked(scope: &Scope, prefix: &str) -> Result<Scope, OpError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| errors.push(FieldError { field: format!("{prefix}{field}"), detail });

    let mut networks = BTreeSet::new();
    for text in &scope.networks {
        match network(text) {
            Some(network) => {
                networks.insert(network.to_string());
            }
            None => wrong("networks", format!("{text:?} is no network; expected one such as 10.0.0.0/8 or 10.1.2.3")),
        }
    }
    if scope.networks.len() > NETWORKS {
        wrong("networks", format!("{} are too many; at most {NETWORKS} are allowed", scope.networks.len()));
    }
    if !(1..=WEIGHT).contains(&scope.weight) {
        wrong("weight", format!("{} is not between 1 and {WEIGHT}", scope.weight));
    }
    match errors.first() {
        None => Ok(Scope { networks, ..*scope }),
        Some(first) => Err(OpError::fields(Code::BadField, format!("{}: {}", first.field, first.detail), errors)),
    }
}

/// A network, or one address as the network of itself. Bits beyond the prefix mean nothing and go.
fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(networks: &[&str], weight: u32) -> Scope {
        Scope { networks: networks.iter().map(|text| (*text).to_owned()).collect(), weight, ..Scope::default() }
    }

    #[test]
    fn networks_are_written_in_one_way() {
        let checked = checked(&scope(&["10.1.2.3/8", "192.168.1.7", " fd00::1/16 "], 1), "").unwrap();
        assert_eq!(checked.networks.into_iter().collect::<Vec<_>>(), ["10.0.0.0/8", "192.168.1.7/32", "fd00::/16"]);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let error = checked(&scope(&["10.0.0.0/33", "example.com", "10.0.0.0/8"], 0), "scope.").unwrap_err();
        let OpError::Refused(refused) = error else { panic!("{error:?}") };
        let fields: Vec<_> = refused.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(refused.code, Code::BadField);
        assert_eq!(fields, ["scope.networks", "scope.networks", "scope.weight"]);
        assert!(refused.errors[1].detail.contains("\"example.com\""), "{refused:?}");
        assert!(checked(&scope(&[], 1_001), "").is_err());
    }
}
