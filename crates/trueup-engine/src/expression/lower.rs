//! Finds expressions that need no interpreter: plain fields, casts, and comparisons of fields with constants.
//!
//! Most expressions are one of these, and run as fast as no expression at all. Invariant, held by a property test: what
//! is lowered means exactly what the interpreter makes of it, for every value a field may hold. So only pairs of types
//! stand here for which core's own cast or comparison is the one that the interpreter's functions use. The one
//! difference: what is not interpreted has no bound on the size of the values it looks at.

use super::record::RecordExpression;
use cel::common::ast::{CallExpr, Expr, IdedExpr, operators};
use trueup_core::batch::Batch;
use trueup_core::filter::{Compare, Filter, Term};
use trueup_core::mapping::{Compute, Formula};
use trueup_core::types::Type;
use trueup_core::value::Value;

/// Returns the formula that says the same without an interpreter, where there is one.
pub(super) fn formula(expression: &RecordExpression) -> Option<Formula> {
    let field = |name: &str, via: Vec<Type>| Formula::Field {
        name: name.to_owned(),
        via,
    };
    match &expression.tree.expr {
        Expr::Ident(variable) => {
            let (name, ty) = expression.field(variable)?;
            Some(field(name, vec![ty]))
        }
        Expr::Call(call) => {
            let [
                IdedExpr {
                    expr: Expr::Ident(variable),
                    ..
                },
            ] = call.args.as_slice()
            else {
                return None;
            };
            let (name, ty) = expression.field(variable)?;
            Some(field(name, vec![ty, cast(&call.func_name, ty)?]))
        }
        _ => None,
    }
}

/// Returns the type that a function casts a field of type `from` to, where it does nothing else.
fn cast(function: &str, from: Type) -> Option<Type> {
    if matches!(from, Type::Any | Type::Json) {
        return None;
    }
    let doubled = matches!(from, Type::Float { .. } | Type::Text { .. });
    Some(match function {
        "@int" => Type::INT,
        "@uint" => Type::Int {
            bits: 64,
            signed: false,
        },
        "@bool" => Type::Bool,
        "@string" if !matches!(from, Type::Bytes { .. }) => Type::TEXT,
        "@double" if doubled => Type::FLOAT,
        "decimal" => Type::DECIMAL,
        "date" => Type::Date,
        "time" => Type::Time,
        "uuid" => Type::Uuid,
        _ => return None,
    })
}

/// Returns the terms that say the same without an interpreter, where there are such.
pub(super) fn filter(expression: &RecordExpression) -> Option<Filter> {
    let mut found = Found::default();
    found.conjunction(expression, &expression.tree)?;
    // Where NaN meets a truth value that is NULL, the interpreter tells of the one that comes first.
    if found.truths && found.numbers {
        return None;
    }
    Some(Filter::Terms(expression.text().to_owned(), found.terms))
}

#[derive(Default)]
struct Found {
    terms: Vec<Term>,
    /// Whether a field is a term by itself.
    truths: bool,
    /// Whether a value can be a NaN.
    numbers: bool,
}

impl Found {
    fn conjunction(&mut self, expression: &RecordExpression, node: &IdedExpr) -> Option<()> {
        match &node.expr {
            Expr::Ident(variable) => self.truth(expression, variable, true),
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_AND, [left, right]) => {
                    self.conjunction(expression, left)?;
                    self.conjunction(expression, right)
                }
                (
                    operators::LOGICAL_NOT,
                    [
                        IdedExpr {
                            expr: Expr::Ident(variable),
                            ..
                        },
                    ],
                ) => self.truth(expression, variable, false),
                (name, [left, right]) => {
                    let compare = compare(name)?;
                    self.comparison(expression, left, compare, right)
                        .or_else(|| self.comparison(expression, right, turned(compare), left))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn truth(&mut self, expression: &RecordExpression, variable: &str, holds: bool) -> Option<()> {
        let (name, ty) = expression.field(variable)?;
        let is_bool = ty == Type::Bool;
        let term = Term::new(name, ty, Compare::Equal, Value::Bool(holds));
        self.terms.push(term.filter(|_| is_bool)?);
        self.truths = true;
        Some(())
    }

    fn comparison(
        &mut self,
        expression: &RecordExpression,
        field: &IdedExpr,
        compare: Compare,
        constant: &IdedExpr,
    ) -> Option<()> {
        let Expr::Ident(variable) = &field.expr else {
            return None;
        };
        let (name, ty) = expression.field(variable)?;
        let constant = constant_of(constant)?;
        let constant = constant.record(0).value(0);
        if !meet(ty, constant) {
            return None;
        }
        self.numbers |= matches!(ty, Type::Float { .. } | Type::Decimal { .. });
        self.terms.push(Term::new(name, ty, compare, constant)?);
        Some(())
    }
}

/// Tells whether a field's values are compared with a constant as values of the field's own type.
fn meet(ty: Type, constant: Value<'_>) -> bool {
    match constant {
        Value::Null => true,
        Value::Bool(_) => ty == Type::Bool,
        Value::Int(_) => matches!(
            ty,
            Type::Int { .. } | Type::Float { .. } | Type::Decimal { .. }
        ),
        Value::Float(_) => matches!(ty, Type::Float { .. } | Type::Decimal { .. }),
        Value::Decimal(_) => matches!(ty, Type::Decimal { .. }),
        Value::Text(_) => matches!(
            ty,
            Type::Text { .. }
                | Type::Decimal { .. }
                | Type::Date
                | Type::Time
                | Type::Timestamp
                | Type::Instant
                | Type::Uuid
        ),
        Value::Bytes(_) => matches!(ty, Type::Bytes { .. }),
        Value::Date(_) => matches!(ty, Type::Date | Type::Timestamp),
        Value::Time(_) => ty == Type::Time,
        Value::Timestamp(_) => ty == Type::Timestamp,
        Value::Instant(_) => ty == Type::Instant,
        Value::Uuid(_) => ty == Type::Uuid,
        Value::Unchanged | Value::InvalidText(_) | Value::Json(_) => false,
    }
}

/// Returns the value of a part that names nothing.
fn constant_of(node: &IdedExpr) -> Option<Batch> {
    fn names_nothing(node: &IdedExpr) -> bool {
        match &node.expr {
            Expr::Literal(_) => true,
            Expr::Call(CallExpr { target, args, .. }) => {
                target.is_none() && args.iter().all(names_nothing)
            }
            _ => false,
        }
    }
    if !names_nothing(node) {
        return None;
    }
    RecordExpression::constant_part(node)
}

fn compare(function: &str) -> Option<Compare> {
    Some(match function {
        "@equal" => Compare::Equal,
        "@differ" => Compare::NotEqual,
        "@less" => Compare::Less,
        "@less_or_equal" => Compare::AtMost,
        "@greater" => Compare::Greater,
        "@greater_or_equal" => Compare::AtLeast,
        _ => return None,
    })
}

/// The comparison with its operands changed.
fn turned(compare: Compare) -> Compare {
    match compare {
        Compare::Equal | Compare::NotEqual => compare,
        Compare::Less => Compare::Greater,
        Compare::AtMost => Compare::AtLeast,
        Compare::Greater => Compare::Less,
        Compare::AtLeast => Compare::AtMost,
    }
}
