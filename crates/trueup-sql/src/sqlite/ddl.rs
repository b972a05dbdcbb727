//! Reads what SQLite's own catalogue does not say from the statement that created a table: checks, generated fields, names of
//! foreign keys.
//!
//! Invariant: what is returned is a piece of the statement, cut at its own tokens and without comments, so that it can stand
//! before anything else on a line; a statement that reads in no known way gives nothing, and nothing is guessed.

use std::ops::Range;

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    place: Range<usize>,
    /// The word in capitals, or the sign; empty for texts, and for names in quotes.
    word: String,
    /// How many brackets are open around it.
    depth: usize,
}

/// A check of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: Option<String>,
    pub(super) expression: String,
}

/// What follows a foreign key that the catalogue does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) name: Option<String>,
    /// Set where it may be checked later; true where it is unless one asks otherwise.
    pub(super) deferrable: Option<bool>,
}

/// What a statement says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) checks: Vec<Check>,
    /// Generated fields: name, expression, whether it is kept.
    pub(super) generated: Vec<(String, String, bool)>,
    /// Fields that compare their texts in another way than by their bytes, and in which.
    pub(super) collations: Vec<(String, String)>,
    /// What else than a refusal a broken constraint leads to: the field, or the kind of a constraint of several, and what.
    pub(super) conflicts: Vec<(String, String)>,
    /// In the order in which they are declared.
    pub(super) references: Vec<Reference>,
    pub(super) autoincrement: bool,
}

/// Reads `CREATE TABLE name (...)`.
pub(super) fn table(sql: &str) -> Table {
    let tokens = tokens(sql);
    let mut out = Table::default();
    let inside: Vec<Token> = tokens.into_iter().filter(|token| token.depth > 0).collect();
    for part in inside.split(|token| token.word == "," && token.depth == 1) {
        definition(sql, part, &mut out);
    }
    out
}

/// Reads what follows the table's name in `CREATE INDEX name ON table (...) ...`.
pub(super) fn index_tail(sql: &str) -> Option<String> {
    let open = tokens(sql).into_iter().find(|token| token.word == "(")?;
    sql.get(open.place.start..).map(uncommented)
}

/// The text with a blank for each comment.
pub(super) fn uncommented(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut at = 0;
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.chars().next().map_or(1, |c| length(rest, c));
        let piece = rest.get(..length).unwrap_or("");
        out.push_str(if is_comment(rest) { " " } else { piece });
        at += length;
    }
    out.trim().to_owned()
}

/// Reads a default that is one name, in quotes or not: SQLite takes it for a text.
pub(super) fn text_default(text: &str) -> Option<String> {
    let first = text.chars().next()?;
    if length(text, first) != text.len() {
        return None;
    }
    let plain = first.is_ascii_alphabetic() || first == '_' || !first.is_ascii();
    let spoken = [
        "null",
        "true",
        "false",
        "current_date",
        "current_time",
        "current_timestamp",
    ];
    let meant = spoken.iter().any(|word| text.eq_ignore_ascii_case(word));
    (matches!(first, '"' | '`' | '[') || (plain && !meant)).then(|| bare(text))
}

fn is_comment(rest: &str) -> bool {
    rest.starts_with("--") || rest.starts_with("/*")
}

