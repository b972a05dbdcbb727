//! Follows the write-ahead log: transactions as logical decoding (`pgoutput`) tells them, whole and in commit order.
//!
//! Invariant: a value of the log is the value that a scan delivers; what comes after a position is told completely, or
//! opening says that it is lost. The slot is moved on only to positions that were said to be durable. It deliberately
//! keeps no big transaction in memory: the server tells it after its end, from its own spool.

mod binding;
mod log;
mod message;
mod place;
mod publication;
mod session;
mod shape;
mod slot;
mod socket;
#[cfg(test)]
mod tests;
mod text;

use self::log::{Beginning, PostgresLog};
use self::place::{Lsn, Place};
use self::session::Session;
use self::shape::Shape;
use self::slot::Server;
use super::config::Settings;
use super::connect::Connection;
use trueup_core::follow::{FollowRequest, Opened};
use trueup_core::{Error, Result};

/// The first version that sends values in binary form.
const BINARY_SINCE: i32 = 140_000;

/// Opens the log. `known` is the identity that the positions of this source's snapshots begin with.
pub(super) fn open(
    connection: Connection,
    settings: &Settings,
    known: &str,
    request: &FollowRequest<'_>,
) -> Result<Opened> {
    let version = slot::check_server(&connection, request.from.is_some())?;
    let name = slot::name(request.link);
    let mut session = Session::open(settings)?;
    let server = identify(&mut session)?;
    if let Some(from) = request.from
        && let Some(reason) = slot::lost(&connection, &mut session, &name, from, &server)?
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
    if let Some(reason) = publication::publish(&connection, &name, &shapes, request.from.is_some())?
    {
        return Ok(Opened::Lost(reason));
    }
    let start = match request.from.and_then(place::parse) {
        Some((_, place)) => place.lsn,
        None => slot::renew(&connection, &name, version)?,
    };
    let given = Beginning {
        name,
        identity: server.identity,
        known: known.to_owned(),
        start,
        timeline: server.now.timeline,
        binary: version >= BINARY_SINCE,
        changes_max: request.changes_max.max(1),
        bytes_max: request.bytes_max.max(1),
    };
    let log = PostgresLog::new(session, connection, shapes, given)?;
    Ok(Opened::Log(Box::new(log)))
}

/// Removes what is kept for following a link.
pub(super) fn close(connection: &Connection, link: &str) -> Result<()> {
    let name = slot::name(link);
    slot::remove(connection, &name)?;
    publication::unpublish(connection, &name)
}

/// Asks the server who it is, and where its log ends now. Every user that may follow may ask this.
fn identify(session: &mut Session) -> Result<Server> {
    let rows = session.query("IDENTIFY_SYSTEM")?;
    let mut texts = rows.into_iter().next().unwrap_or_default().into_iter();
    let mut next = || texts.next().flatten();
    let (system, timeline, now, database) = (next(), next(), next(), next());
    let timeline = timeline.and_then(|text| text.parse().ok());
    let lsn = now.as_deref().and_then(Lsn::parse);
    match (system, timeline, lsn, database) {
        (Some(system), Some(timeline), Some(lsn), Some(database)) => Ok(Server {
            identity: format!(
                "postgres system={system} database={}",
                database.escape_debug()
            ),
            now: Place { timeline, lsn },
        }),
        _ => Err(Error::corrupt("the server does not say who it is")
            .hint("the server may not be PostgreSQL, or be a newer version than trueup knows")),
    }
}
