//! The MySQL and MariaDB endpoint: exact reads in the binary form, batches by set-based statements.
//!
//! Invariant: what is read is of one snapshot and exact; what is written is one transaction with its marker, under
//! an epoch. It deliberately does not retry, sort or decide: it says what happened, and the engine knows what to do.
#![doc = ""]
#![doc = include_str!("docs.md")]

mod apply;
mod auth;
mod config;
mod connect;
mod construct;
mod control;
mod decode;
mod design;
mod encode;
mod error;
mod follow;
mod options;
mod quote;
mod references;
mod rights;
mod scan;
mod schema;
mod script;
mod session;
mod sieve;
mod structure;
mod tabbed;
#[cfg(test)]
mod tests;
mod transact;
mod types;
mod wire;
mod write;

use self::config::Settings;
use self::scan::MysqlSnapshot;
use self::script::MysqlScript;
use self::session::Connection;
use crate::server::same_database;
use crate::tls::SslMode;
use std::cell::RefCell;
use std::collections::BTreeSet;
use trueup_core::Result;
use trueup_core::endpoint::{
    About, Capabilities, Claim, Class, Context, Design, Endpoint, Snapshot, Writer,
};
use trueup_core::failpoint::Failpoints;
use trueup_core::follow::{FollowRequest, Opened};
use trueup_core::rights::{Rights, Wanted};
use trueup_core::schema::Schema;
use trueup_core::script::Script;
use trueup_core::structure::{Construction, Lost, Structure};

/// Connects to the server and database that `url` names. Creates nothing there.
///
/// # Errors
/// `Config` when the URL makes no sense, `Auth` when the server refuses the user, `Unavailable` when it cannot be
/// reached. No error holds the password.
pub fn connect(url: &str, context: Context) -> Result<Box<dyn Endpoint>> {
    let settings = Settings::parse(url, &context)?;
    let connection = Connection::open(&settings).map_err(|error| error.at(settings.address()))?;
    let about = probe(&connection, &settings)?;
    let Context { failpoints, .. } = context;
    let catalogue = RefCell::new(Some(connection));
    Ok(Box::new(Mysql {
        settings,
        about,
        failpoints,
        catalogue,
    }))
}

/// A connected database.
#[derive(Debug)]
struct Mysql {
    settings: Settings,
    about: About,
    failpoints: Failpoints,
    /// The connection for questions about shapes; reads and writes have their own. Emptied when it breaks.
    catalogue: RefCell<Option<Connection>>,
}

impl Mysql {
    /// Opens another connection, and makes sure that it leads to the same database.
    fn open(&self) -> Result<Connection> {
        let connection =
            Connection::open(&self.settings).map_err(|error| error.at(self.settings.address()))?;
        let identity = identity(&connection, &self.settings)?;
        same_database(&self.about.identity, &identity)?;
        Ok(connection)
    }

    fn ask<T>(&self, question: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut slot = self.catalogue.borrow_mut();
        let connection = match slot.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => self.open()?,
        };
        let answer = question(&connection);
        *slot = Some(connection);
        answer
    }
}

impl Endpoint for Mysql {
    fn about(&self) -> About {
        self.about.clone()
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        self.ask(schema::collections)
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        let table = self.ask(|connection| schema::describe(connection, collection))?;
        Ok(table.map(|table| table.schema))
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        self.ask(|connection| design::design(connection, wanted))
    }

    fn structure(&mut self, collection: &str) -> Result<Structure> {
        self.ask(|connection| structure::structure(connection, collection))
    }

    fn apart(&mut self) -> Result<Vec<Lost>> {
        self.ask(structure::apart)
    }

    fn construct(
        &self,
        wanted: &Schema,
        structure: &Structure,
        taken: &mut BTreeSet<String>,
    ) -> Result<Construction> {
        self.ask(|connection| construct::construct(connection, wanted, structure, taken))
    }

