//! Refuses comparisons that no record can make true.
//!
//! CEL says that a number and a text are just not equal. Between two fields, or a field and a literal, whose types are
//! known when the link is planned, that is a mistake, and the rule would pick the same side for ever.

use super::{Check, Names, value_variable};
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use trueup_core::error::Result;
use trueup_core::side::Side;
use trueup_core::types::Type;

const COMPARISONS: [&str; 6] = [
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
];

impl Check<'_> {
    /// Refuses what can never compare, such as a number and a text: `==` would be false for all records, and the rule
    /// would always pick the same side.
    pub(super) fn comparison(&self, call: &CallExpr, id: u64) -> Result<()> {
        let [left, right] = call.args.as_slice() else {
            return Ok(());
        };
        if !COMPARISONS.contains(&call.func_name.as_str()) {
            return Ok(());
        }
        match (self.class(&left.expr), self.class(&right.expr)) {
            (Some(left), Some(right)) if left != right => Err(self
                .wrong(&format!("never compare: classes={left},{right}"), id)
                .hint(
                    "make both of one class, for example with int(...), double(...) or string(...)",
                )),
            _ => Ok(()),
        }
    }

    /// Returns the class of a literal or of a field, where it is one that compares with its like only.
    fn class(&self, expr: &Expr) -> Option<&'static str> {
        // Of one record, all classes are worked out by `kinds`.
        let Names::Conflict(shape, of) = self.names else {
            return None;
        };
        let field = match expr {
            Expr::Literal(literal) => return literal_class(literal),
            Expr::Select(select) if !select.test => {
                self.record(&select.operand.expr)?;
                self.named(&select.field)
            }
            Expr::Call(call) if call.func_name == operators::INDEX => {
                self.record(&call.args.first()?.expr)?;
                match &call.args.get(1)?.expr {
                    Expr::Literal(LiteralValue::String(name)) => self.named(name.inner()),
                    _ => None,
                }
            }
            Expr::Ident(name) if !self.scope.contains(name) => {
                let value = Side::BOTH
                    .into_iter()
                    .any(|side| name == value_variable(side));
                of.filter(|_| value)
            }
            _ => None,
        };
        match shape.types.get(field?)? {
            Type::Bool => Some("bool"),
            Type::Int { .. } | Type::Float { .. } => Some("number"),
            Type::Text { .. } => Some("text"),
            Type::Bytes { .. } => Some("bytes"),
            _ => None,
        }
    }
}

fn literal_class(literal: &LiteralValue) -> Option<&'static str> {
    match literal {
        LiteralValue::Boolean(_) => Some("bool"),
        LiteralValue::Bytes(_) => Some("bytes"),
        LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Some("number"),
        LiteralValue::String(_) => Some("text"),
        LiteralValue::Null => None,
    }
}
