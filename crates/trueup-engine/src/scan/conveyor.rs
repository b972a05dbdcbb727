//! Scans on one thread and maps on another, for whoever wants all of one side.
//!
//! Reading a file or decoding a server's answer, and casting and digesting what came, take about as long as each other:
//! one after the other they keep whoever writes waiting. Invariant: the pieces and their order are those of
//! [`Pieces`](super::Pieces), which does the same on one thread; the scan's end is said, never guessed, and a thread that
//! died does not look like a short collection.

use super::{Piece, Reading};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use trueup_core::batch::Batch;
use trueup_core::endpoint::Snapshot;
use trueup_core::{Error, Result};

/// How many scanned batches wait to be mapped at most.
const SCANNED_MAX: usize = 2;

/// What the scanning thread sends.
enum Scanned {
    Records(Batch),
    End,
    Failed(Error),
}

impl Reading<'_> {
    /// Passes all pieces to `take`, in order, until it says `false`; scans the next ones meanwhile.
    ///
    /// # Errors
    /// Those of reading and mapping, with the side and the collection before them; those of `take` as they are.
    pub(super) fn each_piece(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        ordered: bool,
        take: &mut dyn FnMut(Piece) -> Result<bool>,
    ) -> Result<()> {
        std::thread::scope(|scope| {
            let (sender, inbox) = sync_channel(SCANNED_MAX);
            let (returns, spare) = sync_channel(SCANNED_MAX);
            scope.spawn(move || {
                let end = match self.scan_all(snapshot, ordered, &sender, &spare) {
                    Ok(()) => Scanned::End,
                    Err(error) => Scanned::Failed(error),
                };
                // Nobody waits for it any more where this fails.
                drop(sender.send(end));
            });
            let mut scratch = Vec::new();
            loop {
                let mut raw = match inbox.recv() {
                    Ok(Scanned::Records(raw)) => raw,
                    Ok(Scanned::End) => return Ok(()),
                    Ok(Scanned::Failed(error)) => return Err(self.place(error)),
                    Err(_) => {
                        let died = Error::bug("a scanning thread ended without saying so");
                        return Err(self.place(died));
                    }
                };
                let scanned = raw.len();
                let piece = self.map(&mut raw, &mut scratch);
                let piece = piece.map_err(|error| self.place(error))?;
                self.tick(scanned);
                match returns.try_send(raw) {
                    // Room for more than there are batches, or the scan is over.
                    Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
                }
                if !take(piece)? {
                    return Ok(());
                }
            }
        })
    }

    /// Sends all scanned batches; stops when nobody is left to take them.
    fn scan_all(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        ordered: bool,
        sender: &SyncSender<Scanned>,
        spare: &Receiver<Batch>,
    ) -> Result<()> {
        let width = self.translation.fields().len();
        let mut scan = self.start(snapshot, ordered)?;
        loop {
            self.world.check_stop()?;
            let mut raw = spare.try_recv().unwrap_or_else(|_| Batch::new(width));
            raw.reset(width);
            if !scan.next(&mut raw)? || sender.send(Scanned::Records(raw)).is_err() {
                return Ok(());
            }
        }
    }
}
