//! What an expression may call, and what carries it out.
//!
//! Everything outside these lists is refused. Where the interpreter's own function rounds, has no answer for our types,
//! or would say a value in its error, ours stands in for it.

use cel::common::ast::operators;

/// The functions of an expression: name, arguments when called as `f(x)`, and as `x.f(y)`.
pub(super) const FUNCTIONS: [(&str, Option<usize>, Option<usize>); 22] = [
    ("size", Some(1), Some(0)),
    ("contains", None, Some(1)),
    ("startsWith", None, Some(1)),
    ("endsWith", None, Some(1)),
    ("trim", None, Some(0)),
    ("lowerAscii", None, Some(0)),
    ("upperAscii", None, Some(0)),
    ("replace", None, Some(2)),
    ("substring", None, Some(2)),
    ("string", Some(1), None),
    ("int", Some(1), None),
    ("uint", Some(1), None),
    ("double", Some(1), None),
    ("bytes", Some(1), None),
    ("bool", Some(1), None),
    ("dyn", Some(1), None),
    ("decimal", Some(1), None),
    ("date", Some(1), None),
    ("time", Some(1), None),
    ("timestamp", Some(1), None),
    ("uuid", Some(1), None),
    ("manual", Some(0), None),
];

/// The operators that the interpreter carries out itself.
pub(super) const OPERATORS: [&str; 6] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
];

/// The operators and functions that ours stand in for.
pub(super) const REPLACED: [(&str, &str); 25] = [
    (operators::EQUALS, "@equal"),
    (operators::NOT_EQUALS, "@differ"),
    (operators::LESS, "@less"),
    (operators::LESS_EQUALS, "@less_or_equal"),
    (operators::GREATER, "@greater"),
    (operators::GREATER_EQUALS, "@greater_or_equal"),
    (operators::IN, "@within"),
    (operators::ADD, "@add"),
    (operators::SUBSTRACT, "@subtract"),
    (operators::MULTIPLY, "@multiply"),
    (operators::DIVIDE, "@divide"),
    (operators::MODULO, "@remainder"),
    (operators::NEGATE, "@negate"),
    ("int", "@int"),
    ("uint", "@uint"),
    ("double", "@double"),
    ("bool", "@bool"),
    ("string", "@string"),
    ("timestamp", "@timestamp"),
    ("trim", "@trim"),
    ("lowerAscii", "@lowerAscii"),
    ("upperAscii", "@upperAscii"),
    ("replace", "@replace"),
    ("substring", "@substring"),
    ("bytes", "@bytes"),
];
