//! Reads an expression and checks what can be checked without a record: names, functions, loops, nesting.
//!
//! The tree that comes out is not quite the one that was written: comparisons, `+`, `in` and what loops walk over go
//! through [`functions`](super::functions), which are exact and bounded where the interpreter's own are not. Everything
//! outside the lists below is refused, so that a later release of the interpreter can add functions (a clock, say)
//! without any link changing its meaning.

use super::show;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use cel::{Env, ParseErrors};
use lists::{FUNCTIONS, OPERATORS, REPLACED};
use names::Root;
use trueup_core::error::{Error, Result};

mod classes;
mod lists;
mod names;

pub(crate) use names::{KEY, Names, Shape, Used, value_variable, variable};

/// How deep an expression may nest, a chain of operators counted as nesting.
pub(crate) const DEPTH_MAX: usize = 64;
/// Makes a list of what a loop walks over.
pub(super) const ELEMENTS: &str = "@elements";

/// Reads and checks an expression.
pub(crate) fn parse(text: &str, names: Names<'_>) -> Result<(IdedExpr, Used, SourceInfo)> {
    let environment = Env::stdlib().with_optional_support(false);
    let parsed = environment.parser().parse_with_source_info(text);
    let (mut tree, places) = parsed.map_err(|errors| not_parsed(text, names, &errors))?;
    let mut check = Check {
        text,
        names,
        places,
        used: Used::default(),
        scope: Vec::new(),
        looping: false,
    };
    check.visit(&mut tree, 0)?;
    Ok((tree, check.used, check.places))
}

/// The most characters of the parser's own words that are shown.
const MESSAGE_CHARS_MAX: usize = 200;

/// Translates the first of the parser's errors; the others follow from it.
fn not_parsed(text: &str, names: Names<'_>, errors: &ParseErrors) -> Error {
    let subject = names.subject();
    let Some(first) = errors.errors.first() else {
        return show::at_line(subject, "not an expression", text, 1, 1).hint(names.hint());
    };
    let said = first.msg.lines().next().unwrap_or_default();
    let said = said.strip_prefix("Syntax error: ").unwrap_or(said);
    // What could have stood there instead is a list of all the tokens there are.
    let said = said.split(" expecting ").next().unwrap_or(said);
    let said: String = said.chars().take(MESSAGE_CHARS_MAX).collect();
    let (line, column) = first.pos;
    let from_one = |number: isize| usize::try_from(number).unwrap_or(0).max(1);
    show::at_line(
        subject,
        &format!("syntax error: {said}"),
        text,
        from_one(line),
        from_one(column),
    )
    .hint(names.hint())
}

struct Check<'a> {
    text: &'a str,
    names: Names<'a>,
    places: SourceInfo,
    used: Used,
    /// Variables of the loop that is being checked.
    scope: Vec<String>,
    looping: bool,
}

impl Check<'_> {
    fn wrong(&self, what: &str, id: u64) -> Error {
        let at = self.places.offset_for(id).map_or(0, |(start, _)| start);
        show::wrong(self.names.subject(), what, self.text, at as usize)
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
                let ours = self.variable(&name, id)?;
                rename(node, ours);
                Ok(())
            }
            Expr::Select(select) => {
                if let Some(record) = self.record(&select.operand.expr) {
                    let (field, test) = (select.field.clone(), select.test);
                    let ours = self.read(record, &field, id)?;
                    if test && ours.is_some() {
                        return Err(self.tests_a_field(&field, id));
                    }
                    rename(node, ours);
                    return Ok(());
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
            Expr::Struct(_) | Expr::Unspecified => {
                Err(self.wrong("not supported", id).hint(self.names.hint()))
            }
        }
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
                let name = name.inner().to_owned();
                let ours = self.read(record, &name, id)?;
                rename(node, ours);
                return Ok(());
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

    fn function(&self, call: &CallExpr, id: u64) -> Result<()> {
        let name = call.func_name.as_str();
        let arguments = call.args.len();
        let is_function = FUNCTIONS.iter().any(|&(known, ..)| known == name);
        let is_operator =
            OPERATORS.contains(&name) || REPLACED.iter().any(|&(theirs, _)| theirs == name);
        if call.target.is_none() && is_operator && !is_function {
            return Ok(());
        }
        let known = FUNCTIONS
            .iter()
            .filter(|&&(known, ..)| self.names.have_function(known));
        let Some(&(_, global, member)) = known.clone().find(|&&(known, ..)| known == name) else {
            let names: Vec<&str> = known.map(|&(name, ..)| name).collect();
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
                .hint(self.names.hint())),
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
        if self.names.take(name) {
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

/// Puts the variable that holds a field in the place of what names it.
fn rename(node: &mut IdedExpr, ours: Option<String>) {
    if let Some(ours) = ours {
        node.expr = Expr::Ident(ours);
    }
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
        if let Some(target) = call.target.take() {
            call.args.insert(0, *target);
        }
    }
}
