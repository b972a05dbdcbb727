//! The endpoint, snapshot, scan and writer under a script.

use super::subset::{OwnedWrites, apply_without, key_of};
use super::{Fault, Faults, Late, Step, failure, follow};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    About, Applied, Ascending, Claim, Design, Endpoint, Mark, Marker, Position, Scan, ScanRequest,
    Snapshot, Writer, Writes,
};
use trueup_core::error::{Error, Kind, Result};
use trueup_core::follow::{FollowRequest, Opened, Transaction};
use trueup_core::hashes::{Bucket, Chosen, Hashes, Hashing, Offer};
use trueup_core::rights::{Rights, Wanted};
use trueup_core::schema::Schema;

/// An endpoint under a script. Made by [`Faults::wrap`] and [`Faults::connect`].
pub struct Faulty {
    faults: Faults,
    inner: Box<dyn Endpoint>,
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faulty")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl Faulty {
    pub(super) fn new(faults: Faults, inner: Box<dyn Endpoint>) -> Self {
        Self { faults, inner }
    }

    fn writing(&self, inner: Box<dyn Writer>) -> Box<dyn Writer> {
        Box::new(FaultyWriter {
            faults: self.faults.clone(),
            epoch: inner.epoch(),
            inner: Some(inner),
        })
    }
}

impl Endpoint for Faulty {
    fn about(&self) -> About {
        self.inner.about()
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        self.faults.pass(Step::Collections)?;
        self.inner.collections()
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        self.faults.pass(Step::Schema)?;
        self.inner.schema(collection)
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        self.inner.design(wanted)
    }

    fn rights(&mut self, wanted: &[Wanted]) -> Result<Rights> {
        self.inner.rights(wanted)
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        self.faults.pass(Step::Snapshot)?;
        let inner = self.inner.snapshot()?;
        Ok(Box::new(FaultySnapshot {
            faults: self.faults.clone(),
            inner,
        }))
    }

    fn follow(&mut self, request: &FollowRequest<'_>) -> Result<Opened> {
        self.faults.pass(Step::Follow)?;
        Ok(match self.inner.follow(request)? {
            Opened::Log(inner) => Opened::Log(follow::log(self.faults.clone(), inner)),
            lost @ Opened::Lost(_) => lost,
        })
    }

    fn epoch(&mut self, link: &str) -> Result<Option<u64>> {
        self.faults.pass(Step::Epoch)?;
        self.inner.epoch(link)
    }

    fn sweep(&mut self) -> Result<()> {
        self.inner.sweep()
    }

    fn writer(&mut self, claim: &Claim) -> Result<Box<dyn Writer>> {
        self.faults.pass(Step::Writer)?;
        let inner = self.inner.writer(claim)?;
        Ok(self.writing(inner))
    }

    fn join(&mut self, claim: &Claim, epoch: u64) -> Result<Option<Box<dyn Writer>>> {
        self.faults.pass(Step::Join)?;
        let inner = self.inner.join(claim, epoch)?;
        Ok(inner.map(|inner| self.writing(inner)))
    }
}

struct FaultySnapshot {
    faults: Faults,
    inner: Box<dyn Snapshot>,
}

impl Snapshot for FaultySnapshot {
    fn position(&self) -> Position {
        self.inner.position()
    }

    fn another(&mut self) -> Result<Option<Box<dyn Snapshot>>> {
        self.faults.pass(Step::Another)?;
        let faults = self.faults.clone();
        let inner = self.inner.another()?;
        Ok(inner.map(|inner| -> Box<dyn Snapshot> { Box::new(Self { faults, inner }) }))
    }

    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool> {
        self.faults.pass(Step::Ordered)?;
        self.inner.ordered(request)
    }

    fn keeps_order(&self) -> bool {
        self.inner.keeps_order()
    }

    fn ascending(&mut self, schema: &Schema, field: usize) -> Result<Option<Ascending>> {
        self.inner.ascending(schema, field)
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        self.faults.pass(Step::IsEmpty)?;
        self.inner.is_empty(schema)
    }

    fn hashes(&mut self) -> Option<&mut dyn Hashes> {
        self.inner.hashes()?;
        Some(self)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        self.faults.pass(Step::Scan)?;
        let until_break = self.faults.take_scan(&request.schema.collection);
        let inner = self.inner.scan(request)?;
        Ok(Box::new(FaultyScan {
            faults: self.faults.clone(),
            until_break,
            inner: Some(inner),
        }))
    }
}

impl Hashes for FaultySnapshot {
    fn offer(&mut self, request: &ScanRequest<'_>) -> Result<Option<Offer>> {
        self.faults.pass(Step::Ordered)?;
        self.hashed()?.offer(request)
    }

    fn fold(&mut self, request: &ScanRequest<'_>, hashing: &Hashing) -> Result<Vec<Bucket>> {
        self.faults.pass(Step::Scan)?;
        self.hashed()?.fold(request, hashing)
    }

    fn scan<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        hashing: &Hashing,
        chosen: &Chosen,
    ) -> Result<Box<dyn Scan + 'a>> {
        self.faults.pass(Step::Scan)?;
        let until_break = self.faults.take_scan(&request.schema.collection);
        let faults = self.faults.clone();
        let inner = self.hashed()?.scan(request, hashing, chosen)?;
        Ok(Box::new(FaultyScan {
            faults,
            until_break,
            inner: Some(inner),
        }))
    }
}

