//! The program behind the `merge` policy: texts line by line, JSON objects member by member, against a common base.
//!
//! Invariant: a line or member of the result stands so on a side that changed it, or on all three; where both sides
//! changed the same one differently, nobody decides. The sides are equal: exchanging them gives the same result or none.
//! The line merge is diff3 by the `diffy` crate: a library for just this, without dependencies and without unsafe code.
//! What it is given is bounded here, because a difference of texts takes time with the product of their lines and their
//! edits.
//!
//! It deliberately leaves no marks of conflict in a value, and never merges arrays: where in an array an element
//! belongs is not known.

use super::expression::Verdict;
use serde_json::Value as Tree;
use std::collections::BTreeSet;
use trueup_core::batch::Batch;
use trueup_core::side::Sides;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{cast, json};

#[cfg(test)]
mod tests;

/// The longest text that is merged.
pub(crate) const TEXT_BYTES_MAX: usize = 4 << 20;
/// The most lines that are merged.
pub(crate) const LINES_MAX: usize = 4_000;
/// The longest JSON that is merged.
pub(crate) const JSON_BYTES_MAX: usize = 1 << 20;

/// Merges two texts that were made of `base`. `None` means that nobody decides: there is no base, edits overlap, or a
/// text is too large.
pub(crate) fn merge(base: Option<&str>, source: &str, target: &str) -> Option<String> {
    let base = base?;
    if let Some(settled) = settled(base, source, target) {
        return Some(settled.to_owned());
    }
    let small = |text: &str| text.len() <= TEXT_BYTES_MAX && breaks(text) <= LINES_MAX;
    if ![base, source, target].into_iter().all(small) {
        return None;
    }
    let merged = diffy::merge(base, source, target).ok()?;
    // Which side is called source is an accident, and both ends of a pair must come to the same.
    let mirrored = diffy::merge(base, target, source).ok()?;
    (merged == mirrored).then_some(merged)
}

fn breaks(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

/// Returns the text where only one side changed, or both alike.
fn settled<'a>(base: &str, source: &'a str, target: &'a str) -> Option<&'a str> {
    if source == target || target == base {
        Some(source)
    } else if source == base {
        Some(target)
    } else {
        None
    }
}

/// Merges two JSON objects that were made of `base`, member by member. `None` as for texts, and where one of them is no
/// object, has a key twice, or a number that no double holds.
pub(crate) fn merge_json(base: Option<&str>, source: &str, target: &str) -> Option<String> {
    let [base, source, target] = [base?, source, target].map(tree);
    let (base, source, target) = (base?, source?, target?);
    if ![&base, &source, &target].into_iter().all(Tree::is_object) {
        return None;
    }
    merge_trees(Some(&base), Some(&source), Some(&target))?.map(|merged| merged.to_string())
}

/// Reads JSON, where nothing gets lost by it.
fn tree(text: &str) -> Option<Tree> {
    if text.len() > JSON_BYTES_MAX {
        return None;
    }
    let tree: Tree = serde_json::from_str(text).ok()?;
    (canonical(text) == canonical(&tree.to_string())).then_some(tree)
}

fn canonical(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    json::canonical(text, &mut bytes);
    bytes
}

/// Merges one member: `None` where nobody decides, `Some(None)` where there is none any more. The parser has bounded the
/// nesting.
fn merge_trees(
    base: Option<&Tree>,
    source: Option<&Tree>,
    target: Option<&Tree>,
) -> Option<Option<Tree>> {
    if same_member(source, target) || same_member(target, base) {
        return Some(source.cloned());
    }
    if same_member(source, base) {
        return Some(target.cloned());
    }
    let (Some(Tree::Object(source)), Some(Tree::Object(target))) = (source, target) else {
        return None;
    };
    // Both made it an object: members that only one of them has were made by that one.
    let empty = serde_json::Map::new();
    let base = match base {
        Some(Tree::Object(base)) => base,
        Some(_) => return None,
        None => &empty,
    };
    let keys: BTreeSet<&String> = source
        .keys()
        .chain(target.keys())
        .chain(base.keys())
        .collect();
    let mut merged = serde_json::Map::new();
    for key in keys {
        let member = merge_trees(base.get(key), source.get(key), target.get(key))?;
        if let Some(member) = member {
            merged.insert(key.clone(), member);
        }
    }
    Some(Some(Tree::Object(merged)))
}

fn same_member(a: Option<&Tree>, b: Option<&Tree>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    }
}

/// Equality of JSON values: `1.0` is `1`.
fn same(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::Number(a), Tree::Number(b)) => {
            a == b || canonical(&a.to_string()) == canonical(&b.to_string())
        }
        (Tree::Array(a), Tree::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Tree::Object(a), Tree::Object(b)) => {
            let member = |(key, a)| b.get(key).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(member)
        }
        (a, b) => a == b,
    }
}

/// Merges two values of a field of type `ty`, text or JSON. Called for each field in conflict whose policy is `merge`.
pub(crate) fn merge_values(
    base: Option<Value<'_>>,
    values: &Sides<Value<'_>>,
    ty: Type,
) -> Verdict {
    let open = |note: &str| Verdict::Open(Some(note.to_owned()));
    let Some(base) = base else {
        return open("there is no base to merge against");
    };
    let merged = match (base, values.source, values.target) {
        (Value::Text(base), Value::Text(source), Value::Text(target)) => {
            merge(Some(base), source, target)
        }
        (Value::Json(base), Value::Json(source), Value::Json(target)) => {
            merge_json(Some(base), source, target)
        }
        _ => return open("only texts and JSON objects are merged"),
    };
    let Some(merged) = merged else {
        return open("the edits overlap, or the values are too large to merge");
    };
    let merged = match base {
        Value::Json(_) => Value::Json(&merged),
        _ => Value::Text(&merged),
    };
    let mut batch = Batch::new(1);
    match cast::push(merged, ty, &mut batch) {
        Ok(()) => Verdict::Value(batch),
        Err(misfit) => open(&format!("the merged value does not fit: {misfit}")),
    }
}
