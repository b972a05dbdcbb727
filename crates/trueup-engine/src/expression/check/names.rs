//! What an expression may name: both records of a conflict, or the fields of one record.

use super::Check;
use crate::expression::near::nearest;
use cel::common::ast::Expr;
use trueup_core::error::{Error, Result};
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;

/// The variable that holds the key of a conflict.
pub(crate) const KEY: &str = "key";
/// What a record is called where it is the only one.
const RECORD: &str = "record";

/// The shape of a conflict's records, as the expression sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    /// The fields' names as the user's source calls them.
    pub(crate) names: &'a [&'a str],
    /// The fields' types.
    pub(crate) types: &'a [Type],
    /// The key's fields, as indices.
    pub(crate) key: &'a [usize],
}

/// What an expression may name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names<'a> {
    /// The records of a conflict, and of the field it is for, where it is for one, both values.
    Conflict(Shape<'a>, Option<usize>),
    /// The fields of a record.
    Record(&'a [&'a str]),
}

impl Names<'_> {
    /// Returns what errors call the expression.
    pub(crate) fn subject(self) -> &'static str {
        match self {
            Names::Conflict(..) => "conflict expression",
            Names::Record(_) => "expression",
        }
    }

    /// Returns advice for whoever does not know how expressions are written.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Names::Conflict(..) => {
                "see the CEL language definition for how expressions are written; a name that is no plain word is \
                 written source[\"NAME\"]"
            }
            Names::Record(_) => {
                "see docs/guide/expressions.md for how expressions are written; a name that is no plain word is \
                 written record[\"NAME\"]"
            }
        }
    }

    /// Tells whether a loop's variable may not be called so.
    pub(super) fn take(self, name: &str) -> bool {
        match self {
            Names::Conflict(..) => Side::BOTH
                .iter()
                .any(|&side| name == side.name() || name == value_variable(side) || name == KEY),
            Names::Record(names) => name == RECORD || names.contains(&name),
        }
    }

    /// Tells whether a function makes sense here: only a conflict can be left to a person.
    pub(super) fn have_function(self, name: &str) -> bool {
        matches!(self, Names::Conflict(..)) || name != "manual"
    }

    fn fields(&self) -> &[&str] {
        match self {
            Names::Conflict(shape, _) => shape.names,
            Names::Record(names) => names,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Root {
    /// A record of a conflict.
    Record(Side),
    Key,
    /// The only record.
    Only,
}

/// Returns the variable that holds a field of the only record: no name that the user could write.
pub(crate) fn variable(field: usize) -> String {
    format!("@{field}")
}

/// Returns the variable that holds a side's value of the field.
pub(crate) fn value_variable(side: Side) -> &'static str {
    match side {
        Side::Source => "source_value",
        Side::Target => "target_value",
    }
}

/// What an expression reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    /// Fields of each side's record, as indices; of the only record, where there is one, under `source`.
    fields: Sides<Vec<usize>>,
    /// Whether it reads a record as a whole.
    whole: Sides<bool>,
    /// Whether it reads `source_value` and `target_value`.
    pub(crate) value: Sides<bool>,
    /// Whether it reads the key.
    pub(crate) key: bool,
    /// Whether there is a loop in it.
    pub(crate) loops: bool,
    /// How deep it nests.
    pub(crate) depth: usize,
}

impl Used {
    /// Tells whether `field` of the record of `side` is read.
    pub(crate) fn reads(&self, side: Side, field: usize) -> bool {
        self.whole[side] || self.fields[side].contains(&field)
    }
}

