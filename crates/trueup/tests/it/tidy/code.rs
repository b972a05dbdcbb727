//! What Rust files look like: how long they are, how they begin, which words they use.

use super::{File, expect_counts, expect_none, repository};

/// A file of more lines needs a reason in [`LONG_FILES`].
const FILE_LINES_MAX: usize = 500;
/// No reason is good enough for more.
const FILE_LINES_STOP: usize = 800;
/// A function of more lines needs a reason in [`LONG_FUNCTIONS`]. Blank lines and comments do not count.
const FUNCTION_LINES_MAX: usize = 70;

/// Files that may be long: path, lines, why. The number only ever goes down; an entry that is no longer needed goes.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Functions that may be long: path, name, lines, why.
const LONG_FUNCTIONS: &[(&str, &str, usize, &str)] = &[
    (
        "crates/trueup-sql/src/csv/tests/infer.rs",
        "a_type_is_what_every_value_fits_exactly",
        73,
        "one table of cases",
    ),
    (
        "crates/trueup-sql/src/postgres/tests/design.rs",
        "core_types_are_created_as_types_that_hold_them",
        80,
        "one table of cases",
    ),
];

/// Parts of names that say nothing, or that the glossary has another word for.
const BANNED_PARTS: &[(&str, &str)] = &[
    ("src", "say source"),
    ("dst", "say target"),
    ("manager", "say what it does"),
    ("helper", "say what it does"),
    ("helpers", "say what it does"),
    ("util", "say what it does"),
    ("utils", "say what it does"),
];

/// Names that other crates chose.
const FOREIGN_NAMES: &[&str] = &["futures_util", "tokio_util"];

fn rust_files() -> impl Iterator<Item = &'static File> {
    repository().iter().filter(|file| file.is("rs"))
}

fn file_length(file: &File, reasons: &[(&str, usize, &str)]) -> Vec<String> {
    let lines = file.text.lines().count();
    let entry = reasons.iter().find(|(path, ..)| *path == file.path);
    let allowed = entry
        .map_or(FILE_LINES_MAX, |(_, lines, _)| *lines)
        .min(FILE_LINES_STOP);
    let mut findings = Vec::new();
    if lines > allowed {
        findings.push(file.finding(lines - 1, &format!("the file passes {allowed} lines")));
    }
    if entry.is_some() && lines <= FILE_LINES_MAX {
        findings.push(file.finding(0, "the file needs no reason any more; remove its entry"));
    }
    findings
}

/// Relies on rustfmt: a function ends at the first closing brace that stands as deep as its first line.
fn function_length(file: &File, reasons: &[(&str, &str, usize, &str)]) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |(at, line): (usize, &&str)| {
            // A declaration without a body, a body on one line, or the closing brace.
            let Some(inner) = line.strip_prefix(indent) else {
                return false;
            };
            let declared = inner.ends_with(';') && (at == 0 || inner.starts_with(')'));
            declared || inner == "}" || (at == 0 && inner.ends_with('}'))
        };
        let Some(length) = lines[index..].iter().enumerate().position(ends) else {
            continue;
        };
        let function = lines[index..index + length].iter();
        let body = function.skip_while(|line| !line.ends_with('{')).skip(1);
        let body =
            body.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"));
        let body = body.count();
        let listed = reasons
            .iter()
            .find(|entry| entry.0 == file.path && entry.1 == name);
        let allowed = listed.map_or(FUNCTION_LINES_MAX, |entry| entry.2);
        if body > allowed {
            let what = format!("function {name} has {body} lines, {allowed} are allowed");
            findings.push(file.finding(index, &what));
        }
    }
    findings
}

/// Returns the name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifier = |word: &str| {
        matches!(word, "const" | "async" | "unsafe" | "extern" | "pub")
            || word.starts_with("pub(")
            || word == "\"C\""
    };
    let name = after
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    (before.split_whitespace().all(qualifier) && !name.is_empty()).then_some(name)
}

/// A `tests.rs` or `tests/` belongs to the module beside it, and needs no doc of its own. An endpoint's doc is its `docs.md`.
fn module_doc(file: &File) -> Vec<String> {
    let tests = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    let product = file.path.contains("/src/") && !tests;
    let documented = ["//! ", "#![doc = include_str!(\"docs.md\")]"];
    if !product || documented.iter().any(|begin| file.text.starts_with(begin)) {
        return Vec::new();
    }
    vec![file.finding(0, "does not begin with a module doc (`//! ...`)")]
}

fn banned_names(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in without_comments_and_strings(&file.text).lines().enumerate() {
        let names = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        for name in names.filter(|name| !FOREIGN_NAMES.contains(name)) {
            let parts = parts(name);
            for (banned, advice) in BANNED_PARTS {
                if parts.iter().any(|part| part == banned) {
                    findings.push(file.finding(index, &format!("the name {name}: {advice}")));
                }
            }
        }
    }
    findings
}

/// Takes `snake_case` and `CamelCase` names apart, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before_is_lower = false;
    for c in name.chars() {
        let starts = c == '_' || (c.is_uppercase() && before_is_lower);
        if starts {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| c != '_') {
            part.extend(c.to_lowercase());
        }
        before_is_lower = c.is_lowercase() || c.is_numeric();
    }
    parts
}

