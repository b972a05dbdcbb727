//! The binary's tests: the tool from outside, and the repository itself.

mod kills;
mod support;
mod tidy;
