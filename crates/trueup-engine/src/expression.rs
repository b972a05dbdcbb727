//! Expressions: CEL, the language of Kubernetes' and Envoy's rules, over the values of records.
//!
//! Shared by the rules of conflicts ([`two_way`](crate::two_way)), which see both records of a key, and by computed
//! fields and filters ([`record`]), which see one. Invariant: what is wrong with the text is said at plan time, with line
//! and column; what goes wrong with a record's values is said without showing one. Values that CEL has no type for (exact
//! decimals, dates and times, UUIDs) are types of their own that compare exactly or not at all; see [`exact`].
//!
//! Work is bounded before it starts: the text's length and nesting, the size of the values it reads, and no loop within
//! a loop. There is no clock, no randomness, no regular expression, and a map is walked in the order of its keys: the
//! same records give the same answer on every machine.

use cel::common::ast::{IdedExpr, SourceInfo};
use trueup_core::error::{Error, Kind, Result};

mod arithmetic;
mod casts;
pub(crate) mod check;
pub(crate) mod convert;
pub(crate) mod exact;
pub(crate) mod functions;
mod kinds;
mod lower;
mod near;
pub(crate) mod record;
mod show;
#[cfg(test)]
mod tests;
mod texts;

pub(crate) use check::{Names, Shape, Used};

/// The longest expression, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 4096;
/// The most bytes of values that one evaluation reads, all records together.
pub(crate) const VALUES_BYTES_MAX: usize = 16 << 20;
/// The most bytes of JSON among them: parsed, it takes many times its text.
pub(crate) const JSON_BYTES_MAX: usize = 1 << 20;
/// The most bytes of values that an expression with a loop reads: its work can grow with their square.
pub(crate) const LOOP_BYTES_MAX: usize = 64 << 10;

/// The parser recurses over the text, several frames for each level.
const PARSER_STACK_BYTES: usize = 64 << 20;
/// The interpreter takes up to 60 KiB of stack for each level of the expression (measured).
pub(crate) const INTERPRETER_STACK_BYTES: usize = 16 << 20;
const _: () = assert!(check::DEPTH_MAX * (100 << 10) < INTERPRETER_STACK_BYTES);
/// How deep an expression may nest to be evaluated on the caller's stack: as deep as rules that people write.
pub(crate) const CALLERS_DEPTH_MAX: usize = 8;

/// Reads and checks an expression.
///
/// # Errors
/// `Config`, with line, column and the text, when it is too long, nests too deep, or is not CEL, and when it names a
/// variable, a field or a function that does not exist.
pub(crate) fn parse(text: &str, names: Names<'_>) -> Result<(IdedExpr, Used, SourceInfo)> {
    if text.len() > TEXT_BYTES_MAX {
        let (subject, bytes) = (names.subject(), text.len());
        return Err(Error::config(format!(
            "{subject} is too long: bytes={bytes} bytes_max={TEXT_BYTES_MAX}"
        ))
        .hint("compare fewer fields, or write the rule for each field by itself"));
    }
    // A text of many operators makes a deep tree, and only what passed the check is shallow enough to be taken down
    // elsewhere.
    on_stack(PARSER_STACK_BYTES, || check::parse(text, names))?
}

/// Refuses values that would make the work unbounded, before any of it is done: `all` bytes, `json` of them in JSON.
pub(crate) fn admit(all: usize, json: usize, loops: bool) -> Result<(), String> {
    let all_max = if loops {
        LOOP_BYTES_MAX
    } else {
        VALUES_BYTES_MAX
    };
    for (what, bytes, max) in [("", all, all_max), (" of json", json, JSON_BYTES_MAX)] {
        if bytes > max {
            return Err(format!(
                "the values are too large for an expression: bytes{what}={bytes} bytes_max={max}"
            ));
        }
    }
    Ok(())
}

/// Runs `work` on a stack of its own, of `bytes`.
pub(crate) fn on_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(bytes);
        let thread = thread.spawn_scoped(scope, work).map_err(|error| {
            Error::new(Kind::Unavailable, "no thread to run an expression on")
                .hint("raise the limit of threads or of memory")
                .cause(error)
        })?;
        let failed = |_| Error::bug("an expression ended its thread");
        thread.join().map_err(failed)
    })
}
