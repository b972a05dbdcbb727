//! Endpoints that hold records in tables.

pub mod postgres;
