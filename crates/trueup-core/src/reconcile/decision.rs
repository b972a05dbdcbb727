//! What [`reconcile`](super::reconcile) says, as data.
//!
//! A decision borrows from the observations it was made of and is carried out before they are dropped. It holds
//! indices and picks, not a copied record; nothing is allocated unless fields are merged or a conflict is named.

use crate::base::FieldDigest;
use crate::conflict::Ruling;
use crate::observation::{Fields, Observation, Total};
use crate::side::{Side, Sides};
use crate::value::Value;

/// What to do about one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'a> {
    /// What to write on each side.
    pub write: Sides<Write>,
    /// What the written sides will hold.
    pub content: Content<'a>,
    /// Before anything is overwritten, insert this side's record, as it was observed, under a fresh key (keep-both).
    pub copy: Option<Side>,
    /// The totals that both sides must hold afterwards for these counter fields, each written in the same transaction
    /// as the field; empty where nothing changes.
    pub totals: Vec<(usize, Sides<Total>)>,
    /// What becomes of the base, once the writes have their outcomes.
    pub base: BaseMove,
    /// What to put on record before anything is written.
    pub conflict: Option<Ruling>,
    /// Why there is no decision yet; then everything else is nothing.
    pub wait: Option<Wait>,
}

/// What to write on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Write {
    /// Nothing.
    #[default]
    Nothing,
    /// The record is missing there.
    Insert,
    /// The record there is replaced, expecting it as it was observed.
    Update,
    /// The record there is removed, expecting it as it was observed.
    Delete,
}

/// The record that a decision leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Content<'a> {
    /// None: nothing is inserted or updated.
    #[default]
    Nothing,
    /// The whole record as it was observed on this side.
    Of(Side),
    /// Picked field by field.
    Fields(Vec<Pick<'a>>),
}

/// Where one field's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Pick<'a> {
    /// The sides agree: each keeps what it has.
    Same,
    /// From this side.
    Side(Side),
    /// A value that the caller supplied.
    Given(Value<'a>),
    /// A counter's sum.
    Sum(i64),
    /// A union of two sets, as canonical JSON.
    Union(String),
}

impl Pick<'_> {
    /// Returns the value when it is not a side's own.
    pub fn value(&self) -> Option<Value<'_>> {
        match self {
            Self::Same | Self::Side(_) => None,
            Self::Given(value) => Some(*value),
            Self::Sum(value) => Some(Value::Int(*value)),
            Self::Union(text) => Some(Value::Json(text)),
        }
    }

    /// Tells whether `side` already holds the picked value.
    pub fn held_by(&self, side: Side) -> bool {
        match self {
            Self::Same => true,
            Self::Side(from) => *from == side,
            Self::Given(_) | Self::Sum(_) | Self::Union(_) => false,
        }
    }
}

/// What becomes of the base entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BaseMove {
    /// Nothing.
    #[default]
    Keep,
    /// There is no such record any more.
    Absent,
    /// What each side holds after the writes: where it was written, what the outcome or a second look says; where it
    /// was not, what was observed.
    Agreed,
    /// For both sides what was observed on this one (between the two steps of a decision that writes both).
    Observed(Side),
}

/// Why there is no decision yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Nobody knows what this side holds. Observe it again, some time.
    Unknown(Side),
    /// This side's whole record is needed. Read it and decide again.
    Read(Side),
}

impl<'a> Decision<'a> {
    /// Does nothing at all.
    pub fn nothing() -> Self {
        Self {
            write: Sides::default(),
            content: Content::Nothing,
            copy: None,
            totals: Vec::new(),
            base: BaseMove::Keep,
            conflict: None,
            wait: None,
        }
    }

    pub(super) fn moving(base: BaseMove) -> Self {
        Self {
            base,
            ..Self::nothing()
        }
    }

    pub(super) fn waiting(wait: Wait) -> Self {
        Self {
            wait: Some(wait),
            ..Self::nothing()
        }
    }

