//! Asks the shipped [`reconcile`], in the model's terms.
//!
//! Answers are remembered: the function is pure, and the same few thousand situations are met millions of times.

use super::lineage::Mask;
use super::world::Rec;
use crate::base::{Base, FieldDigest, Held, Present};
use crate::batch::Batch;
use crate::conflict::ConflictKind;
use crate::digest::Digest;
use crate::encode;
use crate::endpoint::Version;
use crate::observation::{Fields, Observation, Reason, Seen, Stamp, field_digests};
use crate::policy::{Answer, Answers, Rules};
use crate::reconcile::{BaseMove, Decision, Wait, Write, reconcile};
use crate::side::{Side, Sides};
use crate::value::Value;
use std::collections::BTreeMap;

/// How a set of writes is spelled as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Numbers,
    Sets,
}

/// What the state store remembers of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    #[default]
    Unknown,
    Absent,
    Present(Rec),
}

/// What is seen on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Everything.
    At(Rec),
    /// The version only, which is the base's; the record is there to be read.
    Cheap(Rec),
    /// It is hidden by the filter.
    Hidden,
}

/// A decision without borrows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) write: Sides<bool>,
    /// What each side holds afterwards.
    pub(super) after: Sides<Rec>,
    pub(super) base: BaseMove,
    /// Whose record is kept under a fresh key.
    pub(super) copy: Option<Side>,
    /// What met what, in which fields, and whether it stays open.
    pub(super) conflict: Option<(ConflictKind, [bool; 2], bool)>,
    pub(super) waits: bool,
}

/// The rules, and what they said so far.
pub(super) struct Decider {
    rules: Rules,
    values: Values,
    answers: BTreeMap<u64, Plan>,
}

impl Decider {
    pub(super) fn new(rules: Rules, values: Values) -> Self {
        Self {
            rules,
            values,
            answers: BTreeMap::new(),
        }
    }

    /// Decides.
    pub(super) fn ask(&mut self, base: Known, look: Sides<Look>) -> Plan {
        let key = key(base, look);
        if let Some(plan) = self.answers.get(&key) {
            return *plan;
        }
        let plan = self.reconcile(base, look);
        self.answers.insert(key, plan);
        plan
    }

    fn reconcile(&self, base: Known, mut look: Sides<Look>) -> Plan {
        let base = self.base(base);
        loop {
            let rows = look.map(|look| self.row(look));
            let version = Sides::by(|side| match look[side] {
                Look::Cheap(_) => base.present().and_then(|present| present.version(side)),
                Look::At(_) | Look::Hidden => None,
            });
            let seen = Sides::by(|side| match (&rows[side], look[side]) {
                (_, Look::Hidden) => Observation::Unknown(Reason::Filtered),
                (None, Look::At(_) | Look::Cheap(_)) => Observation::Absent,
                (Some(row), Look::At(_)) => Observation::Present(row.seen()),
                (Some(_), Look::Cheap(_)) => Observation::Present(Seen {
                    version: version[side],
                    ..Seen::default()
                }),
            });
            // What a merge program would say: both values, as one.
            let merged = merged(&look);
            let answers = Answers {
                record: None,
                fields: &merged,
            };
            let decision = reconcile(&base, &seen, &self.rules, &answers);
            match (decision.wait, look) {
                (Some(Wait::Read(side)), Sides { .. }) if let Look::Cheap(rec) = look[side] => {
                    look[side] = Look::At(rec);
                }
                _ => return self.plan(&decision, &seen, look),
            }
        }
    }

    fn base(&self, base: Known) -> Base {
        let rec = match base {
            Known::Unknown => return Base::Unknown,
            Known::Absent => return Base::Absent,
            Known::Present(rec) => rec,
        };
        let row = self.row(Look::At(rec)).unwrap();
        let held = || Held {
            digest: row.digest,
            fields: &row.digests,
            version: Some(Version([1].into())),
        };
        Base::Present(Present::new(Sides::new(held(), held()), 1))
    }

