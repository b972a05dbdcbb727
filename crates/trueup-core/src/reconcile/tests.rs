//! The decision, shown in cases, proven over all small worlds, and tried on random ones.

#![expect(clippy::unwrap_used, reason = "tests")]

mod cases;
mod exhaustive;
mod laws;
mod random;
mod units;
mod world;
