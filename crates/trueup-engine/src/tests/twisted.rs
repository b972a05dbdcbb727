//! Endpoints that keep the contract badly: they drop or alter writes and say they did them, refuse what breaks a
//! foreign key, take writes without making them durable, or read out of order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    About, Applied, Claim, Class, Design, Endpoint, Mark, Marker, Op, Order, Outcome, Position,
    Scan, ScanRequest, Snapshot, Writer, Writes,
};
use trueup_core::schema::Schema;
use trueup_testkit::Owned;

/// What becomes of one write.
pub(super) enum Fate {
    Keep,
    /// It is not done, and said to be.
    Drop,
    /// Another record is written.
    Alter(Vec<Owned>),
    /// It is refused; another record stands in the way.
    Block,
}

type Judge = dyn FnMut(&str, Op, &[Owned]) -> Fate + Send;

/// How a twisted endpoint reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Well,
    /// In natural order, and it says that this is the key's.
    Shuffled,
    /// Each record twice.
    Twice,
}

/// An endpoint that is twisted in one or more ways.
pub(super) struct Twisted {
    pub(super) inner: Box<dyn Endpoint>,
    judge: Arc<Mutex<Box<Judge>>>,
    pub(super) reads: Reads,
    /// Writes are accepted and not durable before the end, and there are no markers.
    pub(super) volatile: bool,
    /// Counts the records that its scans deliver.
    pub(super) scanned: Arc<AtomicU64>,
}

impl Twisted {
    pub(super) fn new(inner: Box<dyn Endpoint>) -> Self {
        Self {
            inner,
            judge: Arc::new(Mutex::new(Box::new(|_, _, _| Fate::Keep))),
            reads: Reads::Well,
            volatile: false,
            scanned: Arc::default(),
        }
    }

    /// Lets `judge` decide about each write: collection, operation, the written values.
    pub(super) fn judged(
        self,
        judge: impl FnMut(&str, Op, &[Owned]) -> Fate + Send + 'static,
    ) -> Self {
        *self.judge.lock().unwrap() = Box::new(judge);
        self
    }
}

impl Endpoint for Twisted {
    fn about(&self) -> About {
        let mut about = self.inner.about();
        if self.volatile {
            about.class = Class::Blind;
            about.capabilities.marker = false;
        }
        about
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        self.inner.collections()
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        self.inner.schema(collection)
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        self.inner.design(wanted)
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(TwistedSnapshot {
            inner: self.inner.snapshot()?,
            reads: self.reads,
            scanned: Arc::clone(&self.scanned),
        }))
    }

    fn writer(&mut self, claim: &Claim) -> Result<Box<dyn Writer>> {
        Ok(Box::new(TwistedWriter {
            inner: self.inner.writer(claim)?,
            judge: Arc::clone(&self.judge),
            volatile: self.volatile,
        }))
    }
}

struct TwistedSnapshot {
    inner: Box<dyn Snapshot>,
    reads: Reads,
    scanned: Arc<AtomicU64>,
}

impl Snapshot for TwistedSnapshot {
    fn position(&self) -> Position {
        self.inner.position()
    }

    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool> {
        self.inner.ordered(request)
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        self.inner.is_empty(schema)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        let mut request = *request;
        if self.reads == Reads::Shuffled {
            request.order = Order::Natural;
        }
        let inner = Counted {
            inner: self.inner.scan(&request)?,
            scanned: Arc::clone(&self.scanned),
        };
        let inner = Box::new(inner);
        Ok(match self.reads {
            Reads::Twice => Box::new(Twice(inner)),
            Reads::Well | Reads::Shuffled => inner,
        })
    }
}

struct Counted<'a> {
    inner: Box<dyn Scan + 'a>,
    scanned: Arc<AtomicU64>,
}

impl Scan for Counted<'_> {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        let any = self.inner.next(into)?;
        self.scanned.fetch_add(into.len() as u64, Ordering::SeqCst);
        Ok(any)
    }
}

struct Twice<'a>(Box<dyn Scan + 'a>);

impl Scan for Twice<'_> {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        let mut once = Batch::new(into.width());
        let any = self.0.next(&mut once)?;
        for record in once.records() {
            into.push_record(record);
            into.push_record(record);
        }
        Ok(any)
    }
}

struct TwistedWriter {
    inner: Box<dyn Writer>,
    judge: Arc<Mutex<Box<Judge>>>,
    volatile: bool,
}

impl Writer for TwistedWriter {
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    fn marker(&mut self, partition: &str) -> Result<Option<Marker>> {
        if self.volatile {
            return Ok(None);
        }
        self.inner.marker(partition)
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        self.inner.create(design)
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let mut outcomes = Vec::new();
        let (mut ops, mut records) = (Vec::new(), Batch::new(writes.records.width()));
        for (index, &op) in writes.ops.iter().enumerate() {
            let record = Owned::record(writes.records.record(index));
            let fate = (self.judge.lock().unwrap())(&writes.schema.collection, op, &record);
            let (outcome, written) = match fate {
                Fate::Keep => (Outcome::Applied(None), Some(record)),
                Fate::Alter(other) => (Outcome::Applied(None), Some(other)),
                Fate::Drop => (Outcome::Applied(None), None),
                Fate::Block => (blocked(), None),
            };
            outcomes.push(outcome);
            if let Some(record) = written {
                ops.push(op);
                record.iter().for_each(|value| records.push(value.value()));
            }
        }
        let (ops, records) = (&ops[..], &records);
        let applied = self.inner.apply(&Writes {
            ops,
            records,
            ..*writes
        })?;
        Ok(Applied {
            outcomes,
            durable: applied.durable && !self.volatile,
        })
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        self.inner.mark(mark)
    }

    fn finish(&mut self, collection: &str) -> Result<()> {
        self.inner.finish(collection)
    }
}

fn blocked() -> Outcome {
    Outcome::Rejected {
        reason: "constraint=parent".to_owned(),
        blocked: true,
    }
}
