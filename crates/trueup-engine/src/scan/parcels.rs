//! Reads one side in parcels, ahead of whoever takes them.

use super::Reading;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use trueup_core::endpoint::{ScanRequest, Snapshot};
use trueup_core::parcel::Parcel;
use trueup_core::{Error, Result};

/// How many parcels wait to be taken at most. One more is being filled, and one is on its way.
const WAITING_MAX: usize = 2;

/// What the reading thread sends. The end is said, never guessed.
enum Read {
    Records(Parcel),
    End,
    Failed(Error),
}

impl Reading<'_> {
    /// Passes all of the collection to `take`, in parcels; the next ones are read meanwhile, where reading ahead is allowed.
    ///
    /// # Errors
    /// Those of reading, with the side and the collection before them; those of `take` as they are.
    pub(crate) fn each_parcel(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        request: &ScanRequest<'_>,
        take: &mut dyn FnMut(&Parcel) -> Result<()>,
    ) -> Result<()> {
        if self.world.limits.batches_ahead == 0 {
            let mut parcels = snapshot
                .parcels(request)
                .map_err(|error| self.place(error))?;
            let mut parcel = Parcel::default();
            while parcels
                .next(&mut parcel)
                .map_err(|error| self.place(error))?
            {
                take(&parcel)?;
                parcel.reset();
                self.world.check_stop()?;
            }
            return Ok(());
        }
        std::thread::scope(|scope| {
            let (sender, inbox) = sync_channel(WAITING_MAX);
            let (returns, spare) = sync_channel(WAITING_MAX);
            scope.spawn(move || {
                let end = match self.read_parcels(snapshot, request, &sender, &spare) {
                    Ok(()) => Read::End,
                    Err(error) => Read::Failed(error),
                };
                // Nobody waits for it any more where this fails.
                drop(sender.send(end));
            });
            loop {
                let parcel = match inbox.recv() {
                    Ok(Read::Records(parcel)) => parcel,
                    Ok(Read::End) => return Ok(()),
                    Ok(Read::Failed(error)) => return Err(self.place(error)),
                    Err(_) => {
                        let died = Error::bug("a reading thread ended without saying so");
                        return Err(self.place(died));
                    }
                };
                take(&parcel)?;
                match returns.try_send(parcel) {
                    // Room for more than there are parcels, or the reading is over.
                    Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
                }
            }
        })
    }

    /// Sends all parcels; stops when nobody is left to take them.
    fn read_parcels(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        request: &ScanRequest<'_>,
        sender: &SyncSender<Read>,
        spare: &Receiver<Parcel>,
    ) -> Result<()> {
        let mut parcels = snapshot.parcels(request)?;
        loop {
            self.world.check_stop()?;
            let mut parcel = spare.try_recv().unwrap_or_default();
            parcel.reset();
            if !parcels.next(&mut parcel)? || sender.send(Read::Records(parcel)).is_err() {
                return Ok(());
            }
        }
    }
}
