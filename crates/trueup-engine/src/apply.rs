//! Apply (stub).
