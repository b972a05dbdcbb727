//! An error that the reader can do something about says what: it is made with a hint.

use super::{File, expect_counts, expect_none, repository};

/// How errors of these kinds begin: somebody has to change something before it goes on.
const BEGINNINGS: [&str; 5] = [
    "Error::config(",
    "Error::new(Kind::Config,",
    "Error::new(Kind::Auth,",
    "Error::new(Kind::Guard,",
    "Error::new(Kind::Unavailable,",
];

/// Places that add the hint later, or name what to do in the message, each with its reason.
const LATER: &[(&str, &str, &str)] = &[
    (
        "expression/show.rs",
        "",
        "the message shows the place in the expression",
    ),
    (
        "config/mistake.rs",
        "message",
        "each mistake has a help line of its own",
    ),
    (
        "plan/file.rs",
        "",
        "whoever reads the file says that it is no plan of trueup's",
    ),
    (
        "plan_file.rs",
        "",
        "the place adds that the plan is to be made anew",
    ),
    ("output/sink.rs", "what", "each use of it adds one"),
];

/// How many characters behind an error its hint stands at most, where it is kept under a name first.
const NEAR: usize = 400;

/// Finds errors without a hint.
fn without_hint(file: &File) -> Vec<String> {
    let ours = file.path.starts_with("crates/") && file.path.contains("/src/");
    let tests = ["/tests", "/sim/", "testing.rs", "trueup-testkit"];
    if !file.is("rs") || !ours || tests.iter().any(|part| file.path.contains(part)) {
        return Vec::new();
    }
    let code = file.text.split("#[cfg(test)]").next().unwrap_or_default();
    // As it would stand on one line.
    let mut lines = Vec::new();
    let mut flat = String::new();
    for (index, line) in code.lines().enumerate() {
        let line = line.trim();
        if !line.starts_with("//") {
            lines.push((flat.len(), index));
            flat.push_str(line);
            // Before a method or an argument there is no space.
            if !flat.ends_with(['(', ',']) {
                flat.push(' ');
            }
        }
    }
    let mut findings = Vec::new();
    for beginning in BEGINNINGS {
        for (at, _) in flat.match_indices(beginning) {
            let open = at + beginning.find('(').unwrap_or(0);
            let end = closed(&flat, open);
            let excused = LATER
                .iter()
                .any(|(path, part, _)| file.path.ends_with(path) && flat[at..end].contains(part));
            if !excused && !kept(&flat, at, end) && !methods(&flat[end..]).contains(&"hint") {
                let line = lines.iter().rev().find(|(start, _)| *start <= at);
                let line = line.map_or(0, |(_, line)| *line);
                findings.push(file.finding(line, "an error without a hint"));
            }
        }
    }
    findings
}

/// Tells whether the error is kept under a name first and gets its hint by that.
fn kept(flat: &str, at: usize, end: usize) -> bool {
    let rest: String = flat[end..].chars().take(NEAR).collect();
    flat[..at].ends_with("let error = ")
        && (rest.contains("error.hint(") || rest.contains("suggest(error"))
}

/// Returns where the bracket that opens at `open` is closed; brackets in texts come in pairs.
fn closed(text: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, ch) in text[open..].char_indices() {
        match ch {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return open + index + 1;
        }
    }
    text.len()
}

/// Returns the methods that are called on what ends here, also behind a bracket around it.
fn methods(text: &str) -> Vec<&str> {
    let mut rest = text;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        rest = rest.strip_prefix(')').unwrap_or(rest).trim_start();
        let Some((name, _)) = rest.strip_prefix('.').and_then(|rest| rest.split_once('(')) else {
            return found;
        };
        found.push(name);
        rest = &rest[closed(rest, name.len() + 1)..];
    }
}

#[test]
fn errors_say_what_to_do() {
    let findings = repository().iter().flat_map(without_hint);
    expect_none(&findings.collect::<Vec<_>>());
    let case = |body: &str| format!("fn a() {{\n    {body}\n}}\n");
    let cases = [
        (case("Err(Error::config(\"x\"))"), 1),
        (case("Err(Error::config(\"x\").hint(\"y\"))"), 0),
        (
            case("Error::config(format!(\n\"(x)\",\n))\n.at(\"z\")\n.hint(\"y\")"),
            0,
        ),
        (
            case("Error::new(\nKind::Unavailable,\n\"x\",\n)\n.cause(y)"),
            1,
        ),
        (case("Error::new(Kind::Stale, \"x\")"), 0),
        (case("// Error::config(\"x\")"), 0),
    ];
    for (text, expected) in &cases {
        expect_counts(without_hint, &[("crates/a/src/a.rs", text, *expected)]);
    }
    expect_counts(without_hint, &[("crates/a/src/a/tests.rs", &cases[0].0, 0)]);
}

/// Finds messages in the pages about errors that no code prints. A message begins an item of a list; `...` stands for
/// what differs each time.
fn not_printed(page: &File, code: &str) -> Vec<String> {
    if !page.path.starts_with("docs/errors/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let lines = page.text.lines().enumerate();
    let lines = lines.skip_while(|(_, line)| *line != "## Messages").skip(1);
    for (index, line) in lines.take_while(|(_, line)| !line.starts_with('#')) {
        let Some((messages, _)) = line.split_once("`:").or(line.split_once("` with ")) else {
            continue;
        };
        for message in messages.trim_start_matches("- ").split("`, `") {
            let parts = message.trim_matches('`').split("...").map(str::trim);
            for part in parts.filter(|part| !code.contains(part)) {
                findings.push(page.finding(index, &format!("no code says: {part}")));
            }
        }
    }
    findings
}

#[test]
fn messages_in_the_pages_about_errors_are_printed() {
    let code = repository().iter().filter(|file| file.is("rs"));
    let code = code.filter(|file| file.path.contains("/src/"));
    let code: String = code.map(|file| file.text.as_str()).collect();
    let findings = repository()
        .iter()
        .flat_map(|file| not_printed(file, &code));
    expect_none(&findings.collect::<Vec<_>>());
    let page =
        "# a\n\n## Messages\n\n- `no ... key`, `x`: do\n- `gone`: do\n\n## Example\n\n- `y`: do\n";
    let check = |file: &File| not_printed(file, "no key x");
    expect_counts(
        check,
        &[("docs/errors/a.md", page, 1), ("docs/a.md", page, 0)],
    );
}
