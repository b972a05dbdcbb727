//! Conflict rules as expressions: CEL, the language of Kubernetes' and Envoy's rules, behind one type.
//!
//! A whole record's expression names a side (`source.version > target.version ? "source" : "target"`); a field's makes
//! the field's value (`source_value + " / " + target_value`). Invariant: what is wrong with the text is said at plan
//! time, with line and column; what goes wrong with a record's values leaves the conflict open, with a reason that shows
//! no value. No rule of the language may pick a side by accident, so values that CEL has no type for (exact decimals,
//! dates and times, UUIDs) are types of their own that compare exactly or not at all; see [`exact`].
//!
//! | field's type | in the expression | what it compares with |
//! |---|---|---|
//! | bool, int, float, text, bytes | `bool`, `int`, `double`, `string`, `bytes` | as in CEL |
//! | decimal | `decimal`, all its digits | decimals, numbers, text that spells one |
//! | date, time, timestamp, instant | their own types | their like, and ISO text; no zone is assumed |
//! | uuid | `uuid` | UUIDs, and text in any spelling |
//! | json | maps, lists and scalars, where doubles hold all its numbers; else it stays open | as in CEL |
//! | NULL | `null` | null |
//!
//! `manual()` leaves a conflict open on purpose; `decimal(x)`, `date(x)`, `time(x)`, `timestamp(x)` and `uuid(x)` make
//! values of those types. Comparing what can never be equal (a number field and a text) is a mistake, found at plan time.
//!
//! Work is bounded before it starts: the text's length and nesting, the size of the values it reads, and no loop within
//! a loop. There is no clock, no randomness, no regular expression, and a map is walked in the order of its keys: the
//! same records give the same answer on every machine. It deliberately knows no base values and writes nothing.

use crate::expression::{self, CALLERS_DEPTH_MAX, INTERPRETER_STACK_BYTES, Names, Used, check};
use crate::expression::{convert, functions, on_stack};
use cel::common::ast::IdedExpr;
use cel::common::types::{CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;
use cel::{Context, Value as CelValue};
use std::collections::HashMap;
use trueup_core::batch::{Batch, Record};
use trueup_core::error::{Error, Result};
use trueup_core::policy::Answer;
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;
use trueup_core::value::Value;

pub(crate) use crate::expression::Shape;

#[cfg(test)]
mod tests;

/// An expression, checked.
#[derive(Debug)]
pub(crate) struct Expression {
    tree: IdedExpr,
    names: Vec<String>,
    key: Vec<usize>,
    of: Option<(usize, Type)>,
    used: Used,
}

/// What an expression said about one conflict.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// This side wins.
    Side(Side),
    /// This value wins: one record of one field, already cast to the field's type.
    Value(Batch),
    /// It did not decide: because it says so, or for the reason given, which shows no value.
    Open(Option<String>),
}

impl Verdict {
    /// Returns the verdict as the decision takes it.
    pub(crate) fn answer(&self) -> Answer<'_> {
        match self {
            Self::Side(side) => Answer::Side(*side),
            Self::Value(value) if value.len() == 1 => Answer::Value(value.record(0).value(0)),
            Self::Value(_) | Self::Open(_) => Answer::Open,
        }
    }

    /// Returns why it stays open, where the expression did not just say so.
    pub(crate) fn note(&self) -> Option<&str> {
        match self {
            Self::Open(note) => note.as_deref(),
            Self::Side(_) | Self::Value(_) => None,
        }
    }

    fn open(note: impl Into<String>) -> Self {
        Self::Open(Some(note.into()))
    }
}

impl Expression {
    /// Checks an expression for records of `shape`: for field `of`, or for whole records. Called when a link is planned.
    ///
    /// # Errors
    /// `Config`, with line, column and the text, when it is too long, nests too deep, or is not CEL, and when it names a
    /// variable, a field or a function that does not exist.
    pub(crate) fn compile(text: &str, shape: &Shape<'_>, of: Option<usize>) -> Result<Self> {
        let of = of.map(|field| {
            let ty = shape.types.get(field).copied();
            ty.map(|ty| (field, ty))
                .ok_or_else(|| Error::bug(format!("no such field: field={field}")))
        });
        let of = of.transpose()?;
        let names = Names::Conflict(*shape, of.map(|(field, _)| field));
        let (tree, used, _) = expression::parse(text, names)?;
        Ok(Self {
            tree,
            names: shape.names.iter().map(|&name| name.to_owned()).collect(),
            key: shape.key.to_vec(),
            of,
            used,
        })
    }

