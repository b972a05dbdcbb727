//! The binary's tests: the tool from outside, and the repository itself.

mod faults;
mod kills;
mod memory;
mod nycflights;
mod support;
mod tidy;
