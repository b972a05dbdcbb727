//! Small builders, so that a test says what it is about and no more.
//!
//! Everything here goes through the public contract of the core (`Batch`, `Writes`, `Scan`); nothing is a second way
//! to do what the product does.

use crate::owned::Owned;
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{
    Applied, Bag, Check, Endpoint, Mark, Op, Order, Scan, ScanRequest, Snapshot, Writer, Writes,
};
use trueup_core::error::{Error, Result};
use trueup_core::schema::{Field, Reference, Schema};
use trueup_core::types::Type;
use trueup_core::value::Value;

/// How many records a scan's batch holds unless a test says otherwise.
pub const BATCH_RECORDS_MAX: usize = 1_000;

/// At how many bytes a scan's batch is cut unless a test says otherwise.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// Starts the schema of `collection`.
pub fn schema(collection: &str) -> SchemaBuilder {
    SchemaBuilder(Schema {
        collection: collection.to_owned(),
        ..Schema::default()
    })
}

/// A schema being written down. Fields are nullable until [`SchemaBuilder::not_null`] or [`SchemaBuilder::key`].
#[derive(Clone, Debug)]
pub struct SchemaBuilder(Schema);

impl SchemaBuilder {
    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &str, ty: Type) -> Self {
        self.0.fields.push(Field::new(name, ty, ""));
        self
    }

    /// Adds a 64-bit integer field.
    #[must_use]
    pub fn int(self, name: &str) -> Self {
        self.field(name, Type::INT)
    }

    /// Adds a text field.
    #[must_use]
    pub fn text(self, name: &str) -> Self {
        self.field(name, Type::TEXT)
    }

    /// Forbids NULL in the fields called `names`.
    #[must_use]
    pub fn not_null<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        for index in self.indices(names) {
            self.0.fields[index].nullable = false;
        }
        self
    }

    /// Makes the fields called `names` the key, in that order, and forbids NULL in them.
    #[must_use]
    pub fn key<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.0.key = self.indices(names);
        for &index in &self.0.key {
            self.0.fields[index].nullable = false;
        }
        self
    }

    /// Adds a unique constraint over the fields called `names`.
    #[must_use]
    pub fn unique<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let indices = self.indices(names);
        self.0.uniques.push(indices);
        self
    }

    /// Adds a foreign key from the fields called `names` to the key of `collection`.
    #[must_use]
    pub fn refers<'n>(
        mut self,
        names: impl IntoIterator<Item = &'n str>,
        collection: &str,
    ) -> Self {
        let fields = self.indices(names);
        let collection = collection.to_owned();
        self.0.references.push(Reference {
            fields,
            collection,
            cascades: false,
        });
        self
    }

    /// Returns the schema.
    pub fn build(self) -> Schema {
        self.0
    }

    fn indices<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Vec<usize> {
        let find = |name| self.0.index_of(name).expect("the field was added before");
        names.into_iter().map(find).collect()
    }
}

impl From<SchemaBuilder> for Schema {
    fn from(builder: SchemaBuilder) -> Self {
        builder.build()
    }
}

/// Makes an owned record: `record![1, "one", None::<i64>]`; whole numbers become ints.
#[macro_export]
macro_rules! record {
    ($($value:expr),* $(,)?) => {
        Vec::<$crate::owned::Owned>::from([$($crate::owned::Owned::from($value)),*])
    };
}

/// Makes a batch of records with `width` values each.
pub fn batch(width: usize, records: &[&[Value<'_>]]) -> Batch {
    let mut batch = Batch::new(width);
    for record in records {
        assert_eq!(record.len(), width, "every record has the batch's width");
        record.iter().for_each(|&value| batch.push(value));
    }
    batch
}

/// Makes a batch of owned records with `width` values each.
pub fn batch_of(width: usize, records: &[Vec<Owned>]) -> Batch {
    let mut batch = Batch::new(width);
    for record in records {
        assert_eq!(record.len(), width, "every record has the batch's width");
        record.iter().for_each(|value| batch.push(value.value()));
    }
    batch
}

/// Copies every record of `batch`.
pub fn owned(batch: &Batch) -> Vec<Vec<Owned>> {
    batch.records().map(Owned::record).collect()
}

/// Orders records by the canonical encoding of all their values.
pub fn sorted(mut records: Vec<Vec<Owned>>) -> Vec<Vec<Owned>> {
    records.sort_by_cached_key(|record| crate::owned::key_bytes(record));
    records
}

/// Reads a scan to its end into batches; the last word on how many calls delivered how much.
///
/// # Errors
/// The scan's own.
pub fn drain(scan: &mut dyn Scan, width: usize) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    loop {
        let mut batch = Batch::new(width);
        if !scan.next(&mut batch)? {
            return Ok(batches);
        }
        batches.push(batch);
    }
}

/// What [`collect`] asks of a scan.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The fields, as indices into the schema's.
    pub fields: Vec<usize>,
    /// The order's positions in `fields`; `None` asks for the natural order.
    pub order: Option<Vec<usize>>,
    /// Only records after this key.
    pub after: Option<Record<'a>>,
    /// How many records a batch may hold.
    pub batch_records_max: usize,
}

