//! Endpoints for tables: databases and table-shaped files.
//!
//! Each endpoint is one folder with the same files and passes the conformance suite for the capabilities it
//! declares. None of them knows the engine.

mod access;
mod address;
pub mod csv;
mod definition;
mod draft;
mod file;
mod hex;
pub mod jsonl;
pub mod mysql;
#[cfg(feature = "parquet")]
pub mod parquet;
mod percent;
pub mod postgres;
mod secret;
mod server;
mod sieve;
pub mod sqlite;
mod tls;

/// Says that a place is not there: a target that is new, or a typing mistake.
fn absence(what: &str, path: &std::path::Path) -> String {
    format!(
        "the {what} {} does not exist; the first run that writes to it creates it",
        path.display()
    )
}
