//! Endpoints for tables: databases and table-shaped files.
//!
//! Each endpoint is one folder with the same files and passes the conformance suite for the capabilities it
//! declares. None of them knows the engine.

mod access;
mod address;
pub mod csv;
mod file;
pub mod jsonl;
pub mod mysql;
mod percent;
pub mod postgres;
mod secret;
pub mod sqlite;
mod tls;
