//! Links that carry changes both ways.

mod config;

pub use config::{ConflictRule, PolicySpec, TwoWay};
