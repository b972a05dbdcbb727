//! Reads one side in parcels, ahead of whoever takes them.

use super::Reading;
use trueup_core::Result;
use trueup_core::endpoint::{Part, ScanRequest, Snapshot};
use trueup_core::parcel::Parcel;

impl Reading<'_> {
    /// Passes all of the collection, or of a part of it, to `take`, in parcels; the next ones are read meanwhile, where reading ahead is allowed.
    ///
    /// # Errors
    /// Those of reading, with the side and the collection before them; those of `take` as they are.
    pub(crate) fn each_parcel(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        (request, part): (&ScanRequest<'_>, Option<Part>),
        take: &mut dyn FnMut(&Parcel) -> Result<()>,
    ) -> Result<()> {
        if self.world.limits.batches_ahead > 0 {
            return self.convey(
                |belt| {
                    let spare = || belt.spare().unwrap_or_default();
                    self.read_parcels(snapshot, (request, part), spare, |parcel| {
                        let bytes = parcel.bytes.len();
                        belt.put(parcel, bytes)
                    })
                },
                |mut parcel, returns| {
                    take(&parcel)?;
                    parcel.reset();
                    returns.give(parcel);
                    Ok(true)
                },
            );
        }
        let mut taken = Ok(());
        let read = self.read_parcels(snapshot, (request, part), Parcel::default, |parcel| {
            taken = take(&parcel);
            taken.is_ok()
        });
        read.map_err(|error| self.place(error))?;
        taken
    }

    /// Reads all parcels into `spare` ones and passes them to `put`, until it says `false`.
    fn read_parcels(
        &self,
        snapshot: &mut (dyn Snapshot + 'static),
        (request, part): (&ScanRequest<'_>, Option<Part>),
        spare: impl Fn() -> Parcel,
        mut put: impl FnMut(Parcel) -> bool,
    ) -> Result<()> {
        let mut parcels = snapshot.parcels(request, part)?;
        loop {
            self.world.check_stop()?;
            let mut parcel = spare();
            parcel.reset();
            if !parcels.next(&mut parcel)? || !put(parcel) {
                return Ok(());
            }
        }
    }
}
