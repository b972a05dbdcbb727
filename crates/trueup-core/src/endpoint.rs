//! The contract between the journey and a system that holds data.
//!
//! Four traits, in the order a run meets them: [`Endpoint`] (connect, shapes), [`Snapshot`] and [`Scan`] (read),
//! [`Writer`] (apply). They are synchronous: a run is a handful of long streams, each on a thread of its own, and
//! the simulator needs every step to happen in an order it chooses (`docs/design/0002-synchronous-core.md`).
//!
//! Two words carry the contract. **Accepted**: the endpoint has taken the write, a crash may lose it. **Durable**:
//! the write survives a crash of the endpoint. Checkpoints move on durable only.

mod about;
mod marker;
mod outcome;
mod request;

pub use about::{About, Capabilities, Class, Position};
pub use marker::{Mark, Marker};
pub use outcome::{Applied, Outcome, left_out};
pub use request::{Ascending, Order, Part, ScanRequest};

use crate::batch::{Batch, Record};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::failpoint::Failpoints;
use crate::follow::{FollowRequest, Opened, Transaction};
use crate::hashes::Hashes;
use crate::parcel::{Delivered, Delivery, Parcel, Parcels};
use crate::rights::{Rights, Wanted};
use crate::schema::Schema;
use crate::script::Script;
use crate::structure::{Built, Construction, Lost, Step, StepKind, Structure};
use crate::types::Type;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Opaque token that changes when a record changes. Equality only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub Box<[u8]>);

/// Looks up a variable of the caller's environment.
type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What an endpoint may use of the world besides its own system. Passed in, so that nothing below the binary reads
/// the environment.
#[derive(Clone)]
pub struct Context {
    /// Looks up an environment variable.
    pub env: Arc<Lookup>,
    /// What to do at named places.
    pub failpoints: Failpoints,
}

impl Context {
    /// An empty environment in which nothing fails.
    pub fn empty() -> Self {
        Self {
            env: Arc::new(|_| None),
            failpoints: Failpoints::none(),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("failpoints", &self.failpoints)
            .finish_non_exhaustive()
    }
}

/// One configured system that holds data. Connecting is the constructor's business; an `Endpoint` is connected, or
/// reconnects by itself on the next call after a broken connection.
pub trait Endpoint: Send {
    /// Says who this is and what it can do.
    fn about(&self) -> About;

    /// Lists the collections in a stable order: no control objects, no system tables.
    fn collections(&mut self) -> Result<Vec<String>>;

    /// Reads the shape of `collection`; `None` when there is none of that name. Without fields where nothing says them (a
    /// file of JSON Lines that holds no record): it is then created like a missing one.
    fn schema(&mut self, collection: &str) -> Result<Option<Schema>>;

    /// Works out how `wanted` would be created here, without creating it: the engine's own types, key and
    /// constraints. The names and the number of fields stay as they are.
    ///
    /// # Errors
    /// `Config` when a field's type cannot be held here or a name is not allowed; the error names the field.
    fn design(&self, wanted: &Schema) -> Result<Design>;

    /// Reads what `collection` has besides fields and key. Nothing but its engine is empty where records are all that an
    /// endpoint holds.
    fn structure(&mut self, collection: &str) -> Result<Structure> {
        let _ = collection;
        Ok(Structure::default())
    }

    /// Lists what is here and belongs to no collection, and that no link carries: views, functions, sequences of nothing.
    fn apart(&mut self) -> Result<Vec<Lost>> {
        Ok(Vec::new())
    }

    /// Works out how `wanted` comes to be here with all of `structure` that this endpoint can have, without doing it. As
    /// [`Endpoint::design`], and the same when `wanted` is there already: what is missing of it may have to be built.
    ///
    /// `taken` are names of indexes and constraints that this link's other collections get; those given here are added.
    ///
    /// # Errors
    /// As [`Endpoint::design`].
    fn construct(
        &self,
        wanted: &Schema,
        structure: &Structure,
        taken: &mut BTreeSet<String>,
    ) -> Result<Construction> {
        let _ = (structure, taken);
        Ok(Construction {
            design: self.design(wanted)?,
            steps: Vec::new(),
            lost: Vec::new(),
        })
    }

    /// Tells what this user lacks for `wanted`, with what grants it. Probed; nothing is written, and no record is read.
    /// An endpoint that knows no users has nothing to refuse.
    fn rights(&mut self, wanted: &[Wanted]) -> Result<Rights> {
        let _ = wanted;
        Ok(Rights::default())
    }