    fn row(&self, look: Look) -> Option<Row> {
        let (Look::At(rec) | Look::Cheap(rec)) = look else {
            return None;
        };
        if rec.is_absent() {
            return None;
        }
        let mut batch = Batch::new(2);
        for mask in rec.0 {
            match self.values {
                Values::Numbers => batch.push(Value::Int(mask.into())),
                Values::Sets => {
                    let bits = (0..8).filter(|bit| mask & (1_u8 << bit) != 0);
                    let texts: Vec<String> = bits.map(|bit| bit.to_string()).collect();
                    batch.push(Value::Json(&format!("[{}]", texts.join(","))));
                }
            }
        }
        let (mut scratch, mut digests) = (Vec::new(), Vec::new());
        field_digests(batch.record(0), None, &mut scratch, &mut digests).unwrap();
        let digest = encode::digest(batch.record(0), &mut scratch);
        let time = i64::from(rec.0[0].max(rec.0[1]).ilog2());
        Some(Row {
            batch,
            digests,
            digest,
            stamp: Stamp { time, writer: 0 },
        })
    }

    fn plan(
        &self,
        decision: &Decision<'_>,
        seen: &Sides<Observation<'_>>,
        look: Sides<Look>,
    ) -> Plan {
        let after = Sides::by(|side| match (decision.write[side], look[side]) {
            (Write::Nothing, Look::At(rec) | Look::Cheap(rec)) => rec,
            (Write::Nothing, Look::Hidden) | (Write::Delete, _) => Rec::ABSENT,
            (Write::Insert | Write::Update, _) => {
                Rec([0, 1].map(|field| self.mask(decision.value(side, field, seen).unwrap())))
            }
        });
        let conflict = decision.conflict.as_ref().map(|ruling| {
            let told = [0, 1].map(|field| ruling.fields.iter().any(|told| told.field == field));
            (ruling.kind, told, ruling.is_open())
        });
        assert_eq!(
            decision.wait.is_some(),
            Side::BOTH.iter().any(|&side| look[side] == Look::Hidden)
        );
        Plan {
            write: decision.write.map(|write| write != Write::Nothing),
            after,
            base: decision.base,
            copy: decision.copy,
            conflict,
            waits: decision.wait.is_some(),
        }
    }

    fn mask(&self, value: Value<'_>) -> Mask {
        match (self.values, value) {
            (Values::Numbers, Value::Int(mask)) => Mask::try_from(mask).unwrap(),
            (Values::Sets, Value::Json(text)) => {
                let bits: Vec<u8> = serde_json::from_str(text).unwrap();
                bits.into_iter().fold(0, |mask, bit| mask | 1 << bit)
            }
            (_, other) => panic!("no such value in this model: {}", other.class()),
        }
    }
}

struct Row {
    batch: Batch,
    digests: Vec<FieldDigest>,
    digest: Digest,
    stamp: Stamp,
}

impl Row {
    fn seen(&self) -> Seen<'_> {
        Seen {
            digest: Some(self.digest),
            fields: Some(Fields::new(self.batch.record(0), &self.digests).unwrap()),
            stamp: Some(self.stamp),
            ..Seen::default()
        }
    }
}

fn merged(look: &Sides<Look>) -> Vec<(usize, Answer<'static>)> {
    match (look.source, look.target) {
        (Look::At(source), Look::At(target)) => [0, 1]
            .map(|field| {
                let both = source.0[field] | target.0[field];
                (field, Answer::Value(Value::Int(both.into())))
            })
            .into(),
        _ => Vec::new(),
    }
}

/// Packs a situation into a number.
fn key(base: Known, look: Sides<Look>) -> u64 {
    let rec = |rec: Rec| u64::from(rec.0[0]) | u64::from(rec.0[1]) << 8;
    let side = |look: Look| match look {
        Look::At(at) => rec(at),
        Look::Cheap(at) => 1 << 16 | rec(at),
        Look::Hidden => 2 << 16,
    };
    let base = match base {
        Known::Unknown => 0,
        Known::Absent => 1 << 16,
        Known::Present(present) => 2 << 16 | rec(present),
    };
    base << 40 | side(look.source) << 20 | side(look.target)
}
