//! Which links a configuration file means by which names: noted when they run, so that they are known without connecting.
//!
//! Invariant: a name that meant another link before means the one that ran last. With it stands what the file said of the
//! places then, so that a file that was edited since is not believed.

use super::Store;
use rusqlite::params;
use trueup_core::Result;

/// Begins the name under which a link of a file stands.
pub(super) const PREFIX: &str = "config ";
/// Stands between a file and a name, where neither can have it.
const BETWEEN: &str = "\nlink ";

/// A name that a configuration file has for a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLink {
    /// The name.
    pub name: String,
    /// The link's durable name.
    pub durable: String,
    /// What stands for the places that the file gave, where that is known.
    pub places: Option<String>,
}

impl Store {
    /// Notes that `file`, a path that means the same from every folder, calls the link of that durable name `name`.
    /// `places`, a word, stands for the places that it gives.
    pub fn name_link(
        &mut self,
        file: &str,
        name: &str,
        durable: &str,
        places: Option<&str>,
    ) -> Result<()> {
        let key = format!("{}{name}", prefix(file));
        let value = match places {
            Some(places) => format!("{durable} {places}"),
            None => durable.to_owned(),
        };
        self.write("note a link's name", |transaction| {
            transaction.execute(
                "INSERT INTO meta (name, value) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![key, value],
            )
        })?;
        Ok(())
    }

    /// The names that `file` has for links.
    pub fn named_links(&self, file: &str) -> Result<Vec<NamedLink>> {
        self.read_all(
            "read the names of links",
            "SELECT substr(name, length(?1) + 1), value FROM meta \
             WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
            [prefix(file)],
            |row| {
                let value: String = row.get(1)?;
                let (durable, places) = match value.split_once(' ') {
                    Some((durable, places)) => (durable.to_owned(), Some(places.to_owned())),
                    None => (value, None),
                };
                let name = row.get(0)?;
                Ok(NamedLink {
                    name,
                    durable,
                    places,
                })
            },
        )
    }
}

fn prefix(file: &str) -> String {
    format!("{PREFIX}{file}{BETWEEN}")
}
