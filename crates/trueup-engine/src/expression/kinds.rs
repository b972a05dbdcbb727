//! Works out what kind of value an expression over one record gives, before there is a record.
//!
//! CEL checks types as it goes; a mapping is written once and runs over millions of records, so that a mistake is told
//! when the link is planned, with its place in the text. Invariant: what is refused here fails for every record (or,
//! between two branches, gives values of two kinds in one field). Members of JSON, untyped fields and elements of lists
//! are of no known kind, and are left to the evaluation.

use super::show;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use trueup_core::batch::Batch;
use trueup_core::cast;
use trueup_core::error::{Error, Result};
use trueup_core::lattice::{self, Fit};
use trueup_core::types::Type;
use trueup_core::value::Value;

/// What kind of value an expression gives. NULL is of every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only the values can tell.
    Any,
    /// Nothing but NULL.
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Decimal,
    Date,
    Time,
    Timestamp,
    Instant,
    Uuid,
    List,
    Map,
}

impl Kind {
    pub(crate) fn of(ty: Type) -> Self {
        match ty {
            Type::Any | Type::Json => Self::Any,
            Type::Bool => Self::Bool,
            Type::Int {
                bits: 64,
                signed: false,
            } => Self::Any,
            Type::Int { .. } => Self::Int,
            Type::Float { .. } => Self::Double,
            Type::Decimal { .. } => Self::Decimal,
            Type::Text { .. } => Self::Text,
            Type::Bytes { .. } => Self::Bytes,
            Type::Date => Self::Date,
            Type::Time => Self::Time,
            Type::Timestamp => Self::Timestamp,
            Type::Instant => Self::Instant,
            Type::Uuid => Self::Uuid,
        }
    }

    /// Returns the type of a field that holds such values.
    pub(crate) fn ty(self) -> Type {
        match self {
            Self::Any | Self::Null => Type::Any,
            Self::Bool => Type::Bool,
            Self::Int => Type::INT,
            Self::Uint => Type::Int {
                bits: 64,
                signed: false,
            },
            Self::Double => Type::FLOAT,
            Self::Text => Type::TEXT,
            Self::Bytes => Type::BYTES,
            Self::Decimal => Type::DECIMAL,
            Self::Date => Type::Date,
            Self::Time => Type::Time,
            Self::Timestamp => Type::Timestamp,
            Self::Instant => Type::Instant,
            Self::Uuid => Type::Uuid,
            Self::List | Self::Map => Type::Json,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::Decimal => "decimal",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Instant => "instant",
            Self::Uuid => "uuid",
            Self::List => "list",
            Self::Map => "map",
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Any | Self::Null)
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double | Self::Decimal)
    }

    /// Whether texts that spell one compare with it.
    fn is_spelled(self) -> bool {
        matches!(
            self,
            Self::Decimal | Self::Date | Self::Time | Self::Timestamp | Self::Instant | Self::Uuid
        )
    }
}

/// An expression that passed the check, and the kinds of the fields it names.
pub(crate) struct Kinds<'a> {
    pub(crate) text: &'a str,
    pub(crate) fields: &'a [Kind],
    pub(crate) places: &'a dyn Fn(u64) -> usize,
}

const MAKE_ONE: &str =
    "make both of one kind, for example with int(...), double(...), decimal(...) or string(...)";