impl Check<'_> {
    /// Returns the record that an expression names, where it is just its name.
    pub(super) fn record(&self, expr: &Expr) -> Option<Root> {
        let Expr::Ident(name) = expr else { return None };
        if self.scope.contains(name) {
            return None;
        }
        match (self.names, name.as_str()) {
            (Names::Conflict(..), "source") => Some(Root::Record(Side::Source)),
            (Names::Conflict(..), "target") => Some(Root::Record(Side::Target)),
            (Names::Conflict(..), KEY) => Some(Root::Key),
            (Names::Record(_), RECORD) => Some(Root::Only),
            _ => None,
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.fields().iter().position(|&known| known == name)
    }

    /// Notes that a field is read; returns the variable that holds it, where one does.
    pub(super) fn read(&mut self, root: Root, name: &str, id: u64) -> Result<Option<String>> {
        let field = self.named(name);
        let of_key = |field: &usize| match self.names {
            Names::Conflict(shape, _) => shape.key.contains(field),
            Names::Record(_) => false,
        };
        match (root, field) {
            (Root::Record(side), Some(field)) => {
                self.used.fields[side].push(field);
                Ok(None)
            }
            (Root::Only, Some(field)) => Ok(Some(self.take(field))),
            (Root::Key, Some(field)) if of_key(&field) => {
                self.used.key = true;
                Ok(None)
            }
            (Root::Key, _) => {
                let names = self.names.fields().iter().enumerate();
                let names: Vec<&str> = names
                    .filter(|(field, _)| of_key(field))
                    .map(|(_, name)| *name)
                    .collect();
                let names = names.join(", ");
                let wrong = self.wrong(&format!("not a field of the key: field={name:?}"), id);
                Err(wrong.hint(format!("the key's fields are: {names}")))
            }
            (Root::Record(_) | Root::Only, None) => Err(self.no_such(name, id)),
        }
    }

    fn take(&mut self, field: usize) -> String {
        self.used.fields.source.push(field);
        variable(field)
    }

    fn no_such(&self, name: &str, id: u64) -> Error {
        let fields = self.names.fields();
        let meant = nearest(name, fields).map(|near| format!("did you mean {near}? "));
        let meant = meant.unwrap_or_default();
        let fields = fields.join(", ");
        self.wrong(&format!("no such field: field={name:?}"), id)
            .hint(format!(
                "{meant}fields are called as the source calls them: {fields}"
            ))
    }

    /// Every record has all its fields, so that asking for one is a mistake for asking whether it is NULL.
    pub(super) fn tests_a_field(&self, name: &str, id: u64) -> Error {
        self.wrong(&format!("every record has the field: field={name:?}"), id)
            .hint(format!(
                "write {name} != null, or has(...) for a member of JSON"
            ))
    }

    /// Checks a name that stands by itself; returns the variable that holds it, where that is another.
    pub(super) fn variable(&mut self, name: &str, id: u64) -> Result<Option<String>> {
        if self.scope.iter().any(|known| known == name) {
            return Ok(None);
        }
        match self.names {
            Names::Conflict(_, of) => self.conflict_variable(name, of, id).map(|()| None),
            Names::Record(_) => match self.named(name) {
                Some(field) => Ok(Some(self.take(field))),
                None if name == RECORD => Err(self
                    .wrong("a record is no value", id)
                    .hint("write record[\"NAME\"] for one of its fields")),
                None => Err(self.no_such(name, id)),
            },
        }
    }

    fn conflict_variable(&mut self, name: &str, of: Option<usize>, id: u64) -> Result<()> {
        for side in Side::BOTH {
            if name == side.name() {
                self.used.whole[side] = true;
                return Ok(());
            }
            if name == value_variable(side) {
                if of.is_none() {
                    let wrong =
                        format!("only the expression for a field has a value: variable={name}");
                    return Err(self
                        .wrong(&wrong, id)
                        .hint(format!("give the rule to one field, or write {side}.FIELD")));
                }
                self.used.value[side] = true;
                return Ok(());
            }
        }
        if name == KEY {
            self.used.key = true;
            return Ok(());
        }
        let values = if of.is_some() {
            ", source_value, target_value"
        } else {
            ""
        };
        Err(self
            .wrong(&format!("no such variable: variable={name}"), id)
            .hint(format!("the variables are: source, target, key{values}")))
    }
}
