//! The binary's tests: the tool from outside, and the repository itself.

mod nycflights;
mod support;
mod tidy;
