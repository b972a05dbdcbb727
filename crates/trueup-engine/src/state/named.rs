//! Which links a configuration file means by which names: noted when they run, so that they are known without connecting.
//!
//! Invariant: a name that meant another link before means the one that ran last.

use super::Store;
use rusqlite::params;
use trueup_core::Result;

/// Begins what is noted of a file.
pub(super) const PREFIX: &str = "config ";
/// Stands between a file and a name, where neither can have it.
const BETWEEN: &str = "\nlink ";

impl Store {
    /// Notes that `file`, a path that means the same from every folder, calls the link of that durable name `name`.
    pub fn name_link(&mut self, file: &str, name: &str, durable: &str) -> Result<()> {
        let key = format!("{}{name}", prefix(file));
        self.write("note a link's name", |transaction| {
            transaction.execute(
                "INSERT INTO meta (name, value) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![key, durable],
            )
        })?;
        Ok(())
    }

    /// The names that `file` has for links, with their durable names.
    pub fn named_links(&self, file: &str) -> Result<Vec<(String, String)>> {
        self.read_all(
            "read the names of links",
            "SELECT substr(name, length(?1) + 1), value FROM meta \
             WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
            [prefix(file)],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }
}

fn prefix(file: &str) -> String {
    format!("{PREFIX}{file}{BETWEEN}")
}
