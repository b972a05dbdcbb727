//! Functions of texts that CEL leaves to extensions. Positions count characters; nothing depends on a language.

use super::arithmetic::SUM_MAX;
use super::functions::{Evaluated, mismatch};
use cel::ExecutionError;
use cel::common::functions::Function;
use cel::common::types::{CelInt, CelString, DYN_TYPE, Type as CelType};
use cel::common::value::CowVal;

/// Adds the functions by `add`.
pub(super) fn declare(add: &mut impl FnMut(&str, &[&CelType], Function)) {
    let any = &DYN_TYPE;
    add("@trim", &[any], |args| {
        change("trim", &args, |text| text.trim().to_owned())
    });
    add("@lowerAscii", &[any], |args| {
        change("lowerAscii", &args, str::to_ascii_lowercase)
    });
    add("@upperAscii", &[any], |args| {
        change("upperAscii", &args, str::to_ascii_uppercase)
    });
    add("@replace", &[any, any, any], |args| replace(&args));
    add("@substring", &[any, any, any], |args| substring(&args));
}

fn text<'a>(value: &'a CowVal<'_, '_>) -> Option<&'a str> {
    value.downcast_ref::<CelString<'_>>().map(CelString::inner)
}

fn made<'b, 'v>(text: String) -> CowVal<'b, 'v> {
    CowVal::owned(CelString::from(text))
}

fn change<'b, 'v>(
    name: &str,
    args: &[CowVal<'b, 'v>],
    change: impl FnOnce(&str) -> String,
) -> Evaluated<'b, 'v> {
    let text = args.first().and_then(text);
    text.map(|text| made(change(text)))
        .ok_or_else(|| mismatch(name, args))
}

fn replace<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [whole, from, to] = args else {
        return Err(mismatch("replace", args));
    };
    let (Some(whole), Some(from), Some(to)) = (text(whole), text(from), text(to)) else {
        return Err(mismatch("replace", args));
    };
    let places = whole.matches(from).count();
    if whole.len().saturating_add(places.saturating_mul(to.len())) > SUM_MAX {
        return Err(ExecutionError::function_error(
            "replace (too long a text)",
            "",
        ));
    }
    Ok(made(whole.replace(from, to)))
}

/// The characters from one position to before another.
fn substring<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [whole, start, end] = args else {
        return Err(mismatch("substring", args));
    };
    let place = |value: &CowVal<'_, '_>| {
        let place = value.downcast_ref::<CelInt>();
        place.map(|place| usize::try_from(*place.inner()).ok())
    };
    let (Some(whole), Some(start), Some(end)) = (text(whole), place(start), place(end)) else {
        return Err(mismatch("substring", args));
    };
    let byte_of = |place: usize| {
        let mut starts = whole.char_indices().map(|(byte, _)| byte);
        starts.by_ref().nth(place).or_else(|| {
            let chars = whole.chars().count();
            (chars == place).then_some(whole.len())
        })
    };
    let part = start.zip(end).and_then(|(start, end)| {
        let (start, end) = (byte_of(start)?, byte_of(end)?);
        whole.get(start..end)
    });
    part.map(|part| made(part.to_owned()))
        .ok_or_else(|| ExecutionError::function_error("substring", ""))
}
