//! Two sides and a base with owned values: what a decision is made of, and carried out on.

use crate::base::{Base, FieldDigest, Held, Present};
use crate::batch::Batch;
use crate::digest::Digest;
use crate::encode;
use crate::endpoint::Version;
use crate::observation::{Fields, Observation, Reason, Seen, Stamp, Total, field_digests};
use crate::policy::{Answers, Rules};
use crate::reconcile::{BaseMove, Decision, Write, reconcile};
use crate::side::{Side, Sides};
use crate::value::Value;

/// An owned value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Val {
    Null,
    Unchanged,
    Int(i64),
    Decimal(String),
    Text(String),
    Json(String),
}

impl Val {
    pub(super) fn view(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Unchanged => Value::Unchanged,
            Self::Int(v) => Value::Int(*v),
            Self::Decimal(v) => Value::Decimal(v),
            Self::Text(v) => Value::Text(v),
            Self::Json(v) => Value::Json(v),
        }
    }

    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Unchanged => Self::Unchanged,
            Value::Int(v) => Self::Int(v),
            Value::Decimal(v) => Self::Decimal(v.into()),
            Value::Text(v) => Self::Text(v.into()),
            Value::Json(v) => Self::Json(v.into()),
            other => panic!("no such value in these tests: {}", other.class()),
        }
    }
}

pub(super) type Rec = Vec<Val>;

/// What the base remembers: each side's own spelling.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Memory {
    Unknown,
    Absent,
    Present(Sides<Rec>),
}

/// What one side shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Look {
    Unknown,
    Absent,
    Is(Rec),
    /// Its version is the base's, and nothing else was looked at.
    Unread,
}

/// One key in one situation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct World {
    pub(super) base: Memory,
    pub(super) look: Sides<Look>,
    pub(super) stamp: Sides<Option<Stamp>>,
    pub(super) totals: Sides<Vec<(usize, Total)>>,
}

/// A record with what is computed from it.
struct Row {
    batch: Batch,
    digests: Vec<FieldDigest>,
    digest: Option<Digest>,
    version: Version,
}

impl Row {
    fn new(rec: &Rec, base: Option<&[FieldDigest]>) -> Option<Self> {
        let mut batch = Batch::new(rec.len());
        rec.iter().for_each(|val| batch.push(val.view()));
        let (mut scratch, mut digests) = (Vec::new(), Vec::new());
        field_digests(batch.record(0), base, &mut scratch, &mut digests).ok()?;
        let digest = encode::digest(batch.record(0), &mut scratch);
        let version = Version(digest.0.to_be_bytes().into());
        let digest = (!rec.contains(&Val::Unchanged)).then_some(digest);
        Some(Self {
            batch,
            digests,
            digest,
            version,
        })
    }
}

impl World {
    pub(super) fn new(base: Memory, source: Look, target: Look) -> Self {
        Self {
            base,
            look: Sides::new(source, target),
            stamp: Sides::default(),
            totals: Sides::default(),
        }
    }

    pub(super) fn swapped(&self) -> Self {
        let base = match &self.base {
            Memory::Present(recs) => Memory::Present(recs.clone().swapped()),
            other => other.clone(),
        };
        Self {
            base,
            look: self.look.clone().swapped(),
            stamp: self.stamp.swapped(),
            totals: self.totals.clone().swapped(),
        }
    }

    /// The record on `side`, where there is one and its content is known.
    pub(super) fn rec(&self, side: Side) -> Option<&Rec> {
        match (&self.look[side], &self.base) {
            (Look::Is(rec), _) => Some(rec),
            (Look::Unread, Memory::Present(recs)) => Some(&recs[side]),
            _ => None,
        }
    }

    pub(super) fn base(&self) -> Base {
        let Memory::Present(recs) = &self.base else {
            return if self.base == Memory::Absent {
                Base::Absent
            } else {
                Base::Unknown
            };
        };
        let rows = recs.as_ref().map(|rec| Row::new(rec, None).unwrap());
        let held = rows.as_ref().map(|row| Held {
            digest: row.digest.unwrap(),
            fields: &row.digests,
            version: Some(row.version.clone()),
        });
        Base::Present(Present::new(held, 1))
    }

    /// Decides, and shows the decision with what it was made of.
    pub(super) fn decide<R>(
        &self,
        rules: &Rules,
        answers: &Answers<'_>,
        show: impl FnOnce(&Decision<'_>, &Sides<Observation<'_>>) -> R,
    ) -> R {
        let base = self.base();
        let row = |side: Side| match &self.look[side] {
            Look::Is(rec) => Row::new(rec, base.present().map(|present| present.fields(side))),
            _ => None,
        };
        let rows = Sides::by(row);
        let seen = Sides::by(|side| match (&self.look[side], &rows[side]) {
            (Look::Absent, _) => Observation::Absent,
            (Look::Is(_), Some(row)) => Observation::Present(Seen {
                version: Some(&row.version),
                digest: row.digest,
                fields: Some(Fields::new(row.batch.record(0), &row.digests).unwrap()),
                stamp: self.stamp[side],
                totals: &self.totals[side],
            }),
            (Look::Unread, _) => Observation::Present(Seen {
                version: base.present().and_then(|present| present.version(side)),
                totals: &self.totals[side],
                ..Seen::default()
            }),
            // A value that did not travel, and no base to stand for it.
            (Look::Is(_), None) | (Look::Unknown, _) => Observation::Unknown(Reason::Failed),
        });
        show(&reconcile(&base, &seen, rules, answers), &seen)
    }

    /// Carries a decision out on `sides`; the base moves as `base` says.
    pub(super) fn after(
        &self,
        decision: &Decision<'_>,
        seen: &Sides<Observation<'_>>,
        sides: &[Side],
        base: BaseMove,
    ) -> Self {
        let mut next = self.clone();
        for &side in sides {
            match decision.write[side] {
                Write::Nothing => {}
                Write::Delete => next.look[side] = Look::Absent,
                Write::Insert | Write::Update => {
                    let width = self
                        .rec(Side::Source)
                        .or(self.rec(Side::Target))
                        .unwrap()
                        .len();
                    let value = |field| match Val::of(decision.value(side, field, seen).unwrap()) {
                        Val::Unchanged => self.rec(side).unwrap()[field].clone(),
                        val => val,
                    };
                    next.look[side] = Look::Is((0..width).map(value).collect());
                }
            }
            for (field, totals) in &decision.totals {
                next.totals[side].retain(|(index, _)| index != field);
                next.totals[side].push((*field, totals[side]));
            }
        }
        // A value that did not travel is what the base says.
        let held = |side: Side| {
            let mut rec = next.rec(side).unwrap().clone();
            for (field, val) in rec.iter_mut().enumerate() {
                if let (Val::Unchanged, Memory::Present(recs)) = (&*val, &self.base) {
                    *val = recs[side][field].clone();
                }
            }
            rec
        };
        next.base = match base {
            BaseMove::Keep => next.base,
            BaseMove::Absent => Memory::Absent,
            BaseMove::Agreed => Memory::Present(Sides::by(held)),
            BaseMove::Observed(from) => {
                let rec = self.rec(from).unwrap().clone();
                Memory::Present(Sides::new(rec.clone(), rec))
            }
        };
        next
    }
}
