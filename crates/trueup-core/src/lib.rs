//! The pure core of trueup: values in, values out.
//!
//! Everything that decides lives here: what equal means ([`encode`]), what to do about it
//! ([`mod@reconcile`]), and the contract that endpoints keep ([`endpoint`]). The crate does no I/O,
//! reads no clock, draws no random number, spawns nothing and iterates no hash map: the same input gives the same
//! output in the same order.

pub mod base;
pub mod batch;
pub mod conflict;
pub mod decimal;
pub mod digest;
pub mod encode;
pub mod endpoint;
pub mod error;
pub mod failpoint;
pub mod json;
pub mod observation;
pub mod park;
pub mod policy;
pub mod reconcile;
pub mod schema;
pub mod side;
pub mod types;
pub mod value;

pub use error::{Error, Kind, Result};