impl Ask<'_> {
    /// All fields in natural order.
    pub fn all(schema: &Schema) -> Self {
        let fields = (0..schema.fields.len()).collect();
        Self {
            fields,
            order: None,
            after: None,
            batch_records_max: BATCH_RECORDS_MAX,
        }
    }

    /// All fields in the order of the schema's key.
    pub fn in_key_order(schema: &Schema) -> Self {
        Self {
            order: Some(schema.key.clone()),
            ..Self::all(schema)
        }
    }
}

/// Runs a scan of a snapshot to its end; returns whether it said it was ordered, and its batches.
///
/// # Errors
/// The scan's own.
pub fn collect(
    snapshot: &mut dyn Snapshot,
    schema: &Schema,
    ask: &Ask<'_>,
) -> Result<(bool, Vec<Batch>)> {
    let wanted: Vec<Type> = ask
        .fields
        .iter()
        .map(|&index| schema.fields[index].ty)
        .collect();
    let request = ScanRequest {
        schema,
        fields: &ask.fields,
        wanted: &wanted,
        order: ask.order.as_deref().map_or(Order::Natural, Order::Key),
        after: ask.after,
        sieve: &[],
        batch_records_max: ask.batch_records_max,
        batch_bytes_max: BATCH_BYTES_MAX,
    };
    let ordered = snapshot.ordered(&request)?;
    let mut scan = snapshot.scan(&request)?;
    Ok((ordered, drain(scan.as_mut(), ask.fields.len())?))
}

/// Reads a whole collection through a fresh snapshot, ordered by the canonical encoding of whole records.
///
/// # Errors
/// The endpoint's own, or `Config` when there is no such collection.
pub fn read(endpoint: &mut dyn Endpoint, collection: &str) -> Result<Vec<Vec<Owned>>> {
    let missing = || Error::config(format!("collection={collection}: no such collection"));
    let schema = endpoint.schema(collection)?.ok_or_else(missing)?;
    let mut snapshot = endpoint.snapshot()?;
    let (_, batches) = collect(snapshot.as_mut(), &schema, &Ask::all(&schema))?;
    Ok(sorted(batches.iter().flat_map(owned).collect()))
}

/// A batch of writes being written down: owns what a [`Writes`] borrows.
#[derive(Clone, Debug)]
pub struct Writing {
    schema: Schema,
    key_fields: Vec<usize>,
    fields: Vec<usize>,
    key: Vec<usize>,
    ops: Vec<Op>,
    records: Batch,
    mark: Mark,
    load: bool,
    bag: Option<AsStored>,
}

/// A bag of records that are equal as values of these types (as they are stored, where there is none); markers get
/// this position.
#[derive(Clone, Debug)]
pub struct AsStored {
    /// The marker's position, before the numbers of the writes that were left out.
    pub position: Vec<u8>,
    /// The types of the written fields.
    pub types: Vec<Type>,
}

impl Bag for AsStored {
    fn digest(&self, current: Record<'_>) -> Digest {
        let mut read = Batch::new(current.width());
        for (at, value) in current.values().enumerate() {
            let ty = self.types.get(at).copied().unwrap_or(Type::Any);
            if trueup_core::cast::push(value, ty, &mut read).is_err() {
                read.push(value);
            }
        }
        trueup_core::encode::digest(read.record(0), &mut Vec::new())
    }

    fn wanted(&self) -> &[Type] {
        &self.types
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        let numbers = left_out.iter().flat_map(|index| index.to_le_bytes());
        self.position.iter().copied().chain(numbers).collect()
    }
}

impl Writing {
    /// Starts a batch for a bag whose fields are read as ones of `wanted`.
    pub fn bag(schema: &Schema, wanted: &Schema, batch: u64) -> Self {
        let mut writing = Self::keyed(schema, &[], batch);
        let types = writing.fields.iter();
        let types = types.map(|&field| wanted.fields[field].ty).collect();
        let position = writing.mark.position.clone();
        writing.bag = Some(AsStored { position, types });
        writing
    }

