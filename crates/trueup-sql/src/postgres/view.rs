//! One moment of a database, seen by one session or by several.
//!
//! Invariant: sessions that share a view see the same records, whatever others commit meanwhile: all of them import the snapshot
//! that the first one exported.

use super::Place;
use super::connect::column;
use super::quote::literal;
use super::scan::PostgresSnapshot;
use trueup_core::Result;
use trueup_core::endpoint::Position;

const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE";

impl PostgresSnapshot {
    /// Begins the transaction and takes its position.
    pub(super) fn open(place: Place) -> Result<Self> {
        let connection = place.open()?;
        connection.execute(BEGIN)?;
        // The first query fixes what is seen: position and content are of the same moment.
        let row = connection.one(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text, \
             pg_current_snapshot()::text",
        )?;
        let (lsn, seen): (Option<String>, String) = (column(&row, 0)?, column(&row, 1)?);
        let lsn = lsn.unwrap_or_default();
        let identity = &place.identity;
        let position = Position(format!("{identity} lsn={lsn} snapshot={seen}"));
        Ok(Self {
            connection,
            position,
            place,
            exported: None,
        })
    }

    /// Begins a transaction that sees what the one called `exported` sees.
    fn import(&self, exported: &str) -> Result<Self> {
        let connection = self.place.open()?;
        connection.execute(&format!(
            "{BEGIN}; SET TRANSACTION SNAPSHOT {}",
            literal(exported)
        ))?;
        Ok(Self {
            connection,
            position: self.position.clone(),
            place: self.place.clone(),
            // That one ends with the session that exported it.
            exported: None,
        })
    }

    /// Opens a session that shares this view; `None` where the server lets none in.
    pub(super) fn shared(&mut self) -> Result<Option<Self>> {
        let exported = match self.exported.take() {
            Some(exported) => exported,
            // No savepoint may be open: a part of a transaction has no view of its own to export.
            None => column(&self.connection.one("SELECT pg_export_snapshot()")?, 0)?,
        };
        // Another server may have no room for one more, or a pooler lead to another one that only looks the same: then there
        // is no other view, and this one is as good as before.
        let imported = self.import(&exported).ok();
        self.exported = Some(exported);
        Ok(imported)
    }
}
