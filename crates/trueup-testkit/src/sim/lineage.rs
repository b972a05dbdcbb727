//! Who had seen what: the ghost beside the simulated world, which no part of the product reads.
//!
//! Every outside write has a number, and writes values that no other write has. What is *known* of a record on a side
//! is the set of writes that were ever visible there; a writer's ancestors are what was known where it wrote. So a value
//! that is gone at the end is superseded where a writer after it had seen it, and lost where nobody had and no conflict
//! is on record. The model is that of the core's explorer, held against the whole product instead of one key.

use crate::owned::Owned;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{BitOr, BitOrAssign};
use trueup_core::side::Side;

/// The most writes of one simulation.
pub const WRITES_MAX: usize = 128;

/// Writes that are kept for the end, when what does not fit is mended.
const MENDS_MAX: usize = 18;

/// A set of outside writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids(u128);

impl Ids {
    /// The set of one write.
    pub fn of(id: usize) -> Self {
        Self(1 << id)
    }

    /// Tells whether `id` is in the set.
    pub fn has(self, id: usize) -> bool {
        self.0 & (1 << id) != 0
    }

    /// Tells whether the two have a write in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the set without the writes of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the writes in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..WRITES_MAX).filter(move |&id| self.has(id))
    }
}

impl BitOr for Ids {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Ids {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Returns the text that write `id` puts into a field.
pub fn text_of(id: usize) -> Owned {
    Owned::Text(format!("w{id:03}"))
}

/// As [`text_of`], too long for a narrow field.
pub fn wide_text_of(id: usize) -> Owned {
    Owned::Text(format!("w{id:03} is too long"))
}

/// Returns the stamp of write `id`: later ones are larger, and it tells the write.
pub fn stamp_of(id: usize, now_ms: i64) -> Owned {
    Owned::Int(now_ms * 1_000 + id as i64)
}

/// Returns the write that made `value`, where an outside write did.
pub fn origin(value: &Owned) -> Option<usize> {
    match value {
        Owned::Text(text) => text.strip_prefix('w')?.get(..3)?.parse().ok(),
        Owned::Int(stamp) => usize::try_from(stamp % 1_000).ok(),
        _ => None,
    }
}

/// Returns field and write of every value of `record` behind its key, the first field.
pub fn origins(record: &[Owned]) -> impl Iterator<Item = (usize, usize)> {
    let fields = record.iter().enumerate().skip(1);
    fields.filter_map(|(field, value)| Some((field, origin(value)?)))
}

/// A record's place: the collection's number and the key.
pub type Place = (usize, i64);

/// What is known of one record on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ghost {
    /// The writes that were ever visible here.
    pub known: Ids,
    /// Those that went into the record that stands here now.
    pub live: Ids,
}

/// What is known of every record on one side.
pub type Ghosts = BTreeMap<Place, Ghost>;

/// One outside write.
#[derive(Clone, Debug)]
struct Made {
    place: Place,
    side: Side,
    /// The fields it wrote; none: it deleted the record.
    fields: Vec<usize>,
    /// What its writer had seen.
    ancestors: Ids,
    /// What a delete removed.
    removed: Ids,
}

/// Everything known about the writes so far.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    made: Vec<Made>,
    /// Whose values are on record, by field.
    logged: BTreeMap<usize, Ids>,
    /// Deletes that are on record, or that a join undid, which is announced.
    forgiven: Ids,
    /// Writes that went with an endpoint that was put back.
    undone: Ids,
    /// Records that were in conflict when the sides were joined. Until somebody decides, it is not known what the sides
    /// agreed on, so a delete there is undone as in a join.
    joined: BTreeSet<Place>,
}

impl Lineage {
    /// Tells whether another write can be told apart.
    pub fn is_full(&self) -> bool {
        self.made.len() + MENDS_MAX >= WRITES_MAX
    }

    /// Returns the next write's number.
    pub fn next(&self) -> usize {
        self.made.len()
    }

    /// Notes a write of `fields` to what `ghost` describes, which from then on knows of it. No fields: a delete.
    pub fn write(&mut self, side: Side, place: Place, ghost: &mut Ghost, fields: &[usize]) {
        let id = self.made.len();
        self.made.push(Made {
            place,
            side,
            fields: fields.to_vec(),
            ancestors: ghost.known,
            removed: ghost.live,
        });
        ghost.known |= Ids::of(id);
        ghost.live = if fields.is_empty() {
            Ids::default()
        } else {
            ghost.live | Ids::of(id)
        };
    }

