//! The binary's tests: the tool from outside, and the repository itself.
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: every function serves a test"
)]

mod bags;
mod bench;
mod changes;
mod check;
mod cli;
mod config;
mod conflicts;
mod docs_commands;
mod faults;
mod files;
mod filters;
mod followed;
mod hashed;
mod init;
mod kills;
mod lattice;
mod loading;
mod mariadb;
mod mariadb_roles;
mod memory;
mod migration;
mod moved;
mod names;
mod nycflights;
mod pairs;
mod parcels;
mod parked;
mod parquet;
mod picture;
mod plans;
mod postgres_roles;
mod postgres_types;
mod results;
mod secrets;
mod several;
mod stopped;
mod support;
mod terminal;
mod tidy;
mod tills;
mod two_way;