/// Reads a column or a constraint of the table.
fn definition(sql: &str, part: &[Token], out: &mut Table) {
    let Some(first) = part.first() else { return };
    let constraint = ["CONSTRAINT", "CHECK", "FOREIGN", "UNIQUE", "PRIMARY"];
    let column = (!constraint.contains(&first.word.as_str())).then(|| name(sql, first));
    let mut named = None;
    let mut at = 0;
    while let Some(token) = part.get(at) {
        if token.depth != 1 {
            at += 1;
            continue;
        }
        let next = part.get(at + 1);
        match (token.word.as_str(), next) {
            ("CONSTRAINT", Some(next)) => {
                named = Some(name(sql, next));
                at += 1;
            }
            ("CHECK", Some(next)) => {
                if let Some(expression) = bracketed(sql, part, next) {
                    let name = named.take();
                    out.checks.push(Check { name, expression });
                }
            }
            ("AS", Some(next)) if at > 0 => {
                if let (Some(column), Some(expression)) = (&column, bracketed(sql, part, next)) {
                    let stored = part
                        .iter()
                        .any(|token| token.depth == 1 && token.word == "STORED");
                    out.generated.push((column.clone(), expression, stored));
                }
            }
            ("COLLATE", Some(next)) => {
                let collation = name(sql, next);
                if let Some(column) = column
                    .as_ref()
                    .filter(|_| !collation.eq_ignore_ascii_case("binary"))
                {
                    out.collations.push((column.clone(), collation));
                }
            }
            ("ON", Some(next)) if next.word == "CONFLICT" => {
                let what = part.get(at + 2).map_or("", |what| what.word.as_str());
                if what != "ABORT" {
                    let field = { column.clone() }.unwrap_or_else(|| first.word.to_lowercase());
                    out.conflicts.push((field, format!("ON CONFLICT {what}")));
                }
            }
            ("AUTOINCREMENT", _) => out.autoincrement = true,
            ("REFERENCES", _) => out.references.push(Reference {
                name: named.take(),
                deferrable: None,
            }),
            ("DEFERRABLE", next) => {
                let negated = at > 0 && part.get(at - 1).is_some_and(|last| last.word == "NOT");
                let deferred = part.get(at + 2).is_some_and(|word| word.word == "DEFERRED");
                let initially = next.is_some_and(|next| next.word == "INITIALLY");
                if let Some(last) = out.references.last_mut().filter(|_| !negated) {
                    last.deferrable = Some(initially && deferred);
                }
            }
            ("NOT" | "NULL" | "UNIQUE" | "PRIMARY" | "DEFAULT" | "GENERATED", _) => named = None,
            _ => {}
        }
        at += 1;
    }
}

/// The text in the bracket that `open` opens.
fn bracketed(sql: &str, part: &[Token], open: &Token) -> Option<String> {
    if open.word != "(" {
        return None;
    }
    let after = part
        .iter()
        .filter(|token| token.place.start > open.place.start);
    let close = { after }.find(|token| token.word == ")" && token.depth == open.depth)?;
    let text = sql.get(open.place.end..close.place.start)?;
    Some(uncommented(text))
}

/// A name without its quotes.
fn name(sql: &str, token: &Token) -> String {
    bare(sql.get(token.place.clone()).unwrap_or(""))
}

fn bare(text: &str) -> String {
    for (open, close) in [('"', '"'), ('`', '`'), ('[', ']'), ('\'', '\'')] {
        let inner = text
            .strip_prefix(open)
            .and_then(|text| text.strip_suffix(close));
        if let Some(inner) = inner {
            let twice = format!("{close}{close}");
            return inner.replace(&twice, &close.to_string());
        }
    }
    text.to_owned()
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = sql.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = sql.get(at..).unwrap_or("");
        let length = length(rest, c);
        let comment = is_comment(rest);
        let place = at..at + length;
        at += length;
        if c.is_ascii_whitespace() || comment {
            continue;
        }
        let plain = !matches!(c, '\'' | '"' | '`' | '[');
        let word = if plain {
            sql.get(place.clone()).unwrap_or("").to_ascii_uppercase()
        } else {
            String::new()
        };
        // A bracket belongs to what it opens or closes from the outside.
        match c {
            '(' => {
                tokens.push(Token { place, word, depth });
                depth += 1;
            }
            ')' => {
                depth = depth.saturating_sub(1);
                tokens.push(Token { place, word, depth });
            }
            _ => tokens.push(Token { place, word, depth }),
        }
    }
    tokens
}

