//! The pure core of trueup: values in, values out.
//!
//! Everything that decides lives here: what equal means ([`encode`]), what differs ([`mod@diff`]), what to do about it
//! ([`mod@reconcile`], [`plan`], [`guard`]), and the contract that endpoints keep ([`endpoint`]). The crate does no
//! I/O, reads no clock, draws no random number, spawns nothing and iterates no hash map: the same input gives the
//! same output in the same order.

pub mod base;
pub mod batch;
pub mod calendar;
pub mod cast;
pub mod codec;
pub mod conflict;
pub mod decimal;
pub mod diff;
pub mod digest;
pub mod edits;
pub mod encode;
pub mod endpoint;
pub mod error;
#[cfg(test)]
mod explorer;
pub mod failpoint;
pub mod filter;
pub mod follow;
pub mod guard;
pub mod hashes;
pub mod json;
pub mod keyed;
pub mod lattice;
pub mod mapping;
pub mod net;
pub mod observation;
pub mod parcel;
pub mod park;
pub mod plan;
pub mod policy;
pub mod reconcile;
pub mod removals;
pub mod rights;
#[cfg(test)]
mod samples;
pub mod schema;
pub mod script;
pub mod side;
pub mod structure;
pub mod text;
pub mod types;
pub mod value;

pub use error::{Error, Kind, Passage, Result};