/// Blanks out what is not code, keeping the lines.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped(rest);
        if skipped == 0 {
            code.push(first);
            // A raw identifier or a name that ends in r must not look like the start of a raw string.
            let name = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let word = name.max(first.len_utf8());
            code.push_str(&rest[first.len_utf8()..word]);
            rest = &rest[word..];
            continue;
        }
        code.push(' ');
        code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        rest = &rest[skipped..];
    }
    code
}

/// Returns how many bytes of comment or literal stand at the beginning of `rest`.
fn skipped(rest: &str) -> usize {
    let until = |start: usize, end: &str| {
        rest[start..]
            .find(end)
            .map_or(rest.len(), |at| start + at + end.len())
    };
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let start = rest.len() - raw.len() + hashes + 1;
            return until(start, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    let prefix = usize::from(rest.starts_with("b\"") || rest.starts_with("b'"));
    match rest.as_bytes().get(prefix) {
        Some(b'"') => quoted(rest, prefix, '"'),
        Some(b'\'') if is_char(&rest[prefix + 1..]) => quoted(rest, prefix, '\''),
        _ => 0,
    }
}

/// Tells a character from a lifetime by what follows the apostrophe.
fn is_char(after: &str) -> bool {
    let mut chars = after.chars();
    let first = chars.next();
    first == Some('\\') || chars.next() == Some('\'')
}

fn quoted(rest: &str, prefix: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest[prefix + 1..].char_indices() {
        if !escaped && c == quote {
            return prefix + 1 + at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    rest.len()
}

#[test]
fn files_are_short() {
    let findings: Vec<String> = rust_files()
        .flat_map(|f| file_length(f, LONG_FILES))
        .collect();
    expect_none(&findings);
    let reasons = [("a.rs", 600, "a table"), ("d.rs", 900, "a larger table")];
    let long = "x\n".repeat(501);
    let longer = "x\n".repeat(601);
    let stop = "x\n".repeat(801);
    let cases = [
        ("a.rs", long.as_str(), 0),
        ("a.rs", longer.as_str(), 1),
        ("a.rs", "x\n", 1),
        ("b.rs", long.as_str(), 1),
        ("c.rs", "x\n", 0),
        ("d.rs", stop.as_str(), 1),
    ];
    expect_counts(|file| file_length(file, &reasons), &cases);
}

#[test]
fn functions_are_short() {
    let check = |file: &File| function_length(file, LONG_FUNCTIONS);
    expect_none(&rust_files().flat_map(check).collect::<Vec<_>>());
    let body = |lines| {
        format!(
            "impl A {{\n    pub fn a(&self) {{\n{}    }}\n}}\n",
            "x;\n".repeat(lines)
        )
    };
    let parameters = format!(
        "fn a(\n{}) {{\n{}}}\n",
        "    x: u8,\n".repeat(9),
        "    x;\n".repeat(70)
    );
    let commented = format!("fn a() {{\n{}}}\n", "    // why\n\n".repeat(71));
    let apart = format!(
        "trait A {{\n    fn a();\n}}\nfn b() {{}}\n{}",
        "static X: u8 = 0;\n".repeat(71)
    );
    let cases = [
        ("a.rs", body(70), 0),
        ("a.rs", body(71), 1),
        ("b.rs", body(71), 0),
        ("b.rs", body(76), 1),
        ("a.rs", parameters, 0),
        ("a.rs", commented, 0),
        ("a.rs", apart, 0),
    ];
    let reasons = [("b.rs", "a", 75, "one arm per state")];
    for (path, text, expected) in cases {
        expect_counts(
            |file| function_length(file, &reasons),
            &[(path, &text, expected)],
        );
    }
}

#[test]
fn modules_say_why_they_exist() {
    expect_none(&rust_files().flat_map(module_doc).collect::<Vec<_>>());
    let cases = [
        ("crates/a/src/b.rs", "//! Says why.\n", 0),
        ("crates/a/src/b.rs", "use std::fs;\n//! late\n", 1),
        ("crates/a/src/b.rs", "", 1),
        ("crates/a/src/b/tests.rs", "use super::*;\n", 0),
        (
            "crates/a/src/b/mod.rs",
            "#![doc = include_str!(\"docs.md\")]\n",
            0,
        ),
    ];
    expect_counts(module_doc, &cases);
}

#[test]
fn names_follow_the_glossary() {
    expect_none(&rust_files().flat_map(banned_names).collect::<Vec<_>>());
    let cases = [
        ("a.rs", "let src = 1;", 1),
        ("a.rs", "fn copy(src_path: &str, to_dst: u8) {}", 2),
        (
            "a.rs",
            "struct StateManager;\nmod utils;\nstruct TextHelper2;",
            2,
        ),
        (
            "a.rs",
            "use futures_util::Sink; let source = \"src\"; // dst",
            0,
        ),
        (
            "a.rs",
            "let a = r#\"src \" dst\"#; let b = 'x'; /* util */ let c: &'static str = \"\\\"src\";",
            0,
        ),
        ("a.rs", "let quote = '\"'; let dst = '\\'';", 1),
        (
            "a.rs",
            "let br = 1; let for_r = br\"src\"; let resource = b\"dst\";",
            0,
        ),
    ];
    expect_counts(banned_names, &cases);
}
