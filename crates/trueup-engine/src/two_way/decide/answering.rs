//! Carries out what people decided.

use super::super::answer::{Answered, Waiting};
use super::super::kept::Agreed;
use super::super::work::Work;
use super::making::{held, step};
use super::{Decider, Found, digest_of};
use trueup_core::Result;
use trueup_core::base::{Base, Present};
use trueup_core::endpoint::Op;
use trueup_core::observation::Observation;
use trueup_core::side::{Side, Sides};

impl Decider<'_> {
    /// Carries out what a person decided, if the conflict is still the one that the person saw.
    pub(super) fn answer(
        &mut self,
        key: &[u8],
        found: &Found<'_>,
        seen: &Sides<Observation<'_>>,
        waiting: &Waiting,
    ) -> Result<bool> {
        let digests = found.as_ref().map(|entry| entry.and_then(digest_of));
        let unknown = Side::BOTH
            .into_iter()
            .any(|side| found[side].is_some() && digests[side].is_none());
        if unknown {
            return Ok(false);
        }
        let wanted = waiting.wanted.as_ref();
        let wanted = wanted.map(|record| self.digested(record.record(0)));
        let goal = wanted.as_ref().map(|(digest, _)| *digest);
        let told = Side::BOTH
            .into_iter()
            .all(|side| digests[side] == goal || digests[side] == waiting.expected[side]);
        if !told {
            self.answered.push((waiting.id, Answered::changed()));
            return Ok(false);
        }
        let write = digests.map(|digest| digest != goal);
        if !write.source && !write.target {
            self.answered
                .push((waiting.id, Answered::Done(goal, waiting.wanted.clone())));
            return Ok(false);
        }
        let result = match &wanted {
            Some(wanted) => {
                let holds = Sides::new(held(wanted), held(wanted));
                let record = waiting.wanted.as_ref().map(|record| record.record(0));
                let present = Present::new(holds, self.before.batch);
                Agreed::on(present, record, self.keeps())
            }
            None => Agreed::bare(Base::Absent),
        };
        let step = |side: Side, base: Agreed| {
            let op = match (digests[side], goal) {
                (_, None) => Op::Delete,
                (None, Some(_)) => Op::Insert,
                (Some(_), Some(_)) => Op::Update,
            };
            step(side, op, waiting.wanted.as_ref(), found[side], base)
        };
        let (step, then) = if write.source && write.target {
            let between = self.between(Side::Target, found, seen);
            (
                step(Side::Source, between),
                Some(step(Side::Target, result)),
            )
        } else if write.source {
            (step(Side::Source, result), None)
        } else {
            (step(Side::Target, result), None)
        };
        self.push(&Work {
            key: key.to_vec(),
            step,
            copy: None,
            then,
            conflict: None,
            answers: Some(waiting.id),
            closes: false,
        })?;
        Ok(true)
    }
}
