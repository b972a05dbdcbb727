//! The traps that SQLite alone has.
