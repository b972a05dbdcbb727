//! Expressions over one record: computed fields and filters.
//!
//! Fields are variables under the source's names (`first + " " + last`), and `record["odd name"]` where a name is no plain
//! word. Each value is first taken as the type that the source declares, as a mapping takes it. Invariant: the same
//! record gives the same value, or the same reason why there is none, wherever and whenever it is asked for; what needs
//! no interpreter ([`lower`](super::lower)) means the same without one.
//!
//! NULL: `==` and `!=` compare with it; anything else that needs a value and finds NULL makes the whole expression NULL,
//! unless `&&` or `||` is decided by its other operand. A filter that is NULL does not let the record pass.

use super::check::{Used, variable};
use super::kinds::{Kind, Kinds};
use super::{CALLERS_DEPTH_MAX, INTERPRETER_STACK_BYTES, Names};
use super::{admit, convert, functions, lower, on_stack, parse, show};
use cel::common::ast::IdedExpr;
use cel::common::types::{CelList, CelMap};
use cel::common::value::Val;
use cel::{Context, Value as CelValue};
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::cast;
use trueup_core::error::{Error, Result};
use trueup_core::filter::Filter;
use trueup_core::mapping::{Compute, Formula};
use trueup_core::schema::Schema;
use trueup_core::side::Side;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// An expression over one record, checked.
#[derive(Debug)]
pub(crate) struct RecordExpression {
    text: String,
    pub(super) tree: IdedExpr,
    fields: Vec<String>,
    /// In the order of `fields`.
    types: Vec<Type>,
    variables: Vec<String>,
    ty: Type,
    used: Used,
}

/// Checks the expression of a computed field over records of `source`.
///
/// # Errors
/// `Config`, with line, column and the text, when it is not one, or has a value for no record.
pub(crate) fn formula(text: &str, source: &Schema) -> Result<Formula> {
    let (expression, _) = RecordExpression::compile(text, source)?;
    if expression.fields.is_empty() {
        return constant(&expression);
    }
    let lowered = lower::formula(&expression);
    Ok(lowered.unwrap_or_else(|| Formula::Expression(Arc::new(expression))))
}

/// Checks a filter over records of `source`.
///
/// # Errors
/// As [`formula`], and when it is not true or false, or is the same for all records.
pub(crate) fn filter(text: &str, source: &Schema) -> Result<Filter> {
    let (expression, kind) = RecordExpression::compile(text, source)?;
    let wrong = |what: &str| show::wrong("expression", what, text, 0);
    if !matches!(kind, Kind::Bool | Kind::Any) {
        let kind = kind.name();
        return Err(wrong(&format!("a filter is true or false: kind={kind}"))
            .hint("compare it with something"));
    }
    if expression.fields.is_empty() {
        return Err(wrong("the filter reads no field").hint("it would say the same of all records"));
    }
    let lowered = lower::filter(&expression);
    Ok(lowered.unwrap_or_else(|| Filter::Expression(Arc::new(expression))))
}

/// What reads no field has one value, and it is known now.
fn constant(expression: &RecordExpression) -> Result<Formula> {
    let mut value = Batch::new(1);
    let compute = || expression.value(&|_| Value::Null, &mut value);
    let computed = on_stack(INTERPRETER_STACK_BYTES, compute)?;
    computed.map_err(|reason| {
        show::wrong("expression", &reason, &expression.text, 0)
            .hint("it reads no field, and so fails for all records")
    })?;
    let value = value.record(0).value(0);
    if value.is_null() {
        return Ok(Formula::Constant(None, Type::Any));
    }
    let mut text = String::new();
    if !trueup_core::text::write(value, &mut text) {
        return Err(Error::bug("a constant has no text"));
    }
    Ok(Formula::Constant(Some(text), expression.ty))
}

