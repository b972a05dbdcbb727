//! What a run is given: two endpoints, collections, a mode, limits, and the world.

use crate::clock::Clock;
use crate::progress::Progress;
use crate::state::{LinkId, Said};
use crate::two_way::TwoWay;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use trueup_core::digest::Digest;
use trueup_core::endpoint::Endpoint;
use trueup_core::failpoint::Failpoints;
use trueup_core::guard::Guard;
use trueup_core::mapping::Rules;
use trueup_core::side::Sides;
use trueup_core::{Error, Kind, Result};

/// One collection of a link.
#[derive(Clone, Debug, Default)]
pub struct CollectionSpec {
    /// The source's name for it.
    pub source: String,
    /// The target's name for it.
    pub target: String,
    /// What differs from "same names, same key".
    pub rules: Rules,
    /// Target fields that get the value of an expression over the source's fields: name and CEL text.
    pub computed: Vec<(String, String)>,
    /// Only source records for which this CEL text holds take part; the others are unknown, not absent.
    pub filter: Option<String>,
    /// When to stop, where that is another limit than the link's.
    pub guard: Option<Guard>,
}

impl CollectionSpec {
    /// A collection that both sides call by one name, without rules.
    pub(crate) fn plain(name: String) -> Self {
        Self {
            source: name.clone(),
            target: name,
            ..Self::default()
        }
    }
}

/// What is to be done where hashes were demanded and cannot be had.
pub(crate) const WITHOUT_HASHES: &str =
    "leave out --compare hash, in a file compare = \"hash\", and the records are read";

/// How records are compared before anything is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparison {
    /// By hashes where that is possible and pays, else by reading.
    #[default]
    Auto,
    /// By reading every record.
    Stream,
    /// By hashes that the endpoints make, also where a run is verified; a collection that cannot be compared so is an error.
    Hash,
}

/// What a run may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Write at all; otherwise stop after compare.
    pub write: bool,
    /// Compare even where the target is empty, so that every difference is counted.
    pub count_all: bool,
    /// Delete what only the target has.
    pub delete: bool,
    /// Verify at the end.
    pub verify: bool,
    /// Let plans pass the guard.
    pub lift_guard: bool,
    /// How the sides are compared.
    pub compare: Comparison,
}

/// Two endpoints and what connects them.
pub struct Link {
    /// Where records come from. Never written, unless the link goes both ways.
    pub source: Box<dyn Endpoint>,
    /// Where they go.
    pub target: Box<dyn Endpoint>,
    /// What the state calls the sides, where their addresses mean something from one folder only.
    pub places: Sides<Option<String>>,
    /// The collections, in the order the user named them; empty means every collection of the source.
    pub collections: Vec<CollectionSpec>,
    /// What the run may do.
    pub mode: Mode,
    /// When to stop.
    pub guard: Guard,
    /// Set when changes go both ways: then the sides have equal rights, and the base says who changed what.
    pub two_way: Option<TwoWay>,
    /// How a person named the link, where that is known.
    pub said: Option<Said>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Returns the name for people: the two addresses.
    pub fn name(&self) -> String {
        let (source, target) = (self.source.about().address, self.target.about().address);
        format!("{source} {} {target}", self.arrow())
    }

    /// Returns what names the link in the state store, where it is read from any folder.
    pub(crate) fn id(&self) -> LinkId {
        LinkId {
            durable: self.durable_name(),
            name: self.lasting_name(),
            said: self.said.clone(),
        }
    }

    /// Returns the name for people that means the same from every folder: the state knows the link by it.
    pub fn lasting_name(&self) -> String {
        let Sides { source, target } = self.lasting_addresses();
        format!("{source} {} {target}", self.arrow())
    }

    /// Returns the addresses of both sides as they mean the same from every folder.
    pub(crate) fn lasting_addresses(&self) -> Sides<String> {
        let about = Sides::new(self.source.about(), self.target.about());
        Sides::by(|side| {
            let place = self.places[side].clone();
            place.unwrap_or_else(|| about[side].address.clone())
        })
    }

