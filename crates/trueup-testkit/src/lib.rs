//! What tests of trueup stand on: real servers, started and stopped on demand.

pub mod servers;
