//! What a link was called when it ran: by which name of which configuration file, or with which options of the command
//! line. Noted so that it is known without connecting.
//!
//! Invariant: a name that meant another link before means the one that ran last.

use super::Store;
use rusqlite::params;
use trueup_core::Result;

/// Begins the name under which a link of a file stands.
pub(super) const PREFIX: &str = "config ";
/// Stands between a file and a name, where neither can have it.
const BETWEEN: &str = "\nlink ";
/// Begins the name under which a link's options stand; its durable name follows.
pub(super) const OPTIONS: &str = "options ";

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

    /// The files that have a name for the link, and the names.
    pub fn names_of_link(&self, durable: &str) -> Result<Vec<(String, String)>> {
        let names: Vec<String> = self.read_all(
            "read the names of a link",
            "SELECT name FROM meta WHERE value = ?1 AND substr(name, 1, length(?2)) = ?2 ORDER BY name",
            params![durable, PREFIX],
            |row| row.get(0),
        )?;
        let split = |name: &String| {
            let (file, name) = name.strip_prefix(PREFIX)?.rsplit_once(BETWEEN)?;
            Some((file.to_owned(), name.to_owned()))
        };
        Ok(names.iter().filter_map(split).collect())
    }

    /// Notes the options of the command line, as they are typed, that say which collections of the link take part and how.
    pub fn note_options(&mut self, durable: &str, options: &str) -> Result<()> {
        let key = format!("{OPTIONS}{durable}");
        self.write("note a link's options", |transaction| {
            transaction.execute(
                "INSERT INTO meta (name, value) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![key, options],
            )
        })?;
        Ok(())
    }

    /// What [`Store::note_options`] noted last; `None` where nothing was.
    pub fn link_options(&self, durable: &str) -> Result<Option<String>> {
        self.read_one(
            "read a link's options",
            "SELECT value FROM meta WHERE name = ?1",
            [format!("{OPTIONS}{durable}")],
        )
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
