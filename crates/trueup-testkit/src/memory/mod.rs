//! An endpoint in memory: the model that the real ones are held against, and the world of the engine's own tests.
//!
//! A [`Memory`] is a handle to one world that outlives its clients: dropping an endpoint, a snapshot or a writer (a
//! "crash") leaves exactly what was committed. It keeps the whole contract of class T: snapshots are real, a batch
//! and its marker appear together or not at all, epochs fence, declared types and unique constraints are enforced.
//!
//! It is as unhelpful as the contract allows, so that no caller comes to rely on luck: the natural order is never the
//! key order, every commit moves the position, an update of the same content is `Unchanged`. It deliberately does
//! not enforce foreign keys, does not compute generated fields and does not lock: every call is one step.

mod class;
mod endpoint;
mod follow;
mod hashes;
mod snapshot;
mod table;
mod transaction;
mod writer;

#[cfg(test)]
mod tests;

pub use endpoint::MemoryEndpoint;
pub use hashes::Hashed;

use crate::owned::Owned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::Table;
use trueup_core::endpoint::{Marker, Op, Position};
use trueup_core::rights::Missing;
use trueup_core::schema::Schema;

/// Protections that a test can take away one at a time, to prove that another test notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotage {
    /// Batches are applied and their markers are not stored.
    pub no_marker: bool,
    /// A writer of an old epoch may go on writing.
    pub no_epoch_check: bool,
    /// Writes are applied whatever [`Check::holds`](trueup_core::endpoint::Check::holds) says.
    pub no_check: bool,
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The test itself, through [`Memory::insert`] and the like.
    Outsider,
    /// A batch of a writer.
    Batch {
        /// The link that claimed the writer.
        link: String,
        /// The batch's partition.
        partition: String,
        /// The batch's number.
        batch: u64,
    },
}

/// One record's transition, as the change log keeps it. Changes that changed nothing are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The position that the commit led to.
    pub position: Position,
    /// The collection.
    pub collection: String,
    /// What happened: `Insert` was missing before, `Update` was there before, `Delete` is gone.
    pub op: Op,
    /// The record as it was before.
    pub before: Option<Vec<Owned>>,
    /// The record as it is since.
    pub after: Option<Vec<Owned>>,
    /// Who did it.
    pub by: By,
}

/// A handle to a world in memory. Clones are handles to the same world.
#[derive(Clone, Debug)]
pub struct Memory {
    name: Arc<str>,
    world: Arc<Mutex<World>>,
}

/// What a backup restores: content, epochs and markers, but not the counters and the log, which belong to the test.
#[derive(Clone, Debug)]
pub struct Backup {
    tables: BTreeMap<String, Arc<Table>>,
    position: u64,
    epochs: BTreeMap<String, u64>,
    markers: BTreeMap<(String, String), Marker>,
}

/// What a world looked like at one position.
#[derive(Clone, Debug)]
pub struct View {
    position: Position,
    tables: BTreeMap<String, Arc<Table>>,
    hashed: Hashed,
}

impl View {
    /// Opens what it shows, as a client would have found it then.
    pub fn snapshot(&self) -> Box<dyn trueup_core::endpoint::Snapshot> {
        let tables = self.tables.clone();
        let snapshot = snapshot::MemorySnapshot::new(self.position.clone(), tables);
        Box::new(snapshot.hashing(self.hashed))
    }

    /// Returns every record of a collection in key order; none when there is no such collection.
    pub fn records(&self, collection: &str) -> Vec<Vec<Owned>> {
        let table = self.tables.get(collection).into_iter();
        table
            .flat_map(|table| table.records.values())
            .map(|record| record.to_vec())
            .collect()
    }
}

/// Everything there is, behind one lock.
#[derive(Debug, Default)]
struct World {
    tables: BTreeMap<String, Arc<Table>>,
    position: u64,
    epochs: BTreeMap<String, u64>,
    markers: BTreeMap<(String, String), Marker>,
    applied: BTreeMap<(String, String, u64), u64>,
    log: Vec<Change>,
    sabotage: Sabotage,
    lacking: Vec<Missing>,
    hashed: Hashed,
    /// Whether updates are told without the values that did not change.
    lazy: bool,
    /// The position up to which the log was said to be durable elsewhere.
    acknowledged: u64,
    /// The position before which the log is gone, and how many changes of it belong to the past.
    forgotten: u64,
    past: usize,
}

impl World {
    fn position(&self) -> Position {
        Position(format!("memory:{}", self.position))
    }

    /// Moves the position and notes what the commit changed.
    fn commit(&mut self, collection: &str, by: &By, changes: Vec<table::Changed>) {
        self.position += 1;
        let position = self.position();
        self.note(&position, collection, by, changes);
    }

    fn forget_log(&mut self) {
        (self.forgotten, self.past) = (self.position, self.log.len());
    }

