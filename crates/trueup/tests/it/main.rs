//! The binary's tests: the tool from outside, and the repository itself.

mod changes;
mod kills;
mod nycflights;
mod support;
mod tidy;