    fn rights(&mut self, wanted: &[Wanted]) -> Result<Rights> {
        self.ask(|connection| rights::rights(connection, wanted))
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(MysqlSnapshot::open(
            self.open()?,
            &self.about.identity,
        )?))
    }

    fn follow(&mut self, request: &FollowRequest<'_>) -> Result<Opened> {
        let identity = self.about.identity.clone();
        follow::open(
            self.open()?,
            self.open()?,
            &self.settings,
            identity,
            request,
        )
    }

    fn epoch(&mut self, link: &str) -> Result<Option<u64>> {
        if self.about.class != Class::Transactional {
            return Ok(None);
        }
        self.ask(|connection| control::epoch(connection, link))
            .map(Some)
    }

    fn writer(&mut self, claim: &Claim) -> Result<Box<dyn Writer>> {
        let control = self.about.class == Class::Transactional;
        let writer =
            apply::MysqlWriter::claim(self.open()?, claim, control, self.failpoints.clone());
        Ok(Box::new(
            writer.map_err(|error| error.at(&self.about.address))?,
        ))
    }

    fn join(&mut self, claim: &Claim, epoch: u64) -> Result<Option<Box<dyn Writer>>> {
        if self.about.class != Class::Transactional {
            return Ok(None);
        }
        let writer = apply::MysqlWriter::join(self.open()?, claim, epoch, self.failpoints.clone());
        Ok(Some(Box::new(
            writer.map_err(|error| error.at(&self.about.address))?,
        )))
    }

    fn script(&self) -> Option<Box<dyn Script + '_>> {
        Some(Box::new(MysqlScript::new(self)))
    }
}

/// What makes it this database and no other. MySQL servers have a number of their own; of MariaDB's there is only the
/// place.
fn identity(connection: &Connection, settings: &Settings) -> Result<String> {
    let rows = connection.query("SHOW VARIABLES LIKE 'server_uuid'")?;
    let server = match rows.first() {
        Some(row) if !connection.server.mariadb => format!("server={}", row.text(1)?),
        _ => settings.place(),
    };
    let database = connection.one("SELECT DATABASE()")?.text(0)?;
    Ok(format!(
        "mysql {server} database={}",
        database.escape_debug()
    ))
}

fn probe(connection: &Connection, settings: &Settings) -> Result<About> {
    let identity = identity(connection, settings)?;
    let mut notes = settings.notes.clone();
    let read_only = connection.one("SELECT @@GLOBAL.read_only")?.text(0)?;
    let read_only = !matches!(read_only.as_str(), "0" | "OFF");
    let control = !read_only && control::possible(connection)?;
    if read_only {
        notes.push("the server is read-only: it can be read, not written".to_owned());
    } else if !control {
        notes.push(
            "class B: the tables _trueup_epoch and _trueup_marker can neither be created nor used by this user, so \
             that no marker is kept; grant CREATE, SELECT, INSERT and UPDATE on them to raise it to class T"
                .to_owned(),
        );
    }
    if !read_only
        && connection
            .one("SELECT @@innodb_flush_log_at_trx_commit")?
            .text(0)?
            != "1"
    {
        notes.push(
            "a commit may be lost when the server crashes (innodb_flush_log_at_trx_commit is not 1); the next run \
             finds that out and compares anew"
                .to_owned(),
        );
    }
    notes.extend(protection_note(connection.is_encrypted(), settings));
    Ok(About {
        engine: if connection.server.mariadb {
            "mariadb"
        } else {
            "mysql"
        },
        version: connection.server.version.clone(),
        address: settings.address(),
        identity,
        class: if control {
            Class::Transactional
        } else {
            Class::Blind
        },
        capabilities: Capabilities {
            write: !read_only,
            create: !read_only,
            marker: control,
            check: !read_only,
            ordered: true,
            typed: true,
        },
        notes,
    })
}

/// Says when a network could read along, or nobody proved who the server is.
fn protection_note(encrypted: bool, settings: &Settings) -> Option<String> {
    if settings.is_socket() || settings.is_loopback() {
        return None;
    }
    match settings.ssl_mode {
        _ if !encrypted => {
            Some("the connection is not encrypted; use sslmode=verify-full".to_owned())
        }
        SslMode::VerifyCa | SslMode::VerifyFull => None,
        _ => Some(
            "the connection is encrypted, but the server is not verified; use sslmode=verify-full"
                .to_owned(),
        ),
    }
}