    /// Opens a consistent view of all collections as of one position. It holds no lock that makes a reader or, on
    /// engines with row versions, a writer wait.
    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>>;

    /// Opens the log of changes, and makes at the source what it needs for that.
    ///
    /// # Errors
    /// `Config` names a collection whose changes do not say which record they are about, or a setting that is missing.
    fn follow(&mut self, request: &FollowRequest<'_>) -> Result<Opened> {
        let _ = request;
        let engine = self.about().engine;
        Err(Error::config(format!(
            "no log of changes can be followed here: engine={engine}"
        ))
        .hint("run the link again and again instead: a run compares, and writes what differs"))
    }

    /// Removes what is kept at this source for following `link`: nothing is there afterwards that would go on growing.
    fn unfollow(&mut self, link: &str) -> Result<()> {
        let _ = link;
        Ok(())
    }

    /// Reads the epoch that was claimed last for `link`, and raises nothing: 0 before the first claim, `None` where the
    /// endpoint keeps none. Read before the first scan and held against the epoch of the later claim, it tells
    /// whether another engine claimed the link while a plan was being made from what is now the past.
    fn epoch(&mut self, link: &str) -> Result<Option<u64>> {
        let _ = link;
        Ok(None)
    }

    /// Claims the right to write for `claim.link`: raises the epoch durably, so that every writer that claimed
    /// before is refused from now on, even one whose commit is in flight. Creates the control objects if they are
    /// missing. Called again after an unknown outcome, before [`Writer::marker`] is read.
    fn writer(&mut self, claim: &Claim) -> Result<Box<dyn Writer>>;

    /// Returns one more writer under an epoch that this process claimed for `claim.link`, on a connection of its own: what
    /// one of them writes waits for no other, and whoever raises the epoch refuses them all. `None` where a second one would
    /// only wait for the first, or no epoch is kept.
    ///
    /// # Errors
    /// As [`Endpoint::writer`]; that the epoch is not the current one any more is found out by the first batch.
    fn join(&mut self, claim: &Claim, epoch: u64) -> Result<Option<Box<dyn Writer>>> {
        let _ = (claim, epoch);
        Ok(None)
    }

    /// Removes what killed runs left here, as [`Endpoint::writer`] does too; nothing that a living run uses. Called
    /// on a target that turns out to need no write: the killed run may have died after its last one.
    fn sweep(&mut self) -> Result<()> {
        Ok(())
    }

    /// Returns who says writes as statements in this endpoint's own language; `None` where it has none.
    fn script(&self) -> Option<Box<dyn Script + '_>> {
        None
    }
}

/// How a missing collection would be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    /// The schema it will have, in this endpoint's types.
    pub schema: Schema,
    /// The statement that creates it, for the plan; empty where there is none to show.
    pub statement: String,
}

/// A consistent view of an endpoint. Dropping it releases it.
pub trait Snapshot: Send {
    /// Where in the endpoint's history this view stands.
    fn position(&self) -> Position;

    /// Returns one more view of exactly this position, on a connection of its own, so that both can be read at the same time;
    /// `None` where that cannot be had. It may outlive this one.
    ///
    /// # Errors
    /// Those after which this view cannot be read any more either.
    fn another(&mut self) -> Result<Option<Box<dyn Snapshot>>> {
        Ok(None)
    }

    /// Cuts a collection into parts of at least `bytes_min`, at most `parts_max` of them: each record is in exactly one,
    /// whatever happens to the collection as long as this view is kept. Empty where it cannot be cut.
    fn parts(&mut self, schema: &Schema, bytes_min: u64, parts_max: usize) -> Result<Vec<Part>> {
        let _ = (schema, bytes_min, parts_max);
        Ok(Vec::new())
    }

    /// Tells whether [`Snapshot::scan`] of `request` would deliver the canonical key order it asks for, without
    /// starting it. The caller asserts the order all the same, and sorts when this says `false`.
    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool>;

    /// Tells whether [`Order::Natural`] is the same order in every scan of this snapshot, whichever fields are asked for.
    /// It is in a file; a database may read an index in place of the table, or begin in its middle.
    fn keeps_order(&self) -> bool {
        false
    }

    /// Returns what is known of a field, by its index in `schema`, whose values ascend in the natural order, without reading
    /// it again; `None` where that is not known, or not so.
    fn ascending(&mut self, schema: &Schema, field: usize) -> Result<Option<Ascending>> {
        let _ = (schema, field);
        Ok(None)
    }

