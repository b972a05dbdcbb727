//! The log as it arrives: it waits for events, and says when none can come any more.
//!
//! Invariant: a broken connection is never taken for the end of the log.

use super::place::Spot;
use super::teller::Teller;
use crate::mysql::Connection;
use crate::mysql::error::{self, Foreign};
use std::time::Duration;
use trueup_core::endpoint::Position;
use trueup_core::follow::{Backlog, Changes, Log, Told};
use trueup_core::{Error, Kind, Result};

/// How often the server says that it is there when it has nothing else to say.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long it may say nothing at all.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// After how many events without a word the caller may look around.
const EVENTS_MAX: usize = 10_000;
/// The server's number for a place in its log that is not there.
pub(super) const GONE: u16 = 1236;

/// The log of a MariaDB server.
pub(super) struct MariadbLog {
    pub(super) stream: Connection,
    pub(super) start: Position,
    pub(super) teller: Teller,
    /// How long nothing came.
    pub(super) silent: Duration,
}

impl Log for MariadbLog {
    fn start(&self) -> Position {
        self.start.clone()
    }

    fn next(&mut self, piece: &mut Changes, wait: Duration) -> Result<Told> {
        let mut under: Option<usize> = None;
        let mut wait = wait;
        for _ in 0..EVENTS_MAX {
            if let Some(told) = self.teller.next(piece, &mut under)? {
                return Ok(told);
            }
            let patience = if under.is_some() {
                Duration::ZERO
            } else {
                wait
            };
            if !self.event(patience)? {
                return self.nothing(under, patience);
            }
            self.silent = Duration::ZERO;
            // It is waited once; what is there already is taken along.
            wait = Duration::ZERO;
        }
        Ok(under.map_or(Told::Nothing, Told::Changes))
    }

    fn seen(&self, snapshot: &Position) -> Result<bool> {
        let at = Spot::of_snapshot(snapshot, &self.teller.asking.origin.identity)?;
        let began = self.teller.group.spot;
        let began =
            began.ok_or_else(|| Error::bug("a transaction is asked for before one is told"))?;
        // A snapshot stands between two groups: what begins before it ends before it.
        Ok(began <= at)
    }

    fn durable(&mut self, _position: &Position) {
        // The server keeps its log by its own rules, whoever reads it.
    }

    fn backlog(&mut self) -> Result<Backlog> {
        let (file, end) = (self.teller.file.clone(), self.teller.end);
        let rows = self
            .teller
            .asking
            .ask(|connection| connection.query("SHOW BINARY LOGS"))?;
        let here = Spot::new(&file, 0);
        let mut untold = 0_u64;
        for row in &rows {
            let (name, size) = (row.text(0)?, row.int(1)?);
            if name == file {
                untold += size.saturating_sub(end);
            } else if Spot::new(&name, 0) > here {
                untold += size;
            }
        }
        Ok(Backlog {
            kept_bytes: None,
            untold_bytes: Some(untold),
        })
    }
}

impl MariadbLog {
    /// Nothing came in time.
    fn nothing(&mut self, under: Option<usize>, patience: Duration) -> Result<Told> {
        if let Some(of) = under {
            return Ok(Told::Changes(of));
        }
        self.silent += patience;
        if self.silent > SILENCE_MAX {
            return Err(Error::new(
                Kind::Unavailable,
                format!(
                    "the server says nothing any more: waited_s={}",
                    self.silent.as_secs()
                ),
            )
            .hint("open the log again: nothing is lost by it"));
        }
        Ok(Told::Nothing)
    }

    /// Takes the next event, if one comes in time.
    fn event(&mut self, wait: Duration) -> Result<bool> {
        let (stream, teller) = (&self.stream, &mut self.teller);
        let came = stream.arrived(wait, |packet| teller.packet(packet));
        match came {
            Ok(None) => Ok(false),
            Ok(Some(taken)) => taken.map(|()| true),
            Err(Foreign::Server(refused)) if refused.code == GONE => Err(gone()),
            Err(foreign) => Err(error::translate(&foreign)),
        }
    }
}

fn gone() -> Error {
    Error::new(
        Kind::Unavailable,
        "the server broke the log off: error=1236",
    )
    .hint("open the log again: it then says whether what comes next is still there")
}