    /// Writes `side`'s record as it is to the other side.
    pub(super) fn carry(side: Side, write: Write) -> Self {
        Self {
            write: Sides::at(side, Write::Nothing, write),
            content: Content::Of(side),
            base: BaseMove::Agreed,
            ..Self::nothing()
        }
    }

    /// Deletes `side`'s record.
    pub(super) fn delete(side: Side) -> Self {
        Self {
            write: Sides::at(side, Write::Delete, Write::Nothing),
            base: BaseMove::Absent,
            ..Self::nothing()
        }
    }

    /// Tells whether anything is to be written to an endpoint.
    pub fn writes(&self) -> bool {
        self.write != Sides::default() || self.copy.is_some() || !self.totals.is_empty()
    }

    /// Tells whether both sides are written. Such a decision takes two steps, in either order of sides: write the
    /// first; once that is durable, set the base to [`Decision::base_between`]; write the second under its own
    /// condition; then move the base. A crash in between leaves a state in which the second side is unchanged
    /// since the base and the first is not, so that the same end is reached without a new conflict.
    pub fn two_step(&self) -> bool {
        self.write.source != Write::Nothing && self.write.target != Write::Nothing
    }

    /// Returns what the base is set to when `first` is written and the other side is not yet: the other's old value.
    pub fn base_between(first: Side) -> BaseMove {
        BaseMove::Observed(first.other())
    }

    /// Returns the value that field `field` of the record on `side` has after the decision, of the observations it was
    /// made of. `None` when there is no such record or field.
    pub fn value<'b>(
        &'b self,
        side: Side,
        field: usize,
        seen: &Sides<Observation<'b>>,
    ) -> Option<Value<'b>> {
        let from = match (&self.content, self.write[side]) {
            (_, Write::Delete) | (Content::Nothing, Write::Insert | Write::Update) => return None,
            (_, Write::Nothing) => side,
            (Content::Of(from), Write::Insert | Write::Update) => *from,
            (Content::Fields(picks), Write::Insert | Write::Update) => match picks.get(field)? {
                Pick::Same => side,
                Pick::Side(from) => *from,
                pick @ (Pick::Given(_) | Pick::Sum(_) | Pick::Union(_)) => return pick.value(),
            },
        };
        let fields = seen.fields(from)?;
        (field < fields.record().width()).then(|| fields.record().value(field))
    }

    /// Returns the same decision with the sides exchanged.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let pick = |pick: &Pick<'a>| match pick {
            Pick::Side(side) => Pick::Side(side.other()),
            Pick::Same | Pick::Given(_) | Pick::Sum(_) | Pick::Union(_) => pick.clone(),
        };
        Self {
            write: self.write.swapped(),
            content: match &self.content {
                Content::Nothing => Content::Nothing,
                Content::Of(side) => Content::Of(side.other()),
                Content::Fields(picks) => Content::Fields(picks.iter().map(pick).collect()),
            },
            copy: self.copy.map(Side::other),
            totals: self
                .totals
                .iter()
                .map(|(field, total)| (*field, total.swapped()))
                .collect(),
            base: match self.base {
                BaseMove::Observed(side) => BaseMove::Observed(side.other()),
                BaseMove::Keep | BaseMove::Absent | BaseMove::Agreed => self.base,
            },
            conflict: self.conflict.as_ref().map(Ruling::mirrored),
            wait: self.wait.map(|wait| match wait {
                Wait::Unknown(side) => Wait::Unknown(side.other()),
                Wait::Read(side) => Wait::Read(side.other()),
            }),
        }
    }
}

/// Both sides' content, for the rules that look at values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a>(pub(super) Sides<Fields<'a>>);

impl<'a> Pair<'a> {
    pub(super) fn values(&self, field: usize) -> Sides<Value<'a>> {
        self.0.map(|fields| fields.record().value(field))
    }

    pub(super) fn digests(&self, field: usize) -> Sides<FieldDigest> {
        self.0.map(|fields| fields.digests()[field])
    }
}
