//! The journey: connect, scan, compare, reconcile, guard, apply, checkpoint, verify.
//!
//! The engine carries out what the core decides. It knows endpoints only by their traits, takes clock, progress and
//! failpoints as parameters, and keeps memory bounded by moving batches over channels of a fixed depth. Start at
//! [`run`](fn@run::run).

mod actions;
mod apply;
mod certificate;
pub mod check;
mod clock;
mod compare;
mod connect;
mod expression;
mod follow;
mod link;
mod listing;
mod open;
mod plan_file;
mod progress;
mod prove;
mod report;
mod retry;
pub mod run;
mod scan;
mod script;
mod selection;
mod shared;
#[cfg(test)]
mod sim;
mod sort;
mod spool;
pub mod state;
mod structure;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod twice;
mod two_way;
mod verify;

pub use certificate::{Certificate, CollectionProof, SideProof};
pub use clock::Clock;
pub use compare::Hashed;
pub use follow::{Followed, follow};
pub use link::{CollectionSpec, Comparison, Limits, Link, Mode, World};
pub use listing::{Found, Listing, Shape};
pub use plan_file::PlanFile;
pub use progress::{Event, Progress, Step, Tick};
pub use report::{CollectionReport, Report};
pub use selection::Selected;
pub use structure::{Refused, StructureReport};
pub use two_way::{ConflictRule, PolicySpec, TwoWay, spelled};
