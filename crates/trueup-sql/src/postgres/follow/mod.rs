//! Follows the write-ahead log: transactions as logical decoding (`pgoutput`) tells them, whole and in commit order.
//!
//! Invariant: a value of the log is the value that a scan delivers; what comes after a position is told completely, or
//! opening says that it is lost. The slot is moved on only to positions that were said to be durable. It deliberately
//! keeps no big transaction in memory: the server tells it after its end, from its own spool.

mod binding;
mod log;
mod message;
mod place;
mod session;
mod shape;
mod slot;
mod socket;
#[cfg(test)]
mod tests;
mod text;

use self::log::{Beginning, PostgresLog};
use self::place::Lsn;
use self::session::Session;
use self::shape::Shape;
use super::config::Settings;
use super::connect::Connection;
use trueup_core::follow::{FollowRequest, Opened};
use trueup_core::{Error, Result};

/// Opens the log. `known` is the identity that the positions of this source's snapshots begin with.
pub(super) fn open(
    connection: Connection,
    settings: &Settings,
    known: &str,
    request: &FollowRequest<'_>,
) -> Result<Opened> {
    let version = slot::check_server(&connection)?;
    let name = slot::name(request.link);
    let mut session = Session::open(settings)?;
    let (identity, now) = identify(&mut session)?;
    if let Some(from) = request.from
        && let Some(reason) = slot::lost(&connection, &name, from, (&identity, now))?
    {
        return Ok(Opened::Lost(reason));
    }
    let shapes = request
        .collections
        .iter()
        .map(|wanted| Shape::new(&connection, wanted, version))
        .collect::<Result<Vec<_>>>()?;
    // Before a table joins: otherwise its own application could not update it any more.
    for shape in &shapes {
        slot::check_identity(&connection, shape)?;
    }
    slot::publish(&connection, &name, &shapes)?;
    let start = match request.from.and_then(place::parse) {
        Some((_, lsn)) => lsn,
        None => slot::renew(&connection, &name, version)?,
    };
    let log = PostgresLog::new(
        session,
        connection,
        shapes,
        Beginning {
            name,
            identity,
            known: known.to_owned(),
            start,
            changes_max: request.changes_max.max(1),
            bytes_max: request.bytes_max.max(1),
        },
    )?;
    Ok(Opened::Log(Box::new(log)))
}

/// Removes what is kept for following a link.
pub(super) fn close(connection: &Connection, link: &str) -> Result<()> {
    let name = slot::name(link);
    slot::remove(connection, &name)?;
    slot::unpublish(connection, &name)
}

/// Asks the server who it is, and where its log ends now. Every user that may follow may ask this.
fn identify(session: &mut Session) -> Result<(String, Lsn)> {
    let rows = session.query("IDENTIFY_SYSTEM")?;
    let mut texts = rows.into_iter().next().unwrap_or_default().into_iter();
    let mut next = || texts.next().flatten();
    let (system, _timeline, now, database) = (next(), next(), next(), next());
    let now = now.as_deref().and_then(Lsn::parse);
    match (system, now, database) {
        (Some(system), Some(now), Some(database)) => {
            let database = database.escape_debug();
            Ok((format!("postgres system={system} database={database}"), now))
        }
        _ => Err(Error::corrupt("the server does not say who it is")
            .hint("the server may not be PostgreSQL, or be a newer version than trueup knows")),
    }
}
