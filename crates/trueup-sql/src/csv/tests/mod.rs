//! Tests of the CSV endpoint.

mod parse;
