//! Reads an expression and checks what can be checked without a record: names, functions, loops, nesting.
//!
//! The tree that comes out is not quite the one that was written: comparisons, `+`, `in` and what loops walk over go
//! through [`functions`](super::functions), which are exact and bounded where the interpreter's own are not. Everything
//! outside the lists below is refused, so that a later release of the interpreter can add functions (a clock, say)
//! without any link changing its meaning.

use super::{Shape, show};
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::{Env, ParseErrors};
use trueup_core::error::{Error, Result};
use trueup_core::side::{Side, Sides};

mod classes;

/// How deep an expression may nest, a chain of operators counted as nesting.
pub(crate) const DEPTH_MAX: usize = 64;
/// The variable that holds the key.
pub(super) const KEY: &str = "key";

/// The functions of an expression: name, arguments when called as `f(x)`, and as `x.f(y)`.
const FUNCTIONS: [(&str, Option<usize>, Option<usize>); 17] = [
    ("size", Some(1), Some(0)),
    ("contains", None, Some(1)),
    ("startsWith", None, Some(1)),
    ("endsWith", None, Some(1)),
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
const OPERATORS: [&str; 11] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
];

/// The operators that ours stand in for.
const REPLACED: [(&str, &str); 8] = [
    (operators::EQUALS, "@equal"),
    (operators::NOT_EQUALS, "@differ"),
    (operators::LESS, "@less"),
    (operators::LESS_EQUALS, "@less_or_equal"),
    (operators::GREATER, "@greater"),
    (operators::GREATER_EQUALS, "@greater_or_equal"),
    (operators::IN, "@within"),
    (operators::ADD, "@add"),
];

/// Makes a list of what a loop walks over.
pub(super) const ELEMENTS: &str = "@elements";

/// What an expression reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    /// Fields of each side's record, as indices.
    fields: Sides<Vec<usize>>,
    /// Whether it reads a record as a whole.
    whole: Sides<bool>,
    /// Whether it reads `source_value` and `target_value`.
    pub(super) value: Sides<bool>,
    /// Whether it reads the key.
    pub(super) key: bool,
    /// Whether there is a loop in it.
    pub(super) loops: bool,
    /// How deep it nests.
    pub(super) depth: usize,
}

impl Used {
    /// Tells whether `field` of the record of `side` is read.
    pub(super) fn reads(&self, side: Side, field: usize) -> bool {
        self.whole[side] || self.fields[side].contains(&field)
    }
}

/// Returns the variable that holds a side's value of the field.
pub(super) fn value_variable(side: Side) -> &'static str {
    match side {
        Side::Source => "source_value",
        Side::Target => "target_value",
    }
}

/// Reads and checks an expression.
pub(super) fn parse(text: &str, shape: &Shape<'_>, of: Option<usize>) -> Result<(IdedExpr, Used)> {
    let environment = Env::stdlib().with_optional_support(false);
    let parsed = environment.parser().parse_with_source_info(text);
    let (mut tree, places) = parsed.map_err(|errors| not_parsed(text, &errors))?;
    let mut check = Check {
        text,
        shape,
        of,
        places,
        used: Used::default(),
        scope: Vec::new(),
        looping: false,
    };
    check.visit(&mut tree, 0)?;
    Ok((tree, check.used))
}

const HINT: &str = "see the CEL language definition for how expressions are written; a name that is no plain word is \
                    written source[\"NAME\"]";

/// The most characters of the parser's own words that are shown.
const MESSAGE_CHARS_MAX: usize = 200;

/// Translates the first of the parser's errors; the others follow from it.
fn not_parsed(text: &str, errors: &ParseErrors) -> Error {
    let Some(first) = errors.errors.first() else {
        return show::at_line("not an expression", text, 1, 1).hint(HINT);
    };
    let said = first.msg.lines().next().unwrap_or_default();
    let said = said.strip_prefix("Syntax error: ").unwrap_or(said);
    // What could have stood there instead is a list of all the tokens there are.
    let said = said.split(" expecting ").next().unwrap_or(said);
    let said: String = said.chars().take(MESSAGE_CHARS_MAX).collect();
    let (line, column) = first.pos;
    let from_one = |number: isize| usize::try_from(number).unwrap_or(0).max(1);
    show::at_line(
        &format!("syntax error: {said}"),
        text,
        from_one(line),
        from_one(column),
    )
    .hint(HINT)
}