    /// Notes what a commit that led to `position` changed.
    fn note(
        &mut self,
        position: &Position,
        collection: &str,
        by: &By,
        changes: Vec<table::Changed>,
    ) {
        self.log.extend(
            changes
                .into_iter()
                .map(|table::Changed { op, before, after }| Change {
                    position: position.clone(),
                    collection: collection.to_owned(),
                    op,
                    before: before.map(|record| record.to_vec()),
                    after: after.map(|record| record.to_vec()),
                    by: by.clone(),
                }),
        );
    }
}

impl Memory {
    /// Makes an empty world. The name is its address and identity.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            world: Arc::default(),
        }
    }

    /// Connects a client.
    pub fn open(&self) -> MemoryEndpoint {
        MemoryEndpoint::new(self.clone())
    }

    /// Connects a client, boxed as the engine wants it.
    pub fn boxed(&self) -> Box<dyn trueup_core::endpoint::Endpoint> {
        Box::new(self.open())
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A test that panics while it holds the lock has failed already; the others still want to look.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outside writer and the observer: what a test does behind the product's back.
impl Memory {
    /// Creates a collection as `schema` has it, or replaces one of that name. Empty native names are filled in.
    pub fn create(&self, schema: impl Into<Schema>) {
        let schema = endpoint::native(&schema.into());
        let mut world = self.lock();
        let table = Arc::new(Table::new(schema.clone()));
        world.tables.insert(schema.collection.clone(), table);
        world.commit(&schema.collection, &By::Outsider, Vec::new());
    }

    /// Drops a collection; tells whether there was one.
    pub fn drop_collection(&self, collection: &str) -> bool {
        let mut world = self.lock();
        let dropped = world.tables.remove(collection).is_some();
        world.commit(collection, &By::Outsider, Vec::new());
        dropped
    }

    /// Inserts a record, or replaces the one with its key. All fields, in the schema's order.
    ///
    /// # Panics
    /// When there is no such collection, or it refuses the record.
    pub fn insert(&self, collection: &str, record: &[Owned]) {
        self.insert_all(collection, std::slice::from_ref(&record));
    }

    /// Inserts records in one commit; see [`Memory::insert`].
    ///
    /// # Panics
    /// When there is no such collection, or it refuses a record.
    pub fn insert_all<R: AsRef<[Owned]>>(&self, collection: &str, records: &[R]) {
        self.outside(collection, |table, changes| {
            let mut did = false;
            for record in records {
                let record = record.as_ref();
                assert_eq!(
                    record.len(),
                    table.schema.fields.len(),
                    "a record has every field"
                );
                let place = table.place_of(record);
                changes.extend(
                    table
                        .put(place.as_ref(), record.into())
                        .expect("the collection takes it"),
                );
                did = true;
            }
            did
        });
    }

    /// Replaces the named fields of the record with this key; tells whether there was one.
    ///
    /// # Panics
    /// When there is no such collection or field, or the collection refuses the record.
    pub fn update(&self, collection: &str, key: &[Owned], fields: &[(&str, Owned)]) -> bool {
        self.outside(collection, |table, changes| {
            let Some(place) = table.find(&table.schema.key, key) else {
                return false;
            };
            let mut record = table.records[&place].to_vec();
            for (name, value) in fields {
                let index = table
                    .schema
                    .index_of(name)
                    .expect("the schema has the field");
                record[index] = value.clone();
            }
            changes.extend(
                table
                    .put(Some(&place), record.into())
                    .expect("the collection takes it"),
            );
            true
        })
    }

    /// Deletes the record with this key; tells whether there was one.
    ///
    /// # Panics
    /// When there is no such collection.
    pub fn delete(&self, collection: &str, key: &[Owned]) -> bool {
        self.outside(collection, |table, changes| {
            let Some(place) = table.find(&table.schema.key, key) else {
                return false;
            };
            changes.extend(table.remove(&place));
            true
        })
    }

    /// Deletes every record; tells how many there were.
    ///
    /// # Panics
    /// When there is no such collection.
    pub fn clear(&self, collection: &str) -> usize {
        let mut count = 0;
        self.outside(collection, |table, changes| {
            let places: Vec<_> = table.records.keys().cloned().collect();
            count = places.len();
            changes.extend(places.iter().filter_map(|place| table.remove(place)));
            count > 0
        });
        count
    }

    fn outside(
        &self,
        collection: &str,
        change: impl FnOnce(&mut Table, &mut Vec<table::Changed>) -> bool,
    ) -> bool {
        let mut world = self.lock();
        let table = world
            .tables
            .get_mut(collection)
            .expect("the collection exists");
        let mut changes = Vec::new();
        let did = change(Arc::make_mut(table), &mut changes);
        if did {
            world.commit(collection, &By::Outsider, changes);
        }
        did
    }

    /// Returns a collection's schema.
    pub fn schema(&self, collection: &str) -> Option<Schema> {
        self.lock()
            .tables
            .get(collection)
            .map(|table| table.schema.clone())
    }

    /// Returns every record of a collection in key order; none when there is no such collection.
    pub fn records(&self, collection: &str) -> Vec<Vec<Owned>> {
        let world = self.lock();
        let table = world.tables.get(collection);
        table
            .into_iter()
            .flat_map(|t| t.records.values())
            .map(|record| record.to_vec())
            .collect()
    }

    /// Returns the record with this key.
    pub fn record(&self, collection: &str, key: &[Owned]) -> Option<Vec<Owned>> {
        let world = self.lock();
        let table = world.tables.get(collection)?;
        let place = table.find(&table.schema.key, key)?;
        Some(table.records[&place].to_vec())
    }

    /// Returns where the world stands.
    pub fn position(&self) -> Position {
        self.lock().position()
    }

    /// Returns how many times this batch was applied.
    pub fn applied(&self, link: &str, partition: &str, batch: u64) -> u64 {
        let batch = (link.to_owned(), partition.to_owned(), batch);
        self.lock().applied.get(&batch).copied().unwrap_or(0)
    }

    /// Returns how many times each (link, partition, batch) was applied.
    pub fn applied_all(&self) -> BTreeMap<(String, String, u64), u64> {
        self.lock().applied.clone()
    }

    /// Returns every change since the world was made, in order.
    pub fn log(&self) -> Vec<Change> {
        self.lock().log.clone()
    }

    /// Returns the changes behind the first `known` ones, in order.
    pub fn log_since(&self, known: usize) -> Vec<Change> {
        self.lock().log.get(known..).unwrap_or_default().to_vec()
    }

    /// Keeps what the world looks like now.
    pub fn view(&self) -> View {
        let world = self.lock();
        View {
            position: world.position(),
            tables: world.tables.clone(),
            hashed: world.hashed,
        }
    }

    /// Returns the marker of a link's partition.
    pub fn marker(&self, link: &str, partition: &str) -> Option<Marker> {
        self.lock()
            .markers
            .get(&(link.to_owned(), partition.to_owned()))
            .cloned()
    }

    /// Returns the epoch that was claimed last for a link; 0 when none was.
    pub fn epoch(&self, link: &str) -> u64 {
        self.lock().epochs.get(link).copied().unwrap_or(0)
    }

    /// Takes protections away, or gives them back.
    pub fn sabotage(&self, sabotage: Sabotage) {
        self.lock().sabotage = sabotage;
    }

    /// Lets snapshots that are opened from now on hash their records like this.
    pub fn hash_like(&self, hashed: Hashed) {
        self.lock().hashed = hashed;
    }

    /// Makes the world say that this right is missing for what `missing` names. It goes on allowing it.
    pub fn lack(&self, missing: Missing) {
        self.lock().lacking.push(missing);
    }

    /// Copies what an administrator's backup would hold.
    pub fn backup(&self) -> Backup {
        let world = self.lock();
        Backup {
            tables: world.tables.clone(),
            position: world.position,
            epochs: world.epochs.clone(),
            markers: world.markers.clone(),
        }
    }

    /// Puts the world back to what it was: content, epochs, markers and position.
    pub fn restore(&self, backup: &Backup) {
        let mut world = self.lock();
        world.tables = backup.tables.clone();
        world.position = backup.position;
        world.epochs = backup.epochs.clone();
        world.markers = backup.markers.clone();
        world.forget_log();
    }

    /// Lets who follows the log hear of the values of an update only where they changed.
    pub fn tell_in_part(&self) {
        self.lock().lazy = true;
    }

    /// Forgets the log up to now: who has not heard it has lost it.
    pub fn forget_log(&self) {
        self.lock().forget_log();
    }

    /// Returns up to which number of commit the log was said to be durable elsewhere.
    pub fn acknowledged(&self) -> Position {
        Position(format!("memory:{}", self.lock().acknowledged))
    }

    /// Puts another schema in the place of a collection's, whose records get NULL for what they do not have.
    ///
    /// # Panics
    /// When there is no such collection.
    pub fn reshape(&self, schema: &Schema) {
        let mut world = self.lock();
        let table = world
            .tables
            .get(&schema.collection)
            .expect("the collection exists");
        let old = table.schema.clone();
        let mut reshaped = Table::new(endpoint::native(schema));
        for record in table.records.values() {
            let value = |field: &trueup_core::schema::Field| {
                let at = old.index_of(&field.name);
                at.map_or(Owned::Null, |at| record[at].clone())
            };
            let record: Vec<Owned> = schema.fields.iter().map(value).collect();
            reshaped
                .put(None, record.into())
                .expect("the record fits the new shape");
        }
        world
            .tables
            .insert(schema.collection.clone(), Arc::new(reshaped));
        world.position += 1;
    }
}