    fn arrow(&self) -> &'static str {
        if self.two_way.is_some() { "<->" } else { "->" }
    }

    /// Returns the durable name: the two identities, whatever the addresses look like today.
    pub fn durable_name(&self) -> String {
        let (mut source, mut target) = (self.source.about().identity, self.target.about().identity);
        if self.two_way.is_some() {
            // The pair, whichever is named first; and not the name of either one-way link.
            if source > target {
                std::mem::swap(&mut source, &mut target);
            }
            source.push_str(" <-> ");
        }
        let digest = Digest::of(format!("{}\n{source}{target}", source.len()).as_bytes());
        format!("{:016x}", digest.0 as u64)
    }
}

/// Bounds on memory and batches. The defaults keep a run below 150 MiB whatever the number of records.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Records of a batch.
    pub batch_records_max: usize,
    /// Bytes at which a batch is cut.
    pub batch_bytes_max: usize,
    /// How many such batches are written as one while an empty collection is loaded: each write waits for a disk.
    pub load_batches: usize,
    /// How many sessions load and build at the same time at most, where both sides allow it.
    pub workers: usize,
    /// How many bytes a part has at least when several workers load one collection.
    pub part_bytes_min: u64,
    /// Batches a reader may be ahead. 0: no threads; both sides are read on the caller's, in a fixed order.
    pub batches_ahead: usize,
    /// Bytes sorted in memory before a run of them is written to disk.
    pub sort_bytes_max: usize,
    /// How many bytes a collection has at least that is compared by hashes without being asked to.
    pub hash_bytes_min: u64,
    /// Refused records kept for another try, and named in the report; with more, the run stops.
    pub refused_max: usize,
}

/// See [`Limits::hash_bytes_min`]. Reading so little takes no longer, and the report then has the digests.
const HASH_BYTES_MIN: u64 = 16 << 20;

/// See [`Limits::load_batches`]. Some 20 MiB then move together.
const LOAD_BATCHES: usize = 5;

/// See [`Limits::part_bytes_min`]. Reading that much takes many times longer than beginning to.
const PART_BYTES_MIN: u64 = 8 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_records_max: 10_000,
            batch_bytes_max: 4 << 20,
            load_batches: 1,
            workers: 1,
            part_bytes_min: PART_BYTES_MIN,
            batches_ahead: 2,
            sort_bytes_max: 32 << 20,
            hash_bytes_min: HASH_BYTES_MIN,
            refused_max: 10_000,
        }
    }
}

impl Limits {
    /// The limits for a person who asks for batches of `batch_records`. Who asks for none in particular gets larger
    /// ones where a collection is loaded.
    pub fn of(batch_records: usize) -> Self {
        let limits = Self::default();
        let usual = batch_records == limits.batch_records_max;
        Self {
            batch_records_max: batch_records,
            load_batches: if usual { LOAD_BATCHES } else { 1 },
            ..limits
        }
    }
}

/// Everything outside the data that a run touches.
pub struct World<'a> {
    /// The time.
    pub clock: &'a dyn Clock,
    /// Who listens.
    pub progress: &'a dyn Progress,
    /// Named places of failure.
    pub failpoints: Failpoints,
    /// Set when the user wants the run to stop at the next batch boundary.
    pub stop: &'a AtomicBool,
    /// Fills the bytes with random ones, fit for names that must never occur twice.
    pub random: &'a (dyn Fn(&mut [u8]) -> Result<()> + Sync),
    /// Where temporary files go; they have no name and vanish with the process.
    pub spool_folder: PathBuf,
    /// Bounds.
    pub limits: Limits,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl World<'_> {
    /// Whether the user wants the run to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Fails when the user wants the run to stop.
    pub(crate) fn check_stop(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(
                Error::new(Kind::Interrupted, "stopped on request, between two batches")
                    .hint("nothing is lost; run the same command again and it goes on"),
            );
        }
        Ok(())
    }
}
