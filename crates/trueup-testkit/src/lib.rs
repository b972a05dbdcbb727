//! What the tests of every crate share: an endpoint in memory, faults on demand, the conformance suite that each
//! endpoint passes, the simulator's world, builders for records, and real servers started and stopped on demand.
//!
//! But for the servers, nothing here sleeps, reads a clock or draws a random number: a failing test fails again. The
//! crate may not know the engine; the engine's own tests drive what is here.

pub mod conformance;
pub mod faults;
pub mod memory;
pub mod owned;
pub mod records;
pub mod scripts;
pub mod servers;
pub mod sim;

pub use owned::Owned;