impl RecordExpression {
    pub(super) fn compile(text: &str, source: &Schema) -> Result<(Self, Kind)> {
        let fields = source.fields.iter();
        let names: Vec<&str> = fields.map(|field| field.name.as_str()).collect();
        let (tree, used, places) = parse(text, Names::Record(&names))?;
        let fields = source.fields.iter();
        let all: Vec<Kind> = fields.map(|field| Kind::of(field.ty)).collect();
        let kinds = Kinds {
            text,
            fields: &all,
            places: &|id| {
                let place = places.offset_for(id);
                place.map_or(0, |(start, _)| start as usize)
            },
        };
        let kind = kinds.of(&tree)?;
        let read: Vec<usize> = (0..names.len())
            .filter(|&field| used.reads(Side::Source, field))
            .collect();
        let expression = Self {
            text: text.to_owned(),
            tree,
            fields: read.iter().map(|&at| names[at].to_owned()).collect(),
            types: read.iter().map(|&at| source.fields[at].ty).collect(),
            variables: read.iter().map(|&at| variable(at)).collect(),
            ty: kind.ty(),
            used,
        };
        Ok((expression, kind))
    }

    /// Returns name and type of the field that a variable holds.
    pub(super) fn field(&self, variable: &str) -> Option<(&str, Type)> {
        let at = self.variables.iter().position(|known| known == variable)?;
        Some((self.fields[at].as_str(), self.types[at]))
    }

    /// Computes the value of a part that reads no field.
    pub(super) fn constant_part(part: &IdedExpr) -> Option<Batch> {
        let context = Context::with_env(functions::environment());
        let mut value = Batch::new(1);
        let computed = CelValue::resolve_val(part, &context).ok()?;
        push(computed.as_ref(), Type::Any, &mut value).ok()?;
        Some(value)
    }

    /// Takes the values as the declared types; `None` for those that are of them as they stand.
    fn held<'a>(&self, values: &dyn Fn(usize) -> Value<'a>) -> Result<Vec<Option<Batch>>, String> {
        let mut held = Vec::with_capacity(self.types.len());
        for (at, &ty) in self.types.iter().enumerate() {
            let value = values(at);
            if cast::fits(value, ty) {
                held.push(None);
                continue;
            }
            let mut batch = Batch::new(1);
            cast::push(value, ty, &mut batch)
                .map_err(|misfit| format!("field={}: {misfit} type={ty}", self.fields[at]))?;
            held.push(Some(batch));
        }
        Ok(held)
    }

    fn interpret(&self, context: &Context<'_, '_>, into: &mut Batch) -> Result<(), String> {
        match CelValue::resolve_val(&self.tree, context) {
            Ok(value) => push(value.as_ref(), self.ty, into)
                .map_err(|reason| format!("the expression's value does not fit: {reason}")),
            Err(error) if functions::met_null(&error) => {
                into.push(Value::Null);
                Ok(())
            }
            Err(error) => Err(functions::reason(&error).unwrap_or_default()),
        }
    }
}

/// Pushes an expression's value; lists and maps of no declared type are JSON.
fn push(value: &dyn Val, ty: Type, into: &mut Batch) -> Result<(), String> {
    let nested = value.downcast_ref::<CelList<'_>>().is_some()
        || value.downcast_ref::<CelMap<'_>>().is_some();
    let ty = if ty == Type::Any && nested {
        Type::Json
    } else {
        ty
    };
    convert::push(value, ty, into)
}

impl Compute for RecordExpression {
    fn text(&self) -> &str {
        &self.text
    }

    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn ty(&self) -> Type {
        self.ty
    }

    fn stack_bytes(&self) -> usize {
        if self.used.depth <= CALLERS_DEPTH_MAX {
            0
        } else {
            INTERPRETER_STACK_BYTES
        }
    }

    fn value<'a>(
        &self,
        values: &dyn Fn(usize) -> Value<'a>,
        into: &mut Batch,
    ) -> Result<(), String> {
        let held = self.held(values)?;
        let value_of = |at: usize| match held.get(at).and_then(Option::as_ref) {
            Some(batch) => batch.record(0).value(0),
            None => values(at),
        };
        let (mut all, mut json) = (0_usize, 0_usize);
        for at in 0..self.fields.len() {
            let value = value_of(at);
            let bytes = convert::weight(value);
            all = all.saturating_add(bytes);
            if matches!(value, Value::Json(_)) {
                json = json.saturating_add(bytes);
            }
        }
        admit(all, json, self.used.loops)?;
        let mut context = Context::with_env(functions::environment());
        for (at, variable) in self.variables.iter().enumerate() {
            let value = convert::value(value_of(at))
                .map_err(|reason| format!("{reason}: field={}", self.fields[at]))?;
            context.add_variable_as_val(variable.as_str(), value);
        }
        self.interpret(&context, into)
    }
}
