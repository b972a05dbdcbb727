//! Endpoints that hold tables: databases and table-shaped files.
//!
//! Each endpoint is one folder with the same files and knows nothing of the engine. Records go in and out as
//! `trueup_core` batches, exactly as they are stored.

pub mod csv;
