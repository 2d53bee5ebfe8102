//! Stories over real processes: what people and machines live through with a fleet, one file for each theme.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod accounts;
mod auth;
mod bulk;
mod cancel;
mod claims;
mod client;
mod delivery;
mod deps;
mod disks;
mod drain;
mod dropin;
mod encode;
mod events;
mod exit_codes;
mod floods;
mod follow;
mod idempotency;
mod identity;
mod install;
mod interop;
mod many;
mod monitor;
mod moving;
mod outage;
mod output;
mod placing;
mod races;
mod recovery;
mod several;
mod signals;
mod slow;
mod top;
mod zombies;
