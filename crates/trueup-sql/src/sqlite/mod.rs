//! SQLite: one file, class T.
//!
//! Values are read and written as they are stored, any type in any column; what a declared type promises is checked
//! by the cast, not assumed. Control tables are named `_trueup_*` and live in the target file, so that a batch and
//! its marker commit together. It does not follow changes yet.

mod apply;
mod bag;
mod bind;
mod connect;
mod construct;
mod control;
mod ddl;
mod decl;
mod design;
mod error;
mod references;
mod rights;
mod scan;
mod schema;
mod script;
mod sieve;
mod structure;
#[cfg(test)]
mod tests;
mod write;

use connect::Place;
use std::collections::BTreeSet;
use trueup_core::Result;
use trueup_core::endpoint::{
    About, Capabilities, Claim, Class, Context, Design, Endpoint, Snapshot, Writer,
};
use trueup_core::rights::{Rights, Wanted};
use trueup_core::schema::Schema;
use trueup_core::script::Script;
use trueup_core::structure::{Construction, Lost, Structure};

/// Connects to the file named by `address`: `sqlite:PATH`, or the path itself. The file may be missing: then it has
/// no collections, cannot be read, and is created by the first writer.
///
/// # Errors
/// `Config` when the address has no path or an unknown option.
pub fn connect(address: &str, context: Context) -> Result<Box<dyn Endpoint>> {
    Ok(Box::new(Sqlite {
        place: Place::parse(address)?,
        context,
    }))
}

#[derive(Debug)]
struct Sqlite {
    place: Place,
    context: Context,
}

impl Endpoint for Sqlite {
    fn about(&self) -> About {
        About {
            engine: "sqlite",
            version: rusqlite::version().to_owned(),
            address: self.place.address(),
            identity: self.place.identity(),
            class: Class::Transactional,
            capabilities: Capabilities {
                write: true,
                create: true,
                marker: true,
                check: true,
                ordered: true,
                typed: true,
            },
            notes: self.place.absence().into_iter().collect(),
        }
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        match self.place.read_if_present()? {
            Some(connection) => schema::collections(&connection),
            None => Ok(Vec::new()),
        }
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        match self.place.read_if_present()? {
            Some(connection) => schema::read(&connection, collection),
            None => Ok(None),
        }
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        design::design(wanted)
    }

    fn structure(&mut self, collection: &str) -> Result<Structure> {
        match self.place.read_if_present()? {
            Some(connection) => structure::structure(&connection, collection),
            None => Ok(Structure::default()),
        }
    }

    fn apart(&mut self) -> Result<Vec<Lost>> {
        match self.place.read_if_present()? {
            Some(connection) => structure::apart(&connection),
            None => Ok(Vec::new()),
        }
    }

    fn construct(
        &self,
        wanted: &Schema,
        structure: &Structure,
        taken: &mut BTreeSet<String>,
    ) -> Result<Construction> {
        let connection = self.place.read_if_present()?;
        construct::construct(connection.as_ref(), wanted, structure, taken)
    }

    fn rights(&mut self, wanted: &[Wanted]) -> Result<Rights> {
        rights::rights(&self.place, wanted)
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        scan::snapshot(&self.place)
    }

    fn epoch(&mut self, link: &str) -> Result<Option<u64>> {
        match self.place.read_if_present()? {
            Some(connection) => control::epoch(&connection, link).map(Some),
            None => Ok(Some(0)),
        }
    }

    fn writer(&mut self, claim: &Claim) -> Result<Box<dyn Writer>> {
        apply::writer(&self.place, claim, &self.context)
    }

    fn script(&self) -> Option<Box<dyn Script + '_>> {
        Some(Box::new(script::SqliteScript))
    }
}

/// Quotes an identifier. The only place where a name becomes SQL.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
