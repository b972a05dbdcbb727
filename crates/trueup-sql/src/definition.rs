//! Words that definitions of several engines have in common: literals, the present time, names of what has none.
//!
//! What is not recognised for certain is left in the engine's own words: a default that means something else is worse than
//! one that is told to be missing.

use trueup_core::structure::{Built, DefaultValue, Literal, StepKind};
use trueup_core::types::Type;
use trueup_core::{Error, Kind, Result};

/// Reads what a catalogue says of a default; `None` where it is NULL, which is as good as none.
pub(crate) fn default_of(text: &str, ty: Type, backslashes: bool) -> Option<DefaultValue> {
    let bare = unwrapped(text);
    default(text, literal(bare, backslashes), ty)
}

/// The same in PostgreSQL's words, where a cast may stand behind a literal. `own` are the names of the field's own type: a
/// cast to another one may change the value, and is not thrown away.
pub(crate) fn default_cast(text: &str, ty: Type, own: &[String]) -> Option<DefaultValue> {
    let bare = unwrapped(text);
    if cast_away(bare, "NULL").is_some() {
        return None;
    }
    default(
        text,
        literal(bare, false).or_else(|| cast(bare, ty, own)),
        ty,
    )
}

fn default(text: &str, literal: Option<Literal>, ty: Type) -> Option<DefaultValue> {
    let bare = unwrapped(text);
    if bare.eq_ignore_ascii_case("null") {
        return None;
    }
    if let Some(literal) = literal {
        return Some(DefaultValue::Literal(literal));
    }
    if is_now(bare, ty) {
        return Some(DefaultValue::Now);
    }
    Some(DefaultValue::Other(text.to_owned()))
}

/// Reads a literal.
pub(crate) fn literal(text: &str, backslashes: bool) -> Option<Literal> {
    let (literal, rest) = leading(unwrapped(text), backslashes)?;
    rest.is_empty().then_some(literal)
}

/// Reads a literal with a cast behind it that leaves it what it is.
fn cast(text: &str, ty: Type, own: &[String]) -> Option<Literal> {
    let (literal, to) = match text.split_once("::") {
        Some((number, to)) if is_number(unwrapped(number)) => {
            (Literal::Number(unwrapped(number).to_owned()), to)
        }
        _ => {
            let (literal, rest) = leading(text, false)?;
            (literal, rest.strip_prefix("::")?)
        }
    };
    let whole = |number: &str| {
        number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    let same = match &literal {
        _ if own.iter().any(|own| own == to) => match &literal {
            // An integer in whose place a fraction stands is rounded by the cast.
            Literal::Number(number) => whole(number) || !matches!(ty, Type::Int { .. }),
            _ => true,
        },
        Literal::Number(number) => match to {
            "smallint" | "integer" | "bigint" => whole(number),
            _ => to == "numeric",
        },
        Literal::Text(_) => {
            matches!(ty, Type::Text { .. }) && matches!(to, "text" | "character varying")
        }
        Literal::Bool(_) => to == "boolean",
    };
    (same && is_type_name(to)).then_some(literal)
}

/// Reads the literal in front, and returns what follows it.
fn leading(bare: &str, backslashes: bool) -> Option<(Literal, &str)> {
    for (word, value) in [("true", true), ("false", false)] {
        if bare.eq_ignore_ascii_case(word) {
            return Some((Literal::Bool(value), ""));
        }
    }
    if is_number(bare) {
        return Some((Literal::Number(bare.to_owned()), ""));
    }
    let (quoted, escapes) = match bare.strip_prefix(['E', 'e']) {
        Some(quoted) => (quoted, true),
        None => (bare, backslashes),
    };
    let (value, rest) = unquoted(quoted, escapes)?;
    Some((Literal::Text(value), rest))
}

/// Reads a text in quotes, and returns what follows it.
fn unquoted(text: &str, backslashes: bool) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let at = rest.find(['\'', '\\'])?;
        let (before, from) = rest.split_at_checked(at)?;
        value.push_str(before);
        if let Some(after) = from.strip_prefix("''") {
            value.push('\'');
            rest = after;
        } else if let Some(after) = from.strip_prefix('\'') {
            return Some((value, after));
        } else {
            let mut chars = from.chars();
            chars.next();
            match (backslashes, chars.clone().next()?) {
                (false, _) => value.push('\\'),
                (true, escaped @ ('\'' | '"' | '\\')) => {
                    value.push(escaped);
                    chars.next();
                }
                // Others mean a character each, and not the same everywhere.
                (true, _) => return None,
            }
            rest = chars.as_str();
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let plain = |text: &str| {
        text.bytes().any(|byte| byte.is_ascii_digit())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
            && text.matches('.').count() <= 1
    };
    plain(mantissa) && plain(exponent) && !exponent.contains('.')
}

/// Whether nothing but the name of a type is there.
fn is_type_name(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "_ \".,()[]".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// The cast's type, where `text` is `word` with one behind it.
fn cast_away<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?.strip_prefix("::")?;
    is_type_name(rest).then_some(rest)
}

/// Takes away brackets around the whole, and blanks.
pub(crate) fn unwrapped(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
    {
        if !is_closed(inner) {
            break;
        }
        text = inner.trim();
    }
    text
}

/// Whether no bracket is closed that was not opened; texts in quotes count for nothing.
fn is_closed(text: &str) -> bool {
    let (mut depth, mut quoted) = (0_i32, false);
    for c in text.chars() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && !quoted
}

/// Whether the text stands for the time of the insert, as a field of that type has it.
fn is_now(text: &str, ty: Type) -> bool {
    let lower = text.to_ascii_lowercase();
    // How many digits of a second are kept is the field's business.
    let name = match lower.split_once('(') {
        Some((name, rest)) => {
            let digits = rest.strip_suffix(')').unwrap_or("?");
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return false;
            }
            name
        }
        None => lower.as_str(),
    };
    let words: &[&str] = match ty {
        Type::Date => &["current_date", "curdate"],
        Type::Time => &["current_time", "localtime", "curtime"],
        Type::Timestamp | Type::Instant => &[
            "current_timestamp",
            "now",
            "localtimestamp",
            "transaction_timestamp",
        ],
        _ => &[],
    };
    words.contains(&name)
}

