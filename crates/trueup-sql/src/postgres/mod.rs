//! The PostgreSQL endpoint: exact reads by binary COPY, batches by COPY and set-based statements.
//!
//! Invariant: what is read is of one snapshot and exact; what is written is one transaction with its marker, under
//! an epoch. It deliberately does not retry, sort or decide: it says what happened, and the engine knows what to do.
#![doc = ""]
#![doc = include_str!("docs.md")]

mod apply;
mod config;
mod connect;
mod construct;
mod control;
mod cut;
mod decode;
mod design;
mod direct;
mod encode;
mod error;
mod follow;
mod hashes;
mod numeric;
mod parcel;
mod part;
mod pgpass;
mod quote;
mod references;
mod rights;
mod scan;
mod schema;
mod script;
mod stage;
mod stream;
mod structure;
#[cfg(test)]
mod tests;
mod transact;
mod types;
mod view;
mod write;

use self::apply::PostgresWriter;
use self::config::Settings;
use self::connect::{Connection, column};
use self::scan::PostgresSnapshot;
use self::script::PostgresScript;
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
    Ok(Box::new(Postgres {
        settings,
        about,
        failpoints,
        catalogue,
    }))
}

/// A connected database.
#[derive(Debug)]
struct Postgres {
    settings: Settings,
    about: About,
    failpoints: Failpoints,
    /// The connection for questions about shapes; reads and writes have their own. Emptied when it breaks.
    catalogue: RefCell<Option<Connection>>,
}

/// Where a database is, and what makes it this one and no other.
#[derive(Clone, Debug)]
struct Place {
    settings: Settings,
    identity: String,
}

impl Place {
    /// Opens another connection, and makes sure that it leads to the same database.
    fn open(&self) -> Result<Connection> {
        let connection =
            Connection::open(&self.settings).map_err(|error| error.at(self.settings.address()))?;
        let identity = facts(&connection, &self.settings)?.identity;
        same_database(&self.identity, &identity)?;
        Ok(connection)
    }
}

impl Postgres {
    /// Where it is.
    fn place(&self) -> Place {
        Place {
            settings: self.settings.clone(),
            identity: self.about.identity.clone(),
        }
    }

    fn open(&self) -> Result<Connection> {
        self.place().open()
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

impl Endpoint for Postgres {
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
        self.ask(structure::apart::apart)
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
        Ok(Box::new(PostgresSnapshot::open(self.place())?))
    }

    fn follow(&mut self, request: &FollowRequest<'_>) -> Result<Opened> {
        let opened = follow::open(self.open()?, &self.settings, &self.about.identity, request);
        opened.map_err(|error| error.at(&self.about.address))
    }

    fn unfollow(&mut self, link: &str) -> Result<()> {
        self.ask(|connection| follow::close(connection, link))
            .map_err(|error| error.at(&self.about.address))
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
        let writer = PostgresWriter::claim(self.open()?, claim, control, self.failpoints.clone());
        Ok(Box::new(
            writer.map_err(|error| error.at(&self.about.address))?,
        ))
    }

    fn join(&mut self, claim: &Claim, epoch: u64) -> Result<Option<Box<dyn Writer>>> {
        if self.about.class != Class::Transactional {
            return Ok(None);
        }
        let writer = PostgresWriter::join(self.open()?, claim, epoch, self.failpoints.clone());
        Ok(Some(Box::new(
            writer.map_err(|error| error.at(&self.about.address))?,
        )))
    }

    fn script(&self) -> Option<Box<dyn Script + '_>> {
        Some(Box::new(PostgresScript::new(self)))
    }
}

/// What the server says about itself.
struct Facts {
    version: String,
    identity: String,
    standby: bool,
    read_only: bool,
}

fn facts(connection: &Connection, settings: &Settings) -> Result<Facts> {
    let row = connection.one(
        "SELECT current_setting('server_version'), current_database()::text, pg_is_in_recovery(), \
         current_setting('default_transaction_read_only')::bool, \
         has_function_privilege('pg_control_system()', 'EXECUTE')",
    )?;
    let database: String = column(&row, 1)?;
    let server = if column(&row, 4)? {
        let row = connection.one("SELECT system_identifier::text FROM pg_control_system()")?;
        format!("system={}", column::<String>(&row, 0)?)
    } else {
        format!("host={} port={}", settings.host, settings.port)
    };
    let identity = format!("postgres {server} database={}", database.escape_debug());
    let (standby, read_only) = (column(&row, 2)?, column(&row, 3)?);
    Ok(Facts {
        version: column(&row, 0)?,
        identity,
        standby,
        read_only,
    })
}

fn probe(connection: &Connection, settings: &Settings) -> Result<About> {
    let Facts {
        version,
        identity,
        standby,
        read_only,
    } = facts(connection, settings)?;
    let mut notes = settings.notes.clone();
    let control = !standby && control::possible(connection)?;
    if standby {
        notes.push("a standby: it can be read, not written".to_owned());
    } else if !control {
        notes.push(
            "class B: schema trueup can neither be created nor used by this user, so that no marker is kept; \
             grant CREATE on the database to raise it to class T"
                .to_owned(),
        );
    }
    if has_large_objects(connection)? {
        notes.push(
            "the database has large objects: they belong to no table and are not carried"
                .to_owned(),
        );
    }
    if read_only {
        notes.push("the user's transactions are read-only by default; batches ask for writing all the same".to_owned());
    }
    notes.extend(protection_note(connection.is_encrypted(), settings));
    Ok(About {
        engine: "postgres",
        version,
        address: settings.address(),
        identity,
        class: if control {
            Class::Transactional
        } else {
            Class::Blind
        },
        capabilities: Capabilities {
            write: !standby,
            create: !standby,
            marker: control,
            check: !standby,
            ordered: true,
            typed: true,
        },
        notes,
    })
}

fn has_large_objects(connection: &Connection) -> Result<bool> {
    let row = connection.one("SELECT EXISTS (SELECT FROM pg_largeobject_metadata)")?;
    column(&row, 0)
}

/// Says when a network could read along, or nobody proved who the server is.
fn protection_note(encrypted: bool, settings: &Settings) -> Option<String> {
    let loopback = settings
        .host
        .parse()
        .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    if settings.is_socket() || loopback || settings.host == "localhost" {
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
