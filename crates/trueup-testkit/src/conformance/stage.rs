//! What a case works with: the fixture, and a collection that was created for it.

use super::Fixture;
use crate::owned::Owned;
use crate::records::{Ask, BATCH_RECORDS_MAX, Writing, collect, owned, sorted};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Applied, Claim, Endpoint, Outcome, Snapshot, Writer};
use trueup_core::schema::Schema;

/// The link that cases write as, unless they say otherwise.
pub(super) const LINK: &str = "shop to stock";

/// Makes the claim of `link`.
pub(super) fn claim(link: &str) -> Claim {
    Claim {
        link: link.to_owned(),
        incarnation: "0192b3c4-state".to_owned(),
    }
}

/// An empty place, and how to get there.
pub struct Stage<'f> {
    pub(super) fixture: &'f mut dyn Fixture,
}

impl std::fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("fixture", &self.fixture.name())
            .finish()
    }
}

/// A collection that was created, a connection and a writer to it.
pub(super) struct Made {
    pub(super) endpoint: Box<dyn Endpoint>,
    pub(super) writer: Box<dyn Writer>,
    /// The schema that was wished for: the names, the order and the types that values are cast to.
    pub(super) wanted: Schema,
}

impl<'f> Stage<'f> {
    pub(super) fn new(fixture: &'f mut dyn Fixture) -> Self {
        Self { fixture }
    }

    /// Opens a connection.
    pub(super) fn open(&mut self) -> Box<dyn Endpoint> {
        self.fixture.open()
    }

    /// Creates a collection through a new connection.
    pub(super) fn make(&mut self, wanted: impl Into<Schema>) -> Made {
        let wanted = wanted.into();
        let mut endpoint = self.open();
        let mut writer = endpoint
            .writer(&claim(LINK))
            .expect("a writer can be claimed");
        create(endpoint.as_ref(), writer.as_mut(), &wanted);
        Made {
            endpoint,
            writer,
            wanted,
        }
    }

    /// Reads a whole collection through a new snapshot, cast to the wanted types and sorted.
    pub(super) fn read(&self, endpoint: &mut dyn Endpoint, wanted: &Schema) -> Vec<Vec<Owned>> {
        let schema = reported(endpoint, wanted);
        let mut snapshot = endpoint.snapshot().expect("a snapshot opens");
        self.read_at(snapshot.as_mut(), &schema, wanted)
    }

    /// Reads a whole collection of a snapshot, cast to the wanted types and sorted.
    pub(super) fn read_at(
        &self,
        snapshot: &mut dyn Snapshot,
        schema: &Schema,
        wanted: &Schema,
    ) -> Vec<Vec<Owned>> {
        let ask = Ask {
            batch_records_max: BATCH_RECORDS_MAX,
            ..Ask::all(schema)
        };
        let (_, batches) = collect(snapshot, schema, &ask).expect("the scan reads to its end");
        let fields: Vec<usize> = (0..wanted.fields.len()).collect();
        sorted(
            batches
                .iter()
                .flat_map(|batch| self.cast(batch, &fields, wanted))
                .collect(),
        )
    }

    /// Casts delivered records, whose values belong to `fields` of the wanted schema.
    pub(super) fn cast(&self, batch: &Batch, fields: &[usize], wanted: &Schema) -> Vec<Vec<Owned>> {
        let cast =
            |(&field, value): (&usize, Owned)| self.fixture.cast(wanted.fields[field].ty, &value);
        let record = |record: Vec<Owned>| fields.iter().zip(record).map(cast).collect();
        owned(batch).into_iter().map(record).collect()
    }

    /// Asserts that a new connection finds exactly these records.
    pub(super) fn expect(&mut self, wanted: &Schema, records: &[Vec<Owned>]) {
        let mut endpoint = self.open();
        let found = self.read(endpoint.as_mut(), wanted);
        assert_same(&found, &sorted(records.to_vec()));
    }
}

impl Made {
    /// Returns the schema as the endpoint reports it now.
    pub(super) fn schema(&mut self) -> Schema {
        reported(self.endpoint.as_mut(), &self.wanted)
    }

    /// Starts a batch under the wanted key.
    pub(super) fn writing(&mut self, batch: u64) -> Writing {
        let schema = self.schema();
        Writing::keyed(&schema, &self.wanted.key, batch)
    }

    /// Starts a batch for a bag.
    pub(super) fn counting(&mut self, batch: u64) -> Writing {
        let schema = self.schema();
        Writing::bag(&schema, &self.wanted, batch)
    }

    /// Applies a batch that must succeed as a whole, and makes it durable.
    pub(super) fn apply(&mut self, writing: &Writing) -> Applied {
        let applied = writing
            .apply(self.writer.as_mut())
            .expect("the batch is applied");
        self.writer
            .finish(&self.wanted.collection)
            .expect("what was applied becomes durable");
        applied
    }

    /// Applies a batch of which every write must be done.
    pub(super) fn apply_all(&mut self, writing: &Writing) {
        let applied = self.apply(writing);
        assert_eq!(
            applied.outcomes.len(),
            writing.writes().ops.len(),
            "one outcome per write"
        );
        for (index, outcome) in applied.outcomes.iter().enumerate() {
            let done = matches!(outcome, Outcome::Applied(_) | Outcome::Unchanged);
            assert!(done, "write {index} is done: {outcome:?}");
        }
    }

    /// Inserts records as a batch.
    pub(super) fn insert(&mut self, batch: u64, records: &[Vec<Owned>]) {
        let writing = self.writing(batch).inserts(records);
        self.apply_all(&writing);
    }
}

/// Designs and creates a collection.
pub(super) fn create(endpoint: &dyn Endpoint, writer: &mut dyn Writer, wanted: &Schema) {
    let design = endpoint
        .design(wanted)
        .expect("the schema can be created here");
    writer.create(&design).expect("the collection is created");
}

/// Returns the schema as the endpoint reports it.
pub(super) fn reported(endpoint: &mut dyn Endpoint, wanted: &Schema) -> Schema {
    let schema = endpoint
        .schema(&wanted.collection)
        .expect("the schema can be read");
    schema.expect("the collection exists")
}

/// Asserts that two lists of records are equal, and says which record is not.
pub(super) fn assert_same(found: &[Vec<Owned>], expected: &[Vec<Owned>]) {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(
            found, expected,
            "record {index}: found (first), expected (second)"
        );
    }
    assert_eq!(found.len(), expected.len(), "as many records as expected");
}
