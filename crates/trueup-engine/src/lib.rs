//! The journey: connect, scan, compare, reconcile, guard, apply, checkpoint, verify.
//!
//! The engine carries out what the core decides. It knows endpoints only by their traits, takes clock, progress and
//! failpoints as parameters, and keeps memory bounded by moving batches over channels of a fixed depth. Start at
//! [`run`](fn@run::run).

mod apply;
mod certificate;
pub mod check;
mod clock;
mod compare;
mod connect;
mod link;
mod progress;
mod prove;
mod report;
pub mod run;
mod scan;
#[cfg(test)]
mod sim;
mod sort;
mod spool;
pub mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod two_way;
mod verify;

pub use certificate::{Certificate, CollectionProof, SideProof};
pub use clock::Clock;
pub use link::{CollectionSpec, Limits, Link, Mode, World};
pub use progress::{Event, Progress, Step, Tick};
pub use report::{CollectionReport, Report};
pub use two_way::{ConflictRule, PolicySpec, TwoWay, spelled};
