//! What the tests of every crate share: an endpoint in memory, faults on demand, the conformance suite that each
//! endpoint passes, and builders for records.
//!
//! Nothing here sleeps, reads a clock or draws a random number: a failing test fails again. The crate may not know
//! the engine; the engine's own tests drive what is here.

pub mod conformance;
pub mod faults;
pub mod memory;
pub mod owned;
pub mod records;

pub use owned::Owned;