    /// Returns the writes that `record`'s values come from, and all that their writers had seen.
    pub fn behind(&self, record: &[Owned]) -> Ids {
        let mut all = Ids::default();
        for (_, id) in origins(record) {
            all |= Ids::of(id) | self.made[id].ancestors;
        }
        all
    }

    /// Puts a record's values on record.
    pub fn log(&mut self, record: &[Owned]) {
        for (field, id) in origins(record) {
            *self.logged.entry(field).or_default() |= Ids::of(id);
        }
    }

    /// Puts deletes at `place` that are among `ids` on record.
    pub fn excuse_deletes(&mut self, place: Place, ids: Ids) {
        for (id, made) in self.made.iter().enumerate() {
            if made.fields.is_empty() && made.place == place && ids.has(id) {
                self.forgiven |= Ids::of(id);
            }
        }
    }

    /// Notes that the record at `place` was in conflict when the sides were joined.
    pub fn join(&mut self, place: Place) {
        self.joined.insert(place);
    }

    /// Puts every delete at `place` so far on record.
    pub fn excuse_deletes_here(&mut self, place: Place) {
        self.excuse_deletes(place, Ids(u128::MAX));
    }

    /// Tells whether the writer of `record`'s value of `field` had not been seen by whoever wrote `by`, and the other way
    /// round for a delete: see [`Lineage::unseen_delete`].
    pub fn unseen(&self, record: &[Owned], field: usize, by: &[Owned]) -> bool {
        let id = record.get(field).and_then(origin);
        id.is_some_and(|id| !self.behind(by).has(id))
    }

    /// Tells whether somebody deleted the record at `place` without having seen one of these `fields` of `record`, whose
    /// writers had not seen the delete either.
    pub fn unseen_delete(&self, place: Place, record: &[Owned], fields: &[usize]) -> bool {
        let behind = self.behind(record);
        self.made.iter().enumerate().any(|(id, made)| {
            let delete = made.fields.is_empty() && made.place == place && !behind.has(id);
            let unseen = |field: &usize| {
                let origin = record.get(*field).and_then(origin);
                origin.is_some_and(|origin| !made.ancestors.has(origin))
            };
            delete && fields.iter().any(unseen)
        })
    }

    /// An earlier copy of a side is put back: what only it knew is gone, and that was not the product.
    pub fn put_back(&mut self, now: &Ghosts, copy: &Ghosts, other: &Ghosts) {
        for (place, ghost) in now {
            let known = |ghosts: &Ghosts| ghosts.get(place).copied().unwrap_or_default().known;
            self.undone |= ghost.known.without(known(copy) | known(other));
        }
    }

    /// Says which writes are lost: in none of the `held` records, not on record, and superseded by nobody.
    pub fn lost<'r>(&self, held: impl IntoIterator<Item = &'r [Owned]>) -> Vec<String> {
        let mut here: BTreeMap<usize, Ids> = self.logged.clone();
        for record in held {
            for (field, id) in origins(record) {
                *here.entry(field).or_default() |= Ids::of(id);
            }
        }
        let mut lost = Vec::new();
        for (id, made) in self.made.iter().enumerate() {
            for &field in &made.fields {
                let kept = here.get(&field).is_some_and(|ids| ids.has(id));
                let gone = !kept && !self.undone.has(id) && !self.superseded(id, field);
                if gone {
                    let (collection, key) = made.place;
                    lost.push(format!(
                        "write {id} of {} at collection {collection} key {key} field {field}",
                        made.side.name()
                    ));
                }
            }
        }
        lost
    }

    fn superseded(&self, id: usize, field: usize) -> bool {
        self.made.iter().any(|later| {
            later.ancestors.has(id) && (later.fields.is_empty() || later.fields.contains(&field))
        })
    }

    /// Says which deletes were undone: what they removed stands at `place` again, and nothing is on record.
    pub fn returned(&self, place: Place, record: &[Owned]) -> Vec<String> {
        let mut held = Ids::default();
        for (_, id) in origins(record) {
            held |= Ids::of(id);
        }
        let mut returned = Vec::new();
        if self.joined.contains(&place) {
            return returned;
        }
        for (id, made) in self.made.iter().enumerate() {
            let delete = made.fields.is_empty() && made.place == place;
            if !delete || (self.forgiven | self.undone).has(id) {
                continue;
            }
            let answered = self.made.iter().any(|later| {
                later.place == place && !later.fields.is_empty() && later.ancestors.has(id)
            });
            if !answered && made.removed.meets(held) {
                returned.push(format!(
                    "delete {id} of {} at collection {} key {}",
                    made.side.name(),
                    place.0,
                    place.1
                ));
            }
        }
        returned
    }
}