    /// Tells whether the collection has no record at all.
    fn is_empty(&mut self, schema: &Schema) -> Result<bool>;

    /// Starts reading a collection. The same request on the same snapshot gives the same records. A scan that was
    /// dropped before its end leaves the snapshot usable.
    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>>;

    /// Names the form in which [`Snapshot::parcels`] would deliver `request`; `None` where there is none.
    fn form(&mut self, request: &ScanRequest<'_>) -> Result<Option<String>> {
        let _ = request;
        Ok(None)
    }

    /// Starts reading a collection in parcels, in the natural order, as [`Snapshot::scan`] does in batches; only the records
    /// of `part`, where there is one.
    ///
    /// # Errors
    /// As [`Snapshot::scan`]; `Bug` where [`Snapshot::form`] names no form.
    fn parcels<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        part: Option<Part>,
    ) -> Result<Box<dyn Parcels + 'a>> {
        let _ = (request, part);
        Err(Error::bug(
            "an endpoint without a form is asked for parcels",
        ))
    }

    /// Returns what makes hashes of this view's records, where the endpoint can do that itself.
    fn hashes(&mut self) -> Option<&mut dyn Hashes> {
        None
    }
}

/// A collection being read.
pub trait Scan: Send {
    /// Appends the next records to `into` (which the caller has reset) and tells whether there were any.
    ///
    /// # Errors
    /// After an error the scan is over; what it delivered so far is not the whole collection, so nothing may be
    /// concluded from a missing record.
    fn next(&mut self, into: &mut Batch) -> Result<bool>;
}

/// Who wants to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The link's durable name.
    pub link: String,
    /// The state store's incarnation id.
    pub incarnation: String,
}

/// What one record's write is meant to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The record is missing; insert it. Where it exists after all, it is replaced; in a bag it is one more.
    Insert,
    /// The record exists; replace its fields. Where it is missing after all, it is inserted.
    Update,
    /// Remove the record with this key, in a bag one that is equal. Where it is missing, nothing happens.
    Delete,
}

/// Decides, inside the target's transaction and under its lock, whether a record may still be written.
pub trait Check: Sync {
    /// Given write `index` and the record that stands at the target now (the fields of [`Writes::fields`], in that
    /// order), tells whether it is the one the write expects to replace.
    fn holds(&self, index: usize, current: Option<Record<'_>>) -> bool;

    /// Given the indices of the writes that were left out ([`left_out`]), returns the position to store in the marker
    /// instead of [`Mark::position`]: after a crash the marker alone says which writes of its batch did apply, and a
    /// base that took a refused insert for applied would see its absence as a delete.
    fn position(&self, left_out: &[usize]) -> Vec<u8>;
}

/// Says what is equal in a collection that is a bag: no key identifies a record there, and equal ones count.
pub trait Bag: Sync {
    /// Digests a record that stands at the target now (the fields of [`Writes::fields`], in that order, with the
    /// values that a scan would deliver). A delete removes one record whose digest is the canonical one
    /// ([`crate::encode::digest`]) of its own record: what is equal is decided here, never by the endpoint's `=`.
    fn digest(&self, current: Record<'_>) -> Digest;

    /// Returns what a scan of those fields is asked for ([`ScanRequest::wanted`]): a hint that decides the class of some
    /// values.
    fn wanted(&self) -> &[Type];

    /// As [`Check::position`]: repeating a batch is not safe in a bag, so the marker has to say which of its writes did
    /// not apply.
    fn position(&self, left_out: &[usize]) -> Vec<u8>;
}

/// A batch of writes to one collection.
#[derive(Clone, Copy)]
pub struct Writes<'a> {
    /// The target collection, as the target reported it.
    pub schema: &'a Schema,
    /// The target field of each value in `records`, as indices into `schema.fields`. Contains the key's fields and
    /// no generated field.
    pub fields: &'a [usize],
    /// The key, as positions in `fields`; empty when the collection is a bag.
    pub key: &'a [usize],
    /// What to do with each record.
    pub ops: &'a [Op],
    /// The records. Each key occurs at most once. Of a [`Op::Delete`] only the key's values count; in a bag all do.
    pub records: &'a Batch,
    /// The marker to write with them.
    pub mark: &'a Mark,
    /// Whether the collection is being loaded: it was empty or missing when the run began, so that bulk paths pay.
    pub load: bool,
    /// The condition on each write, where it is more than the key's.
    pub check: Option<&'a dyn Check>,
    /// Set when the collection is a bag. Then there is no check, and no [`Op::Update`]; an insert never replaces, a
    /// delete removes exactly one record, and repeating the batch is **not** safe.
    pub bag: Option<&'a dyn Bag>,
}

impl Writes<'_> {
    /// Returns the position to store in the marker of this batch, given what became of its writes.
    pub fn position(&self, outcomes: &[Outcome]) -> Vec<u8> {
        match (self.check, self.bag) {
            (Some(check), _) => check.position(&left_out(outcomes)),
            (None, Some(bag)) => bag.position(&left_out(outcomes)),
            (None, None) => self.mark.position.clone(),
        }
    }
}