impl Kinds<'_> {
    fn wrong(&self, what: &str, node: &IdedExpr) -> Error {
        show::wrong("expression", what, self.text, (self.places)(node.id))
    }

    /// Returns the kind of the value of `node`.
    ///
    /// # Errors
    /// `Config`, with the place in the text, when it has a value for no record.
    pub(crate) fn of(&self, node: &IdedExpr) -> Result<Kind> {
        match &node.expr {
            Expr::Literal(literal) => Ok(literal_kind(literal)),
            Expr::Ident(name) => Ok(self.variable(name)),
            Expr::Select(select) => {
                let of = self.of(&select.operand)?;
                if !of.is_open() && of != Kind::Map {
                    return Err(self
                        .wrong(&format!("no members: kind={}", of.name()), node)
                        .hint("only maps, such as JSON, have members"));
                }
                Ok(if select.test { Kind::Bool } else { Kind::Any })
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.of(element)?;
                }
                Ok(Kind::List)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.of(&entry.key)?;
                        self.of(&entry.value)?;
                    }
                }
                Ok(Kind::Map)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Call(call) => self.call(call, node),
            Expr::Struct(_) | Expr::Unspecified => Ok(Kind::Any),
        }
    }

    fn variable(&self, name: &str) -> Kind {
        let field = name.strip_prefix('@').and_then(|at| at.parse().ok());
        let kind = field.and_then(|field: usize| self.fields.get(field));
        kind.copied().unwrap_or(Kind::Any)
    }

    fn comprehension(&self, comprehension: &ComprehensionExpr) -> Result<Kind> {
        self.of(&comprehension.iter_range)?;
        self.of(&comprehension.loop_step)?;
        Ok(match self.of(&comprehension.accu_init)? {
            Kind::List => Kind::List,
            _ => Kind::Bool,
        })
    }

    fn call(&self, call: &CallExpr, node: &IdedExpr) -> Result<Kind> {
        let mut kinds = Vec::with_capacity(call.args.len() + 1);
        for argument in call.target.iter().map(Box::as_ref).chain(&call.args) {
            kinds.push(self.of(argument)?);
        }
        let name = call.func_name.trim_start_matches('@');
        match (call.func_name.as_str(), kinds.as_slice()) {
            ("_?_:_", &[condition, a, b]) => {
                self.want(condition, Kind::Bool, "a condition", node)?;
                self.branches(a, b, node)
            }
            ("_&&_" | "_||_", &[a, b]) => {
                self.want(a, Kind::Bool, "an operand", node)?;
                self.want(b, Kind::Bool, "an operand", node)
            }
            ("!_" | "@not_strictly_false", &[a]) => self.want(a, Kind::Bool, "an operand", node),
            ("@equal" | "@differ", &[a, b]) => self.compare(a, b, &call.args, node),
            ("@less" | "@less_or_equal" | "@greater" | "@greater_or_equal", &[a, b]) => {
                if a == Kind::Null || b == Kind::Null {
                    return Err(self
                        .wrong("nothing is less or greater than null", node)
                        .hint("compare with == null or != null"));
                }
                self.compare(a, b, &call.args, node)
            }
            ("@within", &[_, list]) if list.is_open() || is_container(list) => Ok(Kind::Bool),
            ("_[_]", &[of, _]) if of.is_open() || is_container(of) => Ok(Kind::Any),
            ("@elements", &[of]) if of.is_open() || is_container(of) => Ok(Kind::List),
            ("@add" | "@subtract" | "@multiply" | "@divide" | "@remainder", &[a, b]) => {
                let sum = calculated(&call.func_name, a, b);
                sum.ok_or_else(|| self.no_operation(name, &kinds, node))
            }
            ("@negate", &[a]) if a.is_open() => Ok(Kind::Any),
            ("@negate", &[a @ (Kind::Int | Kind::Double | Kind::Decimal)]) => Ok(a),
            _ => match function(name, &kinds) {
                Some(kind) => self.literal_argument(name, kind, call).map(|()| kind),
                None => Err(self.no_operation(name, &kinds, node)),
            },
        }
    }

    fn want(&self, found: Kind, wanted: Kind, what: &str, node: &IdedExpr) -> Result<Kind> {
        if found == wanted || found.is_open() {
            return Ok(wanted);
        }
        let (found, name) = (found.name(), wanted.name());
        Err(self
            .wrong(&format!("{what} is no {name}: kind={found}"), node)
            .hint("compare it with something"))
    }

    fn branches(&self, a: Kind, b: Kind, node: &IdedExpr) -> Result<Kind> {
        match (a, b) {
            _ if a == b => Ok(a),
            (Kind::Null, other) | (other, Kind::Null) => Ok(other),
            (Kind::Any, _) | (_, Kind::Any) => Ok(Kind::Any),
            (Kind::Int | Kind::Uint, Kind::Int | Kind::Uint) => Ok(Kind::Decimal),
            (Kind::Decimal, Kind::Int | Kind::Uint) | (Kind::Int | Kind::Uint, Kind::Decimal) => {
                Ok(Kind::Decimal)
            }
            _ => Err(self
                .wrong(
                    &format!("the branches are of two kinds: {},{}", a.name(), b.name()),
                    node,
                )
                .hint(MAKE_ONE)),
        }
    }

    fn compare(&self, a: Kind, b: Kind, args: &[IdedExpr], node: &IdedExpr) -> Result<Kind> {
        let moment = |kind| matches!(kind, Kind::Date | Kind::Timestamp);
        let compare = a == b
            || a.is_open()
            || b.is_open()
            || (a.is_number() && b.is_number())
            || (a.is_spelled() && b == Kind::Text)
            || (b.is_spelled() && a == Kind::Text)
            || (moment(a) && moment(b))
            || (is_container(a) && is_container(b));
        if !compare {
            return Err(self
                .wrong(
                    &format!("never compare: kinds={},{}", a.name(), b.name()),
                    node,
                )
                .hint(MAKE_ONE));
        }
        for (literal, with) in args.iter().zip([b, a]) {
            if with.is_spelled() {
                self.spells(literal, with)?;
            }
        }
        Ok(Kind::Bool)
    }

    /// A text that stands in the expression must spell what it is compared with.
    fn spells(&self, literal: &IdedExpr, kind: Kind) -> Result<()> {
        let Expr::Literal(LiteralValue::String(text)) = &literal.expr else {
            return Ok(());
        };
        let mut made = Batch::new(1);
        if cast::push(Value::Text(text.inner()), kind.ty(), &mut made).is_ok() {
            return Ok(());
        }
        Err(self
            .wrong(&format!("the text is no {}", kind.name()), literal)
            .hint("write decimals as 1.50, dates as 2024-12-31, times as 23:59:59, and points in time with their zone"))
    }

    /// Of a function that makes a value of a text: the text must spell one.
    fn literal_argument(&self, name: &str, kind: Kind, call: &CallExpr) -> Result<()> {
        let makes = matches!(
            name,
            "int" | "uint" | "bool" | "double" | "decimal" | "date" | "time" | "uuid"
        );
        match call.args.first() {
            Some(literal) if makes => self.spells(literal, kind),
            _ => Ok(()),
        }
    }

    fn no_operation(&self, name: &str, kinds: &[Kind], node: &IdedExpr) -> Error {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let name = match name {
            "add" => "+",
            "subtract" | "negate" => "-",
            "multiply" => "*",
            "divide" => "/",
            "remainder" => "%",
            "within" => "in",
            "_[_]" => "[]",
            "elements" => "for each",
            other => other,
        };
        self.wrong(
            &format!(
                "no operation for these kinds: operation={name} kinds={}",
                kinds.join(",")
            ),
            node,
        )
        .hint(MAKE_ONE)
    }
}