    /// Asks the expression about one key. `records` are in the order of the shape, `None` where a side has none, and the
    /// sides are the user's: `source` is what the expression calls so.
    pub(crate) fn evaluate(&self, records: &Sides<Option<Record<'_>>>) -> Verdict {
        if let Err(reason) = self.admit(records) {
            return Verdict::open(reason);
        }
        if self.used.depth <= CALLERS_DEPTH_MAX {
            return self.interpret(records);
        }
        on_stack(INTERPRETER_STACK_BYTES, || self.interpret(records))
            .unwrap_or_else(|error| Verdict::open(error.message()))
    }

    fn interpret(&self, records: &Sides<Option<Record<'_>>>) -> Verdict {
        let context = match self.context(records) {
            Ok(context) => context,
            Err(reason) => return Verdict::open(reason),
        };
        let value = match CelValue::resolve_val(&self.tree, &context) {
            Ok(value) => value,
            Err(error) => return Verdict::Open(functions::reason(&error)),
        };
        let Some((_, ty)) = self.of else {
            return side(value.as_ref());
        };
        let mut batch = Batch::new(1);
        match convert::push(value.as_ref(), ty, &mut batch) {
            Ok(()) => Verdict::Value(batch),
            Err(reason) => Verdict::open(format!("the result does not fit: {reason}")),
        }
    }

    /// Refuses values that would make the work unbounded, before any of it is done.
    fn admit(&self, records: &Sides<Option<Record<'_>>>) -> Result<(), String> {
        let (mut all, mut json) = (0_usize, 0_usize);
        for side in Side::BOTH {
            let Some(record) = records[side] else {
                continue;
            };
            if record.width() != self.names.len() {
                return Err("the record is of another shape".to_owned());
            }
            for field in self.fields(side) {
                let bytes = convert::weight(record.value(field));
                all = all.saturating_add(bytes);
                if matches!(record.value(field), Value::Json(_)) {
                    json = json.saturating_add(bytes);
                }
            }
        }
        expression::admit(all, json, self.used.loops)
    }

    /// The fields of `side` that the expression reads.
    fn fields(&self, side: Side) -> impl Iterator<Item = usize> {
        (0..self.names.len()).filter(move |&field| {
            self.used.reads(side, field)
                || (self.used.value[side] && self.of.is_some_and(|(of, _)| of == field))
                || (self.used.key && self.key.contains(&field))
        })
    }

    fn context<'v>(&self, records: &Sides<Option<Record<'v>>>) -> Result<Context<'v, 'v>, String> {
        let mut context = Context::with_env(functions::environment());
        let read = |record: Record<'v>, field: usize| {
            convert::value(record.value(field)).map_err(|reason| {
                // The field's name is configuration; the value stays unseen.
                let name = self.names.get(field).map_or("", String::as_str);
                format!("{reason}: field={name}")
            })
        };
        for side in Side::BOTH {
            let map = match records[side] {
                None => None,
                Some(record) => {
                    let fields =
                        (0..self.names.len()).filter(|&field| self.used.reads(side, field));
                    Some(self.map(record, fields, &read)?)
                }
            };
            let map = map.unwrap_or_else(|| Box::new(CelNull));
            context.add_variable_as_val(side.name(), map);
            if let (true, Some((field, _))) = (self.used.value[side], self.of) {
                let value: Box<dyn Val + 'v> = match records[side] {
                    None => Box::new(CelNull),
                    Some(record) => read(record, field)?,
                };
                context.add_variable_as_val(check::value_variable(side), value);
            }
        }
        let either = records.source.or(records.target);
        if let (true, Some(record)) = (self.used.key, either) {
            let key = self.map(record, self.key.iter().copied(), &read)?;
            context.add_variable_as_val(check::KEY, key);
        }
        Ok(context)
    }

    fn map<'v>(
        &self,
        record: Record<'v>,
        fields: impl Iterator<Item = usize>,
        read: &impl Fn(Record<'v>, usize) -> Result<Box<dyn Val + 'v>, String>,
    ) -> Result<Box<dyn Val + 'v>, String> {
        let mut map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
        for field in fields {
            let name = self.names.get(field).cloned().unwrap_or_default();
            map.insert(CelMapKey::from(name), read(record, field)?);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}

/// Reads the result of a whole record's expression.
fn side(value: &dyn Val) -> Verdict {
    if value.downcast_ref::<CelNull>().is_some() {
        return Verdict::Open(None);
    }
    match value.downcast_ref::<CelString<'_>>().map(CelString::inner) {
        Some("source") => Verdict::Side(Side::Source),
        Some("target") => Verdict::Side(Side::Target),
        Some("manual") => Verdict::Open(None),
        Some(_) => Verdict::open("the result is text, but not source, target or manual"),
        None => Verdict::open(format!(
            "the result is not source, target or manual: class={}",
            value.get_type().name()
        )),
    }
}