    /// Starts batch number `batch` of the partition named after the collection, writing all fields that are not
    /// generated, under the schema's own key.
    pub fn new(schema: &Schema, batch: u64) -> Self {
        Self::keyed(schema, &schema.key, batch)
    }

    /// Starts a batch under another key than the schema's own: the fields with these indices.
    pub fn keyed(schema: &Schema, key: &[usize], batch: u64) -> Self {
        let stored = |&index: &usize| !schema.fields[index].generated;
        let fields: Vec<usize> = (0..schema.fields.len()).filter(stored).collect();
        let partition = schema.collection.clone();
        let mark = Mark {
            partition,
            batch,
            position: format!("batch {batch}").into_bytes(),
        };
        let empty = Self {
            schema: schema.clone(),
            key_fields: key.to_vec(),
            fields: Vec::new(),
            key: Vec::new(),
            ops: Vec::new(),
            records: Batch::new(0),
            mark,
            load: false,
            bag: None,
        };
        empty.with_fields(fields)
    }

    /// Writes only the fields called `names`, in that order. Call before the first record.
    #[must_use]
    pub fn fields<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let find = |name| {
            self.schema
                .index_of(name)
                .expect("the schema has the field")
        };
        let fields = names.into_iter().map(find).collect();
        self.with_fields(fields)
    }

    fn with_fields(mut self, fields: Vec<usize>) -> Self {
        assert!(
            self.ops.is_empty(),
            "fields are chosen before the first record"
        );
        let place = |index: &usize| fields.iter().position(|field| field == index);
        self.key = self.key_fields.iter().filter_map(place).collect();
        assert_eq!(
            self.key.len(),
            self.key_fields.len(),
            "the key's fields are among the fields"
        );
        self.records = Batch::new(fields.len());
        self.fields = fields;
        self
    }

    /// Sets the partition.
    #[must_use]
    pub fn partition(mut self, partition: &str) -> Self {
        self.mark.partition = partition.to_owned();
        self
    }

    /// Sets the position stored in the marker.
    #[must_use]
    pub fn position(mut self, position: &[u8]) -> Self {
        self.mark.position = position.to_vec();
        self
    }

    /// Says that the collection is being loaded.
    #[must_use]
    pub fn load(mut self) -> Self {
        self.load = true;
        self
    }

    /// Adds an insert.
    #[must_use]
    pub fn insert(self, record: &[Owned]) -> Self {
        self.op(Op::Insert, record)
    }

    /// Adds an update.
    #[must_use]
    pub fn update(self, record: &[Owned]) -> Self {
        self.op(Op::Update, record)
    }

    /// Adds a delete; `key` holds the key's values in the key's order.
    #[must_use]
    pub fn delete(self, key: &[Owned]) -> Self {
        assert_eq!(key.len(), self.key.len(), "a delete names the whole key");
        let mut record = vec![Owned::Null; self.fields.len()];
        for (&place, value) in self.key.iter().zip(key) {
            record[place] = value.clone();
        }
        self.op(Op::Delete, &record)
    }

    /// Adds the removal of one record of a bag that equals this one.
    #[must_use]
    pub fn remove(self, record: &[Owned]) -> Self {
        self.op(Op::Delete, record)
    }

    /// Adds an insert of each of `records`.
    #[must_use]
    pub fn inserts(self, records: &[Vec<Owned>]) -> Self {
        records
            .iter()
            .fold(self, |writing, record| writing.insert(record))
    }

    fn op(mut self, op: Op, record: &[Owned]) -> Self {
        assert_eq!(
            record.len(),
            self.fields.len(),
            "a record has one value per field"
        );
        self.ops.push(op);
        record
            .iter()
            .for_each(|value| self.records.push(value.value()));
        self
    }

    /// Lends the batch.
    pub fn writes(&self) -> Writes<'_> {
        Writes {
            schema: &self.schema,
            fields: &self.fields,
            key: &self.key,
            ops: &self.ops,
            records: &self.records,
            mark: &self.mark,
            load: self.load,
            check: None,
            bag: self.bag.as_ref().map(|bag| bag as &dyn Bag),
        }
    }

    /// Applies the batch.
    ///
    /// # Errors
    /// The writer's own.
    pub fn apply(&self, writer: &mut dyn Writer) -> Result<Applied> {
        writer.apply(&self.writes())
    }

    /// Applies the batch under a condition.
    ///
    /// # Errors
    /// The writer's own.
    pub fn apply_checked(&self, writer: &mut dyn Writer, check: &dyn Check) -> Result<Applied> {
        writer.apply(&Writes {
            check: Some(check),
            ..self.writes()
        })
    }
}