fn is_container(kind: Kind) -> bool {
    matches!(kind, Kind::List | Kind::Map)
}

fn literal_kind(literal: &LiteralValue) -> Kind {
    match literal {
        LiteralValue::Boolean(_) => Kind::Bool,
        LiteralValue::Bytes(_) => Kind::Bytes,
        LiteralValue::Double(_) => Kind::Double,
        LiteralValue::Int(_) => Kind::Int,
        LiteralValue::UInt(_) => Kind::Uint,
        LiteralValue::String(_) => Kind::Text,
        LiteralValue::Null => Kind::Null,
    }
}

/// The kind of `a operation b`; `None` where there is none.
fn calculated(operation: &str, a: Kind, b: Kind) -> Option<Kind> {
    let add = operation == "@add";
    match (a, b) {
        (Kind::Any | Kind::Null, _) | (_, Kind::Any | Kind::Null) => Some(Kind::Any),
        (Kind::Int, Kind::Int) | (Kind::Uint, Kind::Uint) => Some(a),
        (Kind::Double, Kind::Double) if operation != "@remainder" => Some(a),
        (Kind::Decimal, Kind::Decimal | Kind::Int | Kind::Uint | Kind::Double)
        | (Kind::Int | Kind::Uint | Kind::Double, Kind::Decimal)
            if matches!(operation, "@add" | "@subtract" | "@multiply") =>
        {
            Some(Kind::Decimal)
        }
        (Kind::Text, Kind::Text) | (Kind::Bytes, Kind::Bytes) | (Kind::List, Kind::List) if add => {
            Some(a)
        }
        _ => None,
    }
}

/// The kind that a function gives; `None` where it takes no such arguments.
fn function(name: &str, kinds: &[Kind]) -> Option<Kind> {
    let fits = |at: usize, wanted: &[Kind]| {
        let found = kinds.get(at).copied().unwrap_or(Kind::Any);
        found.is_open() || wanted.contains(&found)
    };
    let texts = |count: usize| (0..count).all(|at| fits(at, &[Kind::Text]));
    let sized = [Kind::Text, Kind::Bytes, Kind::List, Kind::Map];
    let made = |to: Kind| {
        let from = kinds.first()?;
        let refused = matches!(lattice::types(from.ty(), to.ty()), Fit::Refused(_));
        (!refused && !is_container(*from)).then_some(to)
    };
    match name {
        "size" => fits(0, &sized).then_some(Kind::Int),
        "contains" | "startsWith" | "endsWith" => texts(2).then_some(Kind::Bool),
        "trim" | "lowerAscii" | "upperAscii" => texts(1).then_some(Kind::Text),
        "replace" => texts(3).then_some(Kind::Text),
        "substring" => {
            (texts(1) && fits(1, &[Kind::Int]) && fits(2, &[Kind::Int])).then_some(Kind::Text)
        }
        "dyn" => Some(Kind::Any),
        "int" => made(Kind::Int),
        "uint" => made(Kind::Uint),
        "double" => made(Kind::Double),
        "bool" => made(Kind::Bool),
        "string" => made(Kind::Text),
        "decimal" => made(Kind::Decimal),
        "date" => made(Kind::Date),
        "time" => made(Kind::Time),
        "uuid" => made(Kind::Uuid),
        "bytes" => fits(0, &[Kind::Text, Kind::Bytes]).then_some(Kind::Bytes),
        "timestamp" => match kinds.first()? {
            Kind::Date | Kind::Timestamp => Some(Kind::Timestamp),
            Kind::Instant => Some(Kind::Instant),
            Kind::Text | Kind::Any | Kind::Null => Some(Kind::Any),
            _ => None,
        },
        _ => Some(Kind::Any),
    }
}
