//! The binary's tests: the tool from outside, and the repository itself.

mod changes;
mod cli;
mod docs_commands;
mod kills;
mod nycflights;
mod secrets;
mod support;
mod tidy;