/// What an index or constraint without a name is called, from the fields it is on.
pub(crate) fn unnamed<'a>(
    collection: &str,
    fields: impl Iterator<Item = &'a str>,
    what: &str,
) -> String {
    let mut name = collection.rsplit('.').next().unwrap_or("").to_owned();
    for field in fields {
        name.push('_');
        name.push_str(field);
    }
    format!("{name}_{what}")
}

/// Takes a refused statement as what became of its step; what says nothing about the step stays an error.
pub(crate) fn built(kind: StepKind, done: Result<()>) -> Result<Built> {
    let error = match done {
        Ok(()) => return Ok(Built::Done),
        Err(error) => error,
    };
    match error.kind() {
        Kind::Config | Kind::Auth | Kind::Rejected => Ok(refused(kind, &error)),
        _ => Err(error),
    }
}

fn refused(kind: StepKind, error: &Error) -> Built {
    let hint = match (error.kind(), kind) {
        (Kind::Auth, _) => error.advice().map(str::to_owned),
        (_, StepKind::Key) => Some(
            "the records are in place; mend the cause, then run again: the key is built first"
                .to_owned(),
        ),
        (_, StepKind::Unique) => Some(
            "records have the same values there; mend them at the source, then run again"
                .to_owned(),
        ),
        (_, StepKind::ForeignKey) => Some(
            "records refer to some that are not there, or not to a key (parked ones are not there either); mend that, \
             then run again"
                .to_owned(),
        ),
        (_, StepKind::Check) => {
            Some("records do not meet it; mend them at the source, then run again".to_owned())
        }
        _ => Some("the next run tries it again; see the server's log for more".to_owned()),
    };
    Built::Refused {
        reason: error.message().to_owned(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_read_as_what_they_mean_or_left_in_the_engines_words() {
        let text = |text: &str| Some(DefaultValue::Literal(Literal::Text(text.to_owned())));
        let number = |text: &str| Some(DefaultValue::Literal(Literal::Number(text.to_owned())));
        let other = |text: &str| Some(DefaultValue::Other(text.to_owned()));
        let now = || Some(DefaultValue::Now);
        for (given, ty, expected) in [
            ("'new'::character varying", Type::TEXT, text("new")),
            ("'it''s'::text", Type::TEXT, text("it's")),
            ("E'a\\\\b'::text", Type::TEXT, text("a\\b")),
            ("''", Type::TEXT, text("")),
            ("'{}'::text[]", Type::Any, text("{}")),
            ("'a'::public.\"Mood\"", Type::TEXT, text("a")),
            ("5", Type::INT, number("5")),
            ("(-1)", Type::INT, number("-1")),
            ("'-5'::integer", Type::INT, text("-5")),
            ("(5)::bigint", Type::INT, number("5")),
            ("(3.7)::integer", Type::INT, other("(3.7)::integer")),
            ("0.1::real", Type::FLOAT, other("0.1::real")),
            (
                "'2024-01-01 12:00:00'::date",
                Type::Timestamp,
                other("'2024-01-01 12:00:00'::date"),
            ),
            (
                "'abcd'::character varying(3)",
                Type::TEXT,
                other("'abcd'::character varying(3)"),
            ),
            ("(0)::numeric", Type::DECIMAL, number("0")),
            ("1.5e-3", Type::FLOAT, number("1.5e-3")),
            (
                "true",
                Type::Bool,
                Some(DefaultValue::Literal(Literal::Bool(true))),
            ),
            ("NULL::character varying", Type::TEXT, None),
            ("NULL", Type::TEXT, None),
            ("now()", Type::Instant, now()),
            ("CURRENT_TIMESTAMP", Type::Timestamp, now()),
            ("current_timestamp(6)", Type::Timestamp, now()),
            ("CURRENT_DATE", Type::Date, now()),
            ("now()", Type::TEXT, other("now()")),
            ("CURRENT_DATE", Type::Timestamp, other("CURRENT_DATE")),
            (
                "('a'::text || 'b'::text)",
                Type::TEXT,
                other("('a'::text || 'b'::text)"),
            ),
            ("'a' || 'b'", Type::TEXT, other("'a' || 'b'")),
            ("(1 + 2)", Type::INT, other("(1 + 2)")),
            ("gen_random_uuid()", Type::Uuid, other("gen_random_uuid()")),
            ("1-2", Type::INT, other("1-2")),
        ] {
            let own = ["integer", "public.\"Mood\"", "text[]"].map(str::to_owned);
            assert_eq!(default_cast(given, ty, &own), expected, "{given} {ty}");
        }
        assert_eq!(default_of("'a\\'b'", Type::TEXT, true), text("a'b"));
        assert_eq!(default_of("'a\\nb'", Type::TEXT, true), other("'a\\nb'"));
    }

    #[test]
    fn brackets_are_taken_away_only_around_the_whole() {
        for (given, expected) in [
            ("((1))", "1"),
            ("(a) + (b)", "(a) + (b)"),
            ("(')')", "')'"),
            (" x ", "x"),
        ] {
            assert_eq!(unwrapped(given), expected);
        }
    }
}