struct Check<'a> {
    text: &'a str,
    shape: &'a Shape<'a>,
    /// The field it is for.
    of: Option<usize>,
    places: SourceInfo,
    used: Used,
    /// Variables of the loop that is being checked.
    scope: Vec<String>,
    looping: bool,
}

impl Check<'_> {
    fn wrong(&self, what: &str, id: u64) -> Error {
        let at = self.places.offset_for(id).map_or(0, |(start, _)| start);
        show::wrong(what, self.text, at as usize)
    }

    fn visit(&mut self, node: &mut IdedExpr, depth: usize) -> Result<()> {
        let id = node.id;
        if depth > DEPTH_MAX {
            return Err(self
                .wrong(&format!("nests too deep: depth_max={DEPTH_MAX}"), id)
                .hint("write a shorter expression, or one for each field"));
        }
        self.used.depth = self.used.depth.max(depth);
        let below = depth + 1;
        match &mut node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => {
                let name = name.clone();
                self.variable(&name, id)
            }
            Expr::Select(select) => {
                if let Some(record) = self.record(&select.operand.expr) {
                    return self.read(record, &select.field, id);
                }
                self.visit(&mut select.operand, below)
            }
            Expr::Call(_) => self.call(node, below),
            Expr::List(list) => {
                for element in &mut list.elements {
                    self.visit(element, below)?;
                }
                Ok(())
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    match &mut entry.expr {
                        EntryExpr::MapEntry(entry) => {
                            self.visit(&mut entry.key, below)?;
                            self.visit(&mut entry.value, below)?;
                        }
                        EntryExpr::StructField(_) => return Err(self.wrong("not supported", id)),
                    }
                }
                Ok(())
            }
            Expr::Comprehension(_) => self.comprehension(node, below),
            Expr::Struct(_) | Expr::Unspecified => Err(self.wrong("not supported", id).hint(HINT)),
        }
    }

    /// Returns the record that an expression names, where it is just its name.
    fn record(&self, expr: &Expr) -> Option<Root> {
        match expr {
            Expr::Ident(name) if !self.scope.contains(name) => match name.as_str() {
                "source" => Some(Root::Record(Side::Source)),
                "target" => Some(Root::Record(Side::Target)),
                KEY => Some(Root::Key),
                _ => None,
            },
            _ => None,
        }
    }

    /// Notes that a field is read.
    fn read(&mut self, root: Root, name: &str, id: u64) -> Result<()> {
        let field = self.named(name);
        let in_key = |field: &usize| self.shape.key.contains(field);
        match (root, field) {
            (Root::Record(side), Some(field)) => {
                self.used.fields[side].push(field);
                Ok(())
            }
            (Root::Key, Some(field)) if in_key(&field) => {
                self.used.key = true;
                Ok(())
            }
            (Root::Key, _) => {
                let names = self.shape.key.iter();
                let names: Vec<&str> = names
                    .filter_map(|&field| self.shape.names.get(field).copied())
                    .collect();
                let names = names.join(", ");
                let wrong = self.wrong(&format!("not a field of the key: field={name:?}"), id);
                Err(wrong.hint(format!("the key's fields are: {names}")))
            }
            (Root::Record(_), None) => {
                let names = self.shape.names.join(", ");
                let wrong = self.wrong(&format!("no such field: field={name:?}"), id);
                Err(wrong.hint(format!(
                    "fields are called as the source calls them: {names}"
                )))
            }
        }
    }

    fn variable(&mut self, name: &str, id: u64) -> Result<()> {
        if self.scope.iter().any(|known| known == name) {
            return Ok(());
        }
        for side in Side::BOTH {
            if name == side.name() {
                self.used.whole[side] = true;
                return Ok(());
            }
            if name == value_variable(side) {
                if self.of.is_none() {
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
        let values = if self.of.is_some() {
            ", source_value, target_value"
        } else {
            ""
        };
        Err(self
            .wrong(&format!("no such variable: variable={name}"), id)
            .hint(format!("the variables are: source, target, key{values}")))
    }

    fn call(&mut self, node: &mut IdedExpr, depth: usize) -> Result<()> {
        let id = node.id;
        let Expr::Call(call) = &mut node.expr else {
            return Ok(());
        };
        if let [left, right] = call.args.as_slice()
            && call.target.is_none()
        {
            if call.func_name == operators::INDEX
                && let (Some(record), Expr::Literal(LiteralValue::String(name))) =
                    (self.record(&left.expr), &right.expr)
            {
                return self.read(record, name.inner(), id);
            }
            // Whether there is a record: none of its fields is read for that.
            let equality = [operators::EQUALS, operators::NOT_EQUALS];
            let null = |node: &IdedExpr| matches!(node.expr, Expr::Literal(LiteralValue::Null));
            let side = |node: &IdedExpr| matches!(self.record(&node.expr), Some(Root::Record(_)));
            if equality.contains(&call.func_name.as_str())
                && ((side(left) && null(right)) || (null(left) && side(right)))
            {
                replace(call, &self.scope);
                return Ok(());
            }
        }
        self.function(call, id)?;
        if let Some(target) = &mut call.target {
            self.visit(target, depth)?;
        }
        for argument in &mut call.args {
            self.visit(argument, depth)?;
        }
        self.comparison(call, id)?;
        replace(call, &self.scope);
        Ok(())
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.shape.names.iter().position(|&known| known == name)
    }

    fn function(&self, call: &CallExpr, id: u64) -> Result<()> {
        let name = call.func_name.as_str();
        let arguments = call.args.len();
        if call.target.is_none()
            && (OPERATORS.contains(&name) || REPLACED.iter().any(|&(operator, _)| operator == name))
        {
            return Ok(());
        }
        let Some(&(_, global, member)) = FUNCTIONS.iter().find(|&&(known, ..)| known == name)
        else {
            let names: Vec<&str> = FUNCTIONS.iter().map(|&(name, ..)| name).collect();
            let names = names.join(", ");
            return Err(self
                .wrong(&format!("no such function: function={name}"), id)
                .hint(format!(
                    "the functions are: {names}, has, all, exists, exists_one, map, filter"
                )));
        };
        let takes = if call.target.is_some() {
            member
        } else {
            global
        };
        match takes {
            Some(takes) if takes == arguments => Ok(()),
            Some(takes) => Err(self
                .wrong(
                    &format!("wrong number of arguments: function={name} arguments={arguments} wanted={takes}"),
                    id,
                )
                .hint(HINT)),
            None => Err(self
                .wrong(&format!("called the wrong way: function={name}"), id)
                .hint(if member.is_some() {
                    format!("write value.{name}(...)")
                } else {
                    format!("write {name}(value)")
                })),
        }
    }

    fn comprehension(&mut self, node: &mut IdedExpr, depth: usize) -> Result<()> {
        let id = node.id;
        if self.looping {
            return Err(self
                .wrong("a loop within a loop", id)
                .hint("all, exists, exists_one, map and filter may not be combined: their work would have no bound"));
        }
        let Expr::Comprehension(comprehension) = &mut node.expr else {
            return Ok(());
        };
        if comprehension.iter_var2.is_some() {
            return Err(self.wrong("a loop with two variables is not supported", id));
        }
        let name = comprehension.iter_var.as_str();
        let taken = Side::BOTH
            .iter()
            .any(|&side| name == side.name() || name == value_variable(side));
        if taken || name == KEY {
            return Err(self
                .wrong(&format!("the name is taken: variable={name}"), id)
                .hint("call the loop's variable something else"));
        }
        self.used.loops = true;
        self.looping = true;
        self.visit(&mut comprehension.iter_range, depth)?;
        self.visit(&mut comprehension.accu_init, depth)?;
        self.scope.push(comprehension.iter_var.clone());
        self.scope.push(comprehension.accu_var.clone());
        self.visit(&mut comprehension.loop_cond, depth)?;
        self.visit(&mut comprehension.loop_step, depth)?;
        self.visit(&mut comprehension.result, depth)?;
        self.scope.clear();
        self.looping = false;
        let range = std::mem::take(&mut comprehension.iter_range);
        comprehension.iter_range = IdedExpr {
            id: range.id,
            expr: Expr::Call(CallExpr {
                func_name: ELEMENTS.to_owned(),
                target: None,
                args: vec![range],
            }),
        };
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Root {
    Record(Side),
    Key,
}

/// Puts our operator in the place of the interpreter's. A loop's own `result + [element]` stays: the interpreter knows
/// the pattern and appends in place.
fn replace(call: &mut CallExpr, scope: &[String]) {
    if call.func_name == operators::ADD
        && let Some(Expr::Ident(name)) = call.args.first().map(|argument| &argument.expr)
        && scope.get(1) == Some(name)
    {
        return;
    }
    let ours = REPLACED
        .iter()
        .find(|&&(theirs, _)| theirs == call.func_name);
    if let Some(&(_, ours)) = ours {
        ours.clone_into(&mut call.func_name);
    }
}
