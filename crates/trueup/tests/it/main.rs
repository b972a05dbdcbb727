//! The binary's tests: the tool from outside, and the repository itself.

mod support;
mod tidy;
