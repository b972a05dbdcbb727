//! Makes on one thread what another one takes, for whoever wants all of one side.
//!
//! Reading a file or decoding a server's answer, and casting and digesting what came, take about as long as each other:
//! one after the other they keep whoever writes waiting. Invariant: what is taken is what was made, in its order; its end is
//! said, never guessed, and a thread that died does not look like a short collection.

use super::held::{Held, Hold};
use super::{Piece, Reading};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use trueup_core::batch::Batch;
use trueup_core::endpoint::Snapshot;
use trueup_core::{Error, Result};

/// How many items wait to be taken at most.
const WAITING_MAX: usize = 2;

/// What the making thread sends.
enum Made<T> {
    Item(T, Hold),
    End,
    Failed(Error),
}

/// The maker's end: where items are put, and where those come back to that were used.
pub(super) struct Belt<T> {
    items: SyncSender<Made<T>>,
    spare: Receiver<T>,
    held: Arc<Held>,
}

impl<T> Belt<T> {
    /// Returns an item whose memory can be used again, if there is one.
    pub(super) fn spare(&self) -> Option<T> {
        self.spare.try_recv().ok()
    }

    /// Puts an item of so many bytes on, when there is room, and waits until another one may be made; `false` when nobody is
    /// left to take it.
    pub(super) fn put(&self, item: T, bytes: usize) -> bool {
        let put = self.items.send(Made::Item(item, self.held.hold(bytes)));
        self.held.wait_for_room();
        put.is_ok()
    }
}

/// The taker's end: where items go back.
pub(super) struct Returns<T>(SyncSender<T>);

impl<T> Returns<T> {
    /// Gives an item back that is not needed any more.
    pub(super) fn give(&self, item: T) {
        match self.0.try_send(item) {
            // Room for more than there are items, or all are made.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
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
        let mut scratch = Vec::new();
        self.convey(
            |belt| self.scan_all(snapshot, ordered, belt),
            |mut raw: Batch, returns| {
                let scanned = raw.len();
                let piece = self.map(&mut raw, &mut scratch);
                let piece = piece.map_err(|error| self.place(error))?;
                self.tick(scanned);
                // What it held is in the piece now.
                raw.reset(raw.width());
                returns.give(raw);
                take(piece)
            },
        )
    }

    /// Runs `make` on a thread of its own, and passes what it makes to `take`, in order, until that says `false`.
    ///
    /// # Errors
    /// Those of `make`, with the side and the collection before them; those of `take` as they are.
    pub(super) fn convey<T: Send>(
        &self,
        make: impl FnOnce(&Belt<T>) -> Result<()> + Send,
        mut take: impl FnMut(T, &Returns<T>) -> Result<bool>,
    ) -> Result<()> {
        std::thread::scope(|scope| {
            let (items, inbox) = sync_channel(WAITING_MAX);
            let (returns, spare) = sync_channel(WAITING_MAX);
            let returns = Returns(returns);
            scope.spawn(move || {
                let held = Arc::default();
                let belt = Belt { items, spare, held };
                let end = match make(&belt) {
                    Ok(()) => Made::End,
                    Err(error) => Made::Failed(error),
                };
                // Nobody waits for it any more where this fails.
                drop(belt.items.send(end));
            });
            loop {
                // Held until it is taken: whoever makes the next one waits for it where it is long.
                let (item, _hold) = match inbox.recv() {
                    Ok(Made::Item(item, hold)) => (item, hold),
                    Ok(Made::End) => return Ok(()),
                    Ok(Made::Failed(error)) => return Err(self.place(error)),
                    Err(_) => {
                        let died = Error::bug("a reading thread ended without saying so");
                        return Err(self.place(died));
                    }
                };
                if !take(item, &returns)? {
                    return Ok(());
                }
            }
        })
    }

    /// Puts all scanned batches on; stops when nobody is left to take them.
    fn scan_all(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        ordered: bool,
        belt: &Belt<Batch>,
    ) -> Result<()> {
        let width = self.translation.fields().len();
        let mut scan = self.start(snapshot, ordered)?;
        loop {
            self.world.check_stop()?;
            let mut raw = belt.spare().unwrap_or_else(|| Batch::new(width));
            raw.reset(width);
            if !scan.next(&mut raw)? {
                return Ok(());
            }
            let bytes = raw.bytes();
            if !belt.put(raw, bytes) {
                return Ok(());
            }
        }
    }
}