impl fmt::Debug for Writes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writes")
            .field("collection", &self.schema.collection)
            .field("records", &self.ops.len())
            .field("batch", &self.mark.batch)
            .finish_non_exhaustive()
    }
}

/// The right to write to an endpoint, under one epoch.
pub trait Writer: Send {
    /// Returns the epoch this writer claimed.
    fn epoch(&self) -> u64;

    /// Reads the marker of `partition`; `None` when no batch was ever applied, or where the endpoint keeps none.
    fn marker(&mut self, partition: &str) -> Result<Option<Marker>>;

    /// Creates a missing collection. Repeating it when the collection exists in that very shape is not an error.
    fn create(&mut self, design: &Design) -> Result<()>;

    /// Is told which collections are under construction: created by this link, and not built upon yet. A batch for one of
    /// them may hold records that refer to what is not there yet.
    fn constructing(&mut self, collections: &BTreeSet<String>) {
        let _ = collections;
    }

    /// Carries out a step of a construction, unless what it makes is there already; durable when it returns. Safe to
    /// repeat.
    ///
    /// # Errors
    /// As [`Writer::apply`]. What the endpoint refuses for this step alone is [`Built::Refused`].
    fn build(&mut self, step: &Step) -> Result<Built> {
        Err(Error::bug(format!(
            "this endpoint builds nothing: {}",
            step.kind.name()
        )))
    }

    /// Tells whether several writers may carry out steps of this kind on one collection at the same time.
    fn builds_together(&self, kind: StepKind) -> bool {
        let _ = kind;
        false
    }

    /// Begins a transaction in which changes are written in the order of the source, under this writer's epoch. `None`
    /// where there is no marker to write with them.
    fn transaction(&mut self) -> Result<Option<Box<dyn Transaction + '_>>> {
        Ok(None)
    }

    /// Applies a batch and its marker, atomically where the class is T. When it returns `Ok`, writes whose outcome
    /// is `Applied` are accepted, and durable if [`Applied::durable`] says so; the others left no trace.
    /// Repeating a batch is safe, unless the collection is a bag.
    ///
    /// # Errors
    /// `Stale` when another engine raised the epoch; nothing was written. `Unavailable` when the connection broke:
    /// whether the batch was applied is unknown until the marker has been read under a new claim. Any other error:
    /// nothing was written.
    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied>;

    /// Names the form of the parcels that can be delivered to `fields` of `schema`; `None` where none can.
    fn form(&mut self, schema: &Schema, fields: &[usize]) -> Result<Option<String>> {
        let _ = (schema, fields);
        Ok(None)
    }

    /// Writes a parcel of that form and its marker, all or nothing, and otherwise as [`Writer::apply`]. Repeating it is
    /// **not** safe where no marker says that it is there already.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Delivered> {
        let _ = delivery;
        Ok(Delivered::Refused)
    }

    /// Opens a parcel of that form: appends its records to `into`, as a scan would deliver them.
    fn open(
        &mut self,
        schema: &Schema,
        fields: &[usize],
        parcel: &Parcel,
        into: &mut Batch,
    ) -> Result<()> {
        let _ = (schema, fields, parcel, into);
        Err(Error::bug("an endpoint without a form is given a parcel"))
    }

    /// Stores the marker of a partition alone: the epoch is locked and checked in the transaction that stores it,
    /// and it is durable when this returns. The partition may be the empty string. Repeating it is safe.
    ///
    /// # Errors
    /// As [`Writer::apply`]; `Config` where the endpoint keeps no markers.
    fn mark(&mut self, mark: &Mark) -> Result<()>;

    /// Makes everything accepted for `collection` durable.
    fn finish(&mut self, collection: &str) -> Result<()>;
}
