//! Reads one side of a collection into keyed batches, on a thread of its own.

use crate::link::World;
use crate::progress::{Step, Tick};
use crate::sort::{Sorted, Sorter};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use trueup_core::batch::Batch;
use trueup_core::diff::Stream;
use trueup_core::endpoint::{Order, ScanRequest, Snapshot};
use trueup_core::keyed::Keyed;
use trueup_core::mapping::Mapping;
use trueup_core::park::Parked;
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// Which side is read: they differ in what happens to a value that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Source,
    Target,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// One side of one collection.
pub(crate) struct Reading<'a> {
    pub(crate) role: Role,
    pub(crate) schema: &'a Schema,
    pub(crate) mapping: &'a Mapping,
    pub(crate) world: &'a World<'a>,
    /// The step that is told of progress; `None` when what becomes of the records is told instead.
    pub(crate) step: Option<Step>,
}

/// Keyed batches and the records parked on the way.
pub(crate) struct Piece {
    pub(crate) keyed: Keyed,
    pub(crate) parked: Vec<Parked>,
}

impl Reading<'_> {
    /// Tells whether the endpoint can deliver the canonical order itself, and enforces the key's uniqueness: a
    /// repeated key must be found before the first write.
    pub(crate) fn is_ordered(&self, snapshot: &mut dyn Snapshot) -> Result<bool> {
        let Some(key) = self.key() else {
            return Ok(false);
        };
        self.request(Order::Key(&key), |request| {
            Ok(self.key_is_enforced() && snapshot.ordered(request)?)
        })
        .map_err(|error| self.place(error))
    }

    /// Scans in key order (`ordered`) or any order, maps, and passes each batch on; stops when `send` says `false`.
    pub(crate) fn scan(
        &self,
        snapshot: &mut dyn Snapshot,
        ordered: bool,
        send: &mut dyn FnMut(Piece) -> Result<bool>,
    ) -> Result<()> {
        let key = self.key().unwrap_or_default();
        let order = if ordered {
            Order::Key(&key)
        } else {
            Order::Natural
        };
        self.request(order, |request| {
            let mut scan = snapshot.scan(request)?;
            let mut raw = Batch::new(request.fields.len());
            let mut scratch = Vec::new();
            loop {
                self.world.check_stop()?;
                raw.reset(request.fields.len());
                if !scan.next(&mut raw)? {
                    return Ok(());
                }
                let mut piece = Piece {
                    keyed: Keyed::new(self.mapping.fields().len()),
                    parked: Vec::new(),
                };
                match self.role {
                    Role::Source => self.mapping.map_source(
                        &raw,
                        &mut piece.keyed,
                        &mut piece.parked,
                        &mut scratch,
                    ),
                    Role::Target => self
                        .mapping
                        .map_target(&raw, &mut piece.keyed, &mut scratch),
                }
                self.tick(raw.len());
                if !send(piece)? {
                    return Ok(());
                }
            }
        })
        .map_err(|error| self.place(error))
    }

    /// Reads everything and sorts it; parked records are passed to `park`.
    pub(crate) fn sort(
        &self,
        snapshot: &mut dyn Snapshot,
        park: &mut dyn FnMut(Vec<Parked>) -> Result<()>,
    ) -> Result<Sorted> {
        let world = self.world;
        let width = self.mapping.fields().len();
        let folder = world.spool_folder.clone();
        let mut sorter = Sorter::new(folder, world.limits.sort_bytes_max, width);
        self.scan(snapshot, false, &mut |piece| {
            park(piece.parked)?;
            sorter.push(&piece.keyed)?;
            Ok(true)
        })?;
        sorter.finish().map_err(|error| self.place(error))
    }

    /// Names the side and the collection in an error.
    fn place(&self, error: Error) -> Error {
        error.at(format!(
            "{} collection={}",
            self.role.name(),
            self.schema.collection
        ))
    }

    fn tick(&self, records: usize) {
        let Some(step) = self.step else { return };
        self.world.progress.tick(Tick {
            collection: &self.schema.collection,
            step,
            records: records as u64,
            total: None,
        });
    }

    fn key(&self) -> Option<Vec<usize>> {
        match self.role {
            Role::Source => self.mapping.source_key(),
            Role::Target => Some(self.mapping.key().to_vec()),
        }
    }

    /// Whether the endpoint itself keeps two records from sharing the link's key.
    fn key_is_enforced(&self) -> bool {
        let Some(key) = self.key() else { return false };
        let mut ours: Vec<usize> = key
            .iter()
            .map(|&position| self.fields()[position])
            .collect();
        ours.sort_unstable();
        let same = |constraint: &[usize]| {
            let mut theirs = constraint.to_vec();
            theirs.sort_unstable();
            theirs == ours
                && ours
                    .iter()
                    .all(|&field| !self.schema.fields[field].inferred)
        };
        let nullable = ours.iter().any(|&field| self.schema.fields[field].nullable);
        same(&self.schema.key) || (!nullable && self.schema.uniques.iter().any(|u| same(u)))
    }

    fn fields(&self) -> &[usize] {
        match self.role {
            Role::Source => self.mapping.source_fields(),
            Role::Target => self.mapping.target_fields(),
        }
    }

    fn wanted(&self) -> &[Type] {
        match self.role {
            Role::Source => self.mapping.source_types(),
            Role::Target => self.mapping.types(),
        }
    }

    fn request<T>(
        &self,
        order: Order<'_>,
        use_it: impl FnOnce(&ScanRequest<'_>) -> Result<T>,
    ) -> Result<T> {
        use_it(&ScanRequest {
            schema: self.schema,
            fields: self.fields(),
            wanted: self.wanted(),
            order,
            after: None,
            batch_records_max: self.world.limits.batch_records_max,
            batch_bytes_max: self.world.limits.batch_bytes_max,
        })
    }
}

/// What a reading thread sends. The end is said, never guessed: a thread that died must not look like a short
/// collection.
enum Message {
    Piece(Keyed),
    End,
    Failed(Error),
}

/// The sending half of a stream between threads.
pub(crate) struct Feed(SyncSender<Message>);

impl Feed {
    /// Sends a batch and waits for room; `false` when the reader is gone.
    pub(crate) fn send(&self, keyed: Keyed) -> bool {
        keyed.is_empty() || self.0.send(Message::Piece(keyed)).is_ok()
    }

    /// Ends the stream with the result of the thread's work.
    pub(crate) fn end(self, result: Result<()>) {
        let message = match result {
            Ok(()) => Message::End,
            Err(error) => Message::Failed(error),
        };
        // Nobody left to tell: the reader stopped early.
        drop(self.0.send(message));
    }
}

/// The receiving half. Dropping it tells the sending thread, which then stops instead of waiting for room.
pub(crate) struct Fed {
    inbox: Receiver<Message>,
    done: bool,
}

/// Makes a stream between two threads that is at most `ahead` batches deep.
pub(crate) fn feed(ahead: usize) -> (Feed, Fed) {
    let (sender, inbox) = sync_channel(ahead);
    (Feed(sender), Fed { inbox, done: false })
}

impl Stream for Fed {
    fn next(&mut self) -> Result<Option<Keyed>> {
        if self.done {
            return Ok(None);
        }
        match self.inbox.recv() {
            Ok(Message::Piece(keyed)) => Ok(Some(keyed)),
            Ok(Message::End) => {
                self.done = true;
                Ok(None)
            }
            Ok(Message::Failed(error)) => Err(error),
            Err(_) => Err(Error::bug("a reading thread ended without saying so")),
        }
    }
}
