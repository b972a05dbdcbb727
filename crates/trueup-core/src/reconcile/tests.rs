//! The decision, shown in cases, proven over all small worlds, and tried on random ones.

mod cases;
mod exhaustive;
mod laws;
mod random;
mod units;
mod world;
