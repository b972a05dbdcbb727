//! Turns a decision into the writes that carry it out, and the base into what both sides hold after them.

use super::super::kept::Agreed;
use super::super::work::{Ruled, Step, Work, own};
use super::{Decider, Found, digest_of};
use trueup_core::Result;
use trueup_core::base::{Base, FieldDigest, Held, Present};
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::encode;
use trueup_core::endpoint::Op;
use trueup_core::keyed::Entry;
use trueup_core::observation::{Observation, field_digest};
use trueup_core::reconcile::{BaseMove, Decision, Write};
use trueup_core::side::{Side, Sides};

impl Decider<'_> {
    /// Makes the work that carries out a decision.
    pub(super) fn work(
        &mut self,
        key: &[u8],
        found: &Found<'_>,
        seen: &Sides<Observation<'_>>,
        base: &Base,
        decision: &Decision<'_>,
    ) -> Result<Work> {
        let after = Sides::by(|side| self.after(side, found, seen, decision));
        let result = self.result(base, decision.base, &after);
        let step = |side: Side, base: Agreed| {
            let op = match decision.write[side] {
                Write::Insert => Op::Insert,
                Write::Update | Write::Nothing => Op::Update,
                Write::Delete => Op::Delete,
            };
            step(side, op, after[side].as_ref(), found[side], base)
        };
        let first = match (decision.copy, decision.write.source) {
            // What is overwritten there is copied in the same transaction, before anything else is written.
            (Some(side), _) => side,
            (None, Write::Nothing) => Side::Target,
            (None, _) => Side::Source,
        };
        let (between, then) = if decision.two_step() {
            let between = self.between(first.other(), found, seen);
            (between, Some(step(first.other(), result.clone())))
        } else {
            (result.clone(), None)
        };
        let copied = decision.copy.and_then(|side| found[side]);
        let conflict = decision.conflict.clone().map(|ruling| Ruled {
            ruling,
            records: found.map(|entry| entry.map(|entry| own(entry.record))),
            result: result
                .base
                .present()
                .map(|present| present.digest(Side::Source)),
            reason: None,
        });
        Ok(Work {
            key: key.to_vec(),
            step: step(first, between),
            copy: copied.map(|entry| own(entry.record)),
            then,
            conflict,
            answers: None,
            closes: false,
        })
    }

    /// Makes the record that `side` holds after the decision; `None`: there is none, or it is the one that is there.
    pub(super) fn after(
        &self,
        side: Side,
        found: &Found<'_>,
        seen: &Sides<Observation<'_>>,
        decision: &Decision<'_>,
    ) -> Option<Batch> {
        match decision.write[side] {
            Write::Delete => return None,
            Write::Nothing => return found[side].map(|entry| own(entry.record)),
            Write::Insert | Write::Update => {}
        }
        let width = self.joint.shared.types().len();
        let mut record = Batch::new(width);
        for field in 0..width {
            record.push(decision.value(side, field, seen)?);
        }
        Some(record)
    }

    /// Returns the base after all writes.
    pub(super) fn result(
        &mut self,
        base: &Base,
        moved: BaseMove,
        after: &Sides<Option<Batch>>,
    ) -> Agreed {
        match (moved, &after.source, &after.target) {
            (BaseMove::Agreed, Some(source), Some(target)) => {
                let (record, keeps) = (source.record(0), self.keeps());
                let source = self.digested(record);
                let target = self.digested(target.record(0));
                let holds = Sides::new(held(&source), held(&target));
                Agreed::on(Present::new(holds, self.before.batch), Some(record), keeps)
            }
            (BaseMove::Absent | BaseMove::Agreed, _, _) => Agreed::bare(Base::Absent),
            (BaseMove::Keep | BaseMove::Observed(_), _, _) => Agreed::bare(base.clone()),
        }
    }

    /// Returns the base between two writes: what the side that is not written yet still holds.
    pub(super) fn between(
        &self,
        side: Side,
        found: &Found<'_>,
        seen: &Sides<Observation<'_>>,
    ) -> Agreed {
        let (Some(digest), Some(fields)) = (found[side].and_then(digest_of), seen.fields(side))
        else {
            return Agreed::bare(Base::Absent);
        };
        let held = || Held {
            digest,
            fields: fields.digests(),
            version: None,
        };
        let present = Present::new(Sides::new(held(), held()), self.before.batch);
        Agreed::on(present, Some(fields.record()), self.keeps())
    }

    pub(super) fn digested(&mut self, record: Record<'_>) -> (Digest, Vec<FieldDigest>) {
        let digest = encode::digest(record, &mut self.scratch);
        let mut fields = Vec::new();
        for value in record.values() {
            fields.push(field_digest(value, &mut self.scratch));
        }
        (digest, fields)
    }

    /// What both sides hold, for a base that moves without a write.
    pub(super) fn held<'s>(
        &self,
        found: &Found<'_>,
        seen: &'s Sides<Observation<'_>>,
    ) -> Sides<Held<'s>> {
        Sides::by(|side| Held {
            digest: found[side].and_then(digest_of).unwrap_or(Digest(0)),
            fields: seen.fields(side).map_or(&[], |fields| fields.digests()),
            version: None,
        })
    }
}

/// Makes one write: `after` is the record to write, `entry` what stands there.
pub(super) fn step(
    side: Side,
    op: Op,
    after: Option<&Batch>,
    entry: Option<Entry<'_>>,
    then: Agreed,
) -> Step {
    let changed = match (op, after, entry) {
        (Op::Update, Some(after), Some(entry)) => differing(after.record(0), entry.record),
        _ => Vec::new(),
    };
    let record = match (after, entry) {
        (Some(after), _) => after.clone(),
        (None, Some(entry)) => own(entry.record),
        (None, None) => Batch::new(0),
    };
    Step {
        side,
        op,
        record,
        expected: entry.and_then(digest_of),
        changed,
        base: then.base,
        kept: then.kept,
    }
}

fn differing(a: Record<'_>, b: Record<'_>) -> Vec<usize> {
    let mut scratch = Vec::new();
    let mut digest = |value| field_digest(value, &mut scratch);
    let pairs = a.values().zip(b.values()).enumerate();
    pairs
        .filter(|(_, (a, b))| digest(*a) != digest(*b))
        .map(|(field, _)| field)
        .collect()
}

pub(super) fn held<'h>(digested: &'h (Digest, Vec<FieldDigest>)) -> Held<'h> {
    Held {
        digest: digested.0,
        fields: &digested.1,
        version: None,
    }
}