/// How many bytes the token at the beginning of `rest` has, whose first character is `c`.
fn length(rest: &str, c: char) -> usize {
    let close = match c {
        '\'' | '"' | '`' => c,
        '[' => ']',
        _ if rest.starts_with("--") => return rest.find('\n').unwrap_or(rest.len()),
        _ if rest.starts_with("/*") => {
            let inside = rest.get(2..).unwrap_or("");
            return inside.find("*/").map_or(rest.len(), |at| at + 4);
        }
        _ if c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii() => {
            let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
            let end = rest.find(|c: char| c.is_ascii() && !of_name(c));
            return end.unwrap_or(rest.len());
        }
        _ => return c.len_utf8(),
    };
    let mut at = c.len_utf8();
    while let Some(next) = rest.get(at..).and_then(|rest| rest.find(close)) {
        at += next + close.len_utf8();
        let doubled = rest.get(at..).is_some_and(|rest| rest.starts_with(close));
        if !doubled || close == ']' {
            return at;
        }
        at += close.len_utf8();
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_read_piece_by_piece() {
        let sql = "CREATE TABLE \"a (b\" (\n id INTEGER PRIMARY KEY AUTOINCREMENT, -- a, comment (\n\
                   [na me] TEXT COLLATE NOCASE NOT NULL CONSTRAINT \"it's\" CHECK (length(\"na me\") < 5 /* ) */),\n\
                   twice INT GENERATED ALWAYS AS (id * 2) STORED, thrice AS (id || ')'),\n\
                   p INT CONSTRAINT up REFERENCES a DEFERRABLE INITIALLY DEFERRED, q REFERENCES b NOT DEFERRABLE,\n\
                   CHECK (p <> q), CONSTRAINT two FOREIGN KEY (p, q) REFERENCES c (x, y) ON DELETE CASCADE)";
        let found = table(sql);
        let check = |name: Option<&str>, expression: &str| Check {
            name: name.map(str::to_owned),
            expression: expression.to_owned(),
        };
        assert_eq!(
            found.checks,
            [
                check(Some("it's"), "length(\"na me\") < 5"),
                check(None, "p <> q")
            ]
        );
        let generated = |name: &str, text: &str, kept| (name.to_owned(), text.to_owned(), kept);
        assert_eq!(
            found.generated,
            [
                generated("twice", "id * 2", true),
                generated("thrice", "id || ')'", false)
            ]
        );
        assert_eq!(
            found.collations,
            [("na me".to_owned(), "NOCASE".to_owned())]
        );
        let reference = |name: Option<&str>, deferrable| Reference {
            name: name.map(str::to_owned),
            deferrable,
        };
        assert_eq!(
            found.references,
            [
                reference(Some("up"), Some(true)),
                reference(None, None),
                reference(Some("two"), None)
            ]
        );
        assert!(found.autoincrement);
        let tail = index_tail("CREATE UNIQUE INDEX \"a(\" ON \"b(\" (x DESC) WHERE y > 0");
        assert_eq!(tail.as_deref(), Some("(x DESC) WHERE y > 0"));
        for hostile in [
            "",
            "/*/",
            "(",
            ")",
            "CREATE TABLE",
            "'",
            "\"",
            "((((",
            "/*",
            "CREATE TABLE é (é",
        ] {
            drop(table(hostile));
        }
    }

    #[test]
    fn what_is_cut_out_holds_no_comment() {
        let sql = "CREATE TABLE t (a INT CHECK (a > 0 -- positive\n), CHECK (1 /*/ ) */ <> '-- /*'),\n\
                   b AS (a -- x\n + 1 /*\n*/))";
        let found = table(sql);
        let checks: Vec<&str> = { found.checks.iter() }
            .map(|check| check.expression.as_str())
            .collect();
        assert_eq!(checks, ["a > 0", "1   <> '-- /*'"]);
        assert_eq!(found.generated[0].1, "a  \n + 1");
        let tail = index_tail("CREATE INDEX i ON t (a) WHERE a > 0 -- x");
        assert_eq!(tail.as_deref(), Some("(a) WHERE a > 0"));
    }

    #[test]
    fn a_default_that_is_a_name_is_a_text() {
        for (given, expected) in [
            ("abc", Some("abc")),
            ("\"a \"\"b\"", Some("a \"b")),
            ("[a b]", Some("a b")),
            ("\"true\"", Some("true")),
            ("true", None),
            ("current_timestamp", None),
            ("NULL", None),
            ("x'00'", None),
            ("0x1F", None),
            ("'abc'", None),
            ("abs(1)", None),
            ("\"a\" || \"b\"", None),
        ] {
            assert_eq!(text_default(given).as_deref(), expected, "{given}");
        }
    }
}
