//! Time as a parameter.

/// Tells the time and waits. The binary passes the machine's clock, tests pass one they move by hand.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;

    /// Returns after `ms` milliseconds, or earlier when the run was asked to stop.
    fn wait_ms(&self, ms: u64);
}