impl FaultySnapshot {
    fn hashed(&mut self) -> Result<&mut dyn Hashes> {
        let hashes = self.inner.hashes();
        hashes.ok_or_else(|| Error::bug("hashes are asked for that were not offered"))
    }
}

/// `inner` is gone once the scan broke.
struct FaultyScan<'a> {
    faults: Faults,
    until_break: Option<u64>,
    inner: Option<Box<dyn Scan + 'a>>,
}

impl Scan for FaultyScan<'_> {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        let passed = self.faults.pass(Step::Next);
        if passed.is_err() || self.until_break == Some(0) {
            self.inner = None;
        }
        passed?;
        let Some(inner) = &mut self.inner else {
            return Err(failure(Kind::Unavailable, Step::Next));
        };
        self.until_break = self.until_break.map(|batches| batches - 1);
        inner.next(into)
    }
}

/// `inner` is gone once the connection broke.
struct FaultyWriter {
    faults: Faults,
    epoch: u64,
    inner: Option<Box<dyn Writer>>,
}

impl FaultyWriter {
    /// Passes a step and returns the call's number; an `Unavailable` there breaks the connection.
    fn pass(&mut self, step: Step) -> Result<(u64, &mut dyn Writer)> {
        let passed = self.faults.pass(step);
        if passed
            .as_ref()
            .is_err_and(|error| error.kind() == Kind::Unavailable)
        {
            self.inner = None;
        }
        let call = passed?;
        match self.inner.as_mut() {
            Some(inner) => Ok((call, inner.as_mut())),
            None => Err(failure(Kind::Unavailable, step)),
        }
    }

    /// Which writes the script refuses by their key.
    fn refused(&self, writes: &Writes<'_>) -> Vec<(usize, bool)> {
        let script = self.faults.lock();
        let refused = |index: &usize| {
            let key = key_of(writes, *index);
            script
                .refused
                .iter()
                .any(|(c, k)| *c == writes.schema.collection && *k == key)
        };
        (0..writes.ops.len())
            .filter(refused)
            .map(|index| (index, false))
            .collect()
    }

    fn broken<T>(&mut self, step: Step) -> Result<T> {
        self.inner = None;
        Err(failure(Kind::Unavailable, step))
    }

    fn late(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        if writes.check.is_some() {
            return Err(Error::bug(
                "a conditional batch cannot be late: it borrows its condition",
            ));
        }
        if let Some(writer) = self.inner.take() {
            let writes = OwnedWrites::of(writes);
            self.faults.lock().late.push(Late { writer, writes });
        }
        self.broken(Step::Apply)
    }
}

impl Writer for FaultyWriter {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn marker(&mut self, partition: &str) -> Result<Option<Marker>> {
        self.pass(Step::Marker)?.1.marker(partition)
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        self.pass(Step::Create)?.1.create(design)
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let (call, _) = self.pass(Step::Apply)?;
        let fault = self
            .faults
            .take(call, &writes.mark.partition, writes.mark.batch);
        let mut rejected = self.refused(writes);
        match fault {
            Some(Fault::FailBefore) => return self.broken(Step::Apply),
            Some(Fault::Late) => return self.late(writes),
            Some(Fault::Refuse(kind)) => return Err(failure(kind, Step::Apply)),
            Some(Fault::Hold) => self.faults.hold(),
            Some(Fault::Reject { index, blocked }) => rejected.push((index, blocked)),
            Some(Fault::FailAfterWrite) | None => {}
        }
        let Some(inner) = &mut self.inner else {
            return self.broken(Step::Apply);
        };
        let applied = apply_without(inner.as_mut(), writes, &rejected)?;
        if fault == Some(Fault::FailAfterWrite) {
            // Where durability comes with finish, the crash takes the writes along.
            return self.broken(Step::Apply);
        }
        Ok(applied)
    }

    fn transaction(&mut self) -> Result<Option<Box<dyn Transaction + '_>>> {
        self.pass(Step::Transaction)?;
        let inner = self.inner.as_mut();
        let inner = inner.ok_or_else(|| failure(Kind::Unavailable, Step::Transaction))?;
        let inner = inner.transaction()?;
        Ok(inner.map(|inner| follow::transaction(self.faults.clone(), inner)))
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        let (call, _) = self.pass(Step::Mark)?;
        let fault = self.faults.take_mark(call);
        match fault {
            Some(Fault::FailBefore) => return self.broken(Step::Mark),
            Some(Fault::Refuse(kind)) => return Err(failure(kind, Step::Mark)),
            Some(Fault::Hold) => self.faults.hold(),
            Some(Fault::Late | Fault::Reject { .. }) => {
                return Err(Error::bug("a mark can be neither late nor rejected"));
            }
            Some(Fault::FailAfterWrite) | None => {}
        }
        let Some(inner) = &mut self.inner else {
            return self.broken(Step::Mark);
        };
        inner.mark(mark)?;
        if fault == Some(Fault::FailAfterWrite) {
            return self.broken(Step::Mark);
        }
        Ok(())
    }

    fn finish(&mut self, collection: &str) -> Result<()> {
        self.pass(Step::Finish)?.1.finish(collection)
    }
}
