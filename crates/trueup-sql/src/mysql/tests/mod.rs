//! The endpoint against a real server, started by the test kit.

mod conformance;
