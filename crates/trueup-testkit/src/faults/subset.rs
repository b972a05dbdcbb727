//! Batches of writes that own their content, and batches with some of their records left out.

use crate::owned::Owned;
use crate::records::AsStored;
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Applied, Bag, Check, Mark, Op, Outcome, Writer, Writes};
use trueup_core::error::Result;
use trueup_core::schema::Schema;
use trueup_core::types::Type;

/// A [`Writes`] without a condition that owns what it names.
pub(crate) struct OwnedWrites {
    schema: Schema,
    fields: Vec<usize>,
    key: Vec<usize>,
    ops: Vec<Op>,
    records: Batch,
    mark: Mark,
    load: bool,
    bag: Option<AsStored>,
}

impl OwnedWrites {
    pub(crate) fn of(writes: &Writes<'_>) -> Self {
        Self {
            schema: writes.schema.clone(),
            fields: writes.fields.to_vec(),
            key: writes.key.to_vec(),
            ops: writes.ops.to_vec(),
            records: writes.records.clone(),
            mark: writes.mark.clone(),
            load: writes.load,
            bag: writes.bag.map(|bag| AsStored {
                position: bag.position(&[]),
                types: Vec::new(),
            }),
        }
    }

    pub(crate) fn writes(&self) -> Writes<'_> {
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
}

/// Returns the key's values of write `index`.
pub(crate) fn key_of(writes: &Writes<'_>, index: usize) -> Vec<Owned> {
    let record = writes.records.record(index);
    writes
        .key
        .iter()
        .map(|&place| record.value(place).into())
        .collect()
}

/// Applies all writes but those in `rejected` (index, whether blocked), and reports those as rejected.
pub(crate) fn apply_without(
    writer: &mut dyn Writer,
    writes: &Writes<'_>,
    rejected: &[(usize, bool)],
) -> Result<Applied> {
    let left_out = |index: usize| rejected.iter().find(|(rejected, _)| *rejected == index);
    let kept: Vec<usize> = (0..writes.ops.len())
        .filter(|&i| left_out(i).is_none())
        .collect();
    let ops: Vec<Op> = kept.iter().map(|&index| writes.ops[index]).collect();
    let mut records = Batch::new(writes.records.width());
    kept.iter()
        .for_each(|&index| records.push_record(writes.records.record(index)));
    let renumbered = writes.check.map(|check| Renumbered {
        check,
        kept: &kept,
        rejected,
    });
    let check = renumbered.as_ref().map(|check| {
        let check: &dyn Check = check;
        check
    });
    let recounted = writes.bag.map(|bag| Recounted {
        bag,
        kept: &kept,
        rejected,
    });
    let bag = recounted.as_ref().map(|bag| bag as &dyn Bag);
    let applied = writer.apply(&Writes {
        ops: &ops,
        records: &records,
        check,
        bag,
        ..*writes
    })?;
    let mut inner = applied.outcomes.into_iter();
    let outcome = |index| match left_out(index) {
        Some(&(_, blocked)) => Outcome::Rejected {
            reason: "constraint=planned: a planned fault".to_owned(),
            blocked,
        },
        None => inner
            .next()
            .expect("the endpoint reports one outcome per write"),
    };
    let outcomes = (0..writes.ops.len()).map(outcome).collect();
    Ok(Applied {
        outcomes,
        durable: applied.durable,
    })
}

/// A condition that sees the numbers of the whole batch.
struct Renumbered<'a> {
    check: &'a dyn Check,
    kept: &'a [usize],
    rejected: &'a [(usize, bool)],
}

impl Check for Renumbered<'_> {
    fn holds(&self, index: usize, current: Option<Record<'_>>) -> bool {
        self.check.holds(self.kept[index], current)
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        self.check
            .position(&all_left_out(left_out, self.kept, self.rejected))
    }
}

/// The same of a bag.
struct Recounted<'a> {
    bag: &'a dyn Bag,
    kept: &'a [usize],
    rejected: &'a [(usize, bool)],
}

impl Bag for Recounted<'_> {
    fn digest(&self, current: Record<'_>) -> Digest {
        self.bag.digest(current)
    }

    fn wanted(&self) -> &[Type] {
        self.bag.wanted()
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        self.bag
            .position(&all_left_out(left_out, self.kept, self.rejected))
    }
}

/// The numbers, in the whole batch, of the writes that were left out inside or outside.
fn all_left_out(inner: &[usize], kept: &[usize], rejected: &[(usize, bool)]) -> Vec<usize> {
    let inner = inner.iter().map(|&index| kept[index]);
    let outer = rejected.iter().map(|&(index, _)| index);
    let mut all: Vec<usize> = inner.chain(outer).collect();
    all.sort_unstable();
    all
}
