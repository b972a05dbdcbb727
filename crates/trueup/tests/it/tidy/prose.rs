//! What the documents and all other text may say, and that everything they point to is there.

use super::{File, expect_counts, expect_none, repository};
use std::collections::BTreeSet;
use trueup_core::error::Kind;

/// Markers that say the work is not done. Written apart, so that this file is clean.
const MARKERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Text about the machine or the tools it was written with, in lower case: it means nothing to a reader.
const FOREIGN_TEXT: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("cl", "aude"),
    concat!("anth", "ropic"),
    concat!("open", "ai"),
    concat!("chat", "gpt"),
    concat!("co", "pilot"),
    concat!("language", " model"),
    concat!("ai", "-generated"),
    concat!("ai", " assistant"),
    concat!("ai", " agent"),
    concat!("sub", "agent"),
    concat!("brief", ".md"),
    concat!("crates", ".io"),
    concat!("py", "pi.org"),
    concat!("python", "hosted"),
    concat!("npm", "js"),
    concat!("proxy.go", "lang"),
];

fn markdown() -> impl Iterator<Item = &'static File> {
    repository().iter().filter(|file| file.is("md"))
}

fn markers(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in words.filter(|word| MARKERS.contains(word)) {
            findings.push(file.finding(index, &format!("leftover marker {word}")));
        }
    }
    findings
}

fn foreign_text(file: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        // Cargo writes the registry's address into the lock file; that is the one place for it.
        if file.path == "Cargo.lock" && line.starts_with("source = ") {
            continue;
        }
        let line = line.to_lowercase();
        for text in FOREIGN_TEXT.iter().filter(|text| line.contains(**text)) {
            findings.push(file.finding(index, &format!("says {text}")));
        }
    }
    findings
}

/// Returns the lines of a Markdown file that are not code, with their indices.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    file.text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// A `docs.md` beside a module is the module's doc, to which rustdoc gives the title.
fn one_title(file: &File) -> Vec<String> {
    let titled = !file.path.ends_with("/docs.md");
    let titles: Vec<usize> = prose(file)
        .filter(|(_, line)| line.starts_with("# "))
        .map(|(index, _)| index)
        .collect();
    match titles[..] {
        [0] if titled => Vec::new(),
        [] if !titled => Vec::new(),
        [first, ..] if !titled => vec![file.finding(first, "has a title of its own")],
        [] => vec![file.finding(0, "has no title")],
        [first] => vec![file.finding(first, "does not begin with its title")],
        [_, second, ..] => vec![file.finding(second, "has a second title")],
    }
}

/// Returns the targets of `[text](target)` on a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|after| after.split_once(')'))
        .map(|(target, _)| target)
}

/// Resolves `target` against the file that names it; `None` when it leaves the repository.
fn resolved(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

/// Checks that relative links name a file or a folder of the repository.
fn broken_links(file: &File, paths: &BTreeSet<&str>) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in prose(file) {
        for target in links(line).filter(|target| !target.contains("://")) {
            let path = target.split('#').next().unwrap_or_default();
            let found = path.is_empty()
                || resolved(&file.path, path).is_some_and(|path| {
                    let folder = format!("{path}/");
                    paths
                        .iter()
                        .any(|known| *known == path || known.starts_with(&folder))
                });
            if !found {
                findings
                    .push(file.finding(index, &format!("links to {target}, which is not there")));
            }
        }
    }
    findings
}

/// Lists all kinds. The match breaks the build when a kind is added, the array's length when one is forgotten.
fn kinds() -> [&'static str; 10] {
    use Kind::{
        Auth, Bug, Config, Corrupt, Guard, Interrupted, Rejected, Stale, Throttled, Unavailable,
    };
    let place = |kind: Kind| match kind {
        Config => 0,
        Auth => 1,
        Unavailable => 2,
        Throttled => 3,
        Stale => 4,
        Rejected => 5,
        Corrupt => 6,
        Guard => 7,
        Interrupted => 8,
        Bug => 9,
    };
    let mut names = [""; 10];
    let all = [
        Config,
        Auth,
        Unavailable,
        Throttled,
        Stale,
        Rejected,
        Corrupt,
        Guard,
        Interrupted,
        Bug,
    ];
    for kind in all {
        names[place(kind)] = kind.name();
    }
    names
}

/// Compares the pages in `docs/errors` with the kinds of errors, both ways.
fn error_pages(paths: &BTreeSet<&str>, kinds: &[&str]) -> Vec<String> {
    let page = |path: &&str| {
        path.strip_prefix("docs/errors/")?
            .strip_suffix(".md")
            .map(str::to_owned)
    };
    let pages: BTreeSet<String> = paths.iter().filter_map(page).collect();
    let known: BTreeSet<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let missing = known
        .difference(&pages)
        .map(|kind| format!("docs/errors/{kind}.md is missing"));
    let others = pages.difference(&known).filter(|page| *page != "README");
    missing
        .chain(others.map(|page| format!("docs/errors/{page}.md names no kind")))
        .collect()
}

/// Finds case files that no test of their crate names: by their own name, or by their folder's.
fn lost_cases(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is("txt")) {
        let Some((_, inside)) = file.path.split_once("/cases/") else {
            continue;
        };
        let name = inside.rsplit('/').next().unwrap_or(inside);
        let folder = inside
            .strip_suffix(name)
            .unwrap_or_default()
            .trim_end_matches('/');
        let folder = format!("cases/{folder}").trim_end_matches('/').to_owned() + "\"";
        let owner: Vec<&str> = file.path.splitn(3, '/').take(2).collect();
        let owner = owner.join("/") + "/";
        let named = files.iter().any(|test| {
            let ours = test.is("rs") && test.path.starts_with(&owner);
            ours && (test.text.contains(name) || test.text.contains(&folder))
        });
        if !named {
            findings.push(file.finding(0, "no test names this case file"));
        }
    }
    findings
}

fn paths() -> BTreeSet<&'static str> {
    repository().iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn no_marker_is_left() {
    expect_none(&repository().iter().flat_map(markers).collect::<Vec<_>>());
    let marked = format!("// {}: later", MARKERS[0]);
    expect_counts(
        markers,
        &[
            ("a.rs", marked.as_str(), 1),
            ("a.md", "a list of todos\n", 0),
        ],
    );
}

#[test]
fn text_is_about_the_tool() {
    expect_none(
        &repository()
            .iter()
            .flat_map(foreign_text)
            .collect::<Vec<_>>(),
    );
    for text in FOREIGN_TEXT {
        let line = format!("source = \"{}\"\n", text.to_uppercase());
        expect_counts(
            foreign_text,
            &[("a.toml", &line, 1), ("Cargo.lock", &line, 0)],
        );
    }
}

#[test]
fn documents_have_one_title() {
    expect_none(&markdown().flat_map(one_title).collect::<Vec<_>>());
    let cases = [
        ("a.md", "# A\n\n## B\n\n```sh\n# not a title\n```\n", 0),
        ("a.md", "# A\n\n# B\n", 1),
        ("a.md", "## A\n", 1),
        ("src/a/docs.md", "Text.\n\n## A\n", 0),
        ("src/a/docs.md", "# A\n", 1),
        ("a.md", "text\n\n# A\n", 1),
    ];
    expect_counts(one_title, &cases);
}

#[test]
fn links_lead_somewhere() {
    let paths = paths();
    expect_none(
        &markdown()
            .flat_map(|file| broken_links(file, &paths))
            .collect::<Vec<_>>(),
    );
    let known = BTreeSet::from(["README.md", "docs/a.md", "docs/guide/b.md"]);
    let cases = [
        ("README.md", "[a](docs/a.md) and [b](docs/guide/)", 0),
        (
            "docs/guide/b.md",
            "[a](../a.md#title) [top](../../README.md) [here](#here)",
            0,
        ),
        (
            "docs/a.md",
            "[web](https://example.org/a.md) `a[i](j.md)`",
            1,
        ),
        (
            "docs/a.md",
            "[a](missing.md)\n```\n[a](missing.md)\n```\n",
            1,
        ),
        ("docs/a.md", "[a](../../README.md)", 1),
        ("docs/a.md", "[a](gui)", 1),
    ];
    expect_counts(|file| broken_links(file, &known), &cases);
}

#[test]
fn each_kind_of_error_has_a_page() {
    expect_none(&error_pages(&paths(), &kinds()));
    let pages = BTreeSet::from([
        "docs/errors/README.md",
        "docs/errors/auth.md",
        "docs/errors/old.md",
    ]);
    assert_eq!(error_pages(&pages, &["auth", "bug"]).len(), 2);
    assert_eq!(error_pages(&pages, &["auth", "old"]).len(), 0);
}

#[test]
fn each_case_file_is_used() {
    expect_none(&lost_cases(repository()));
    let files = [
        File::new("crates/a/src/x/cases/one.txt", ""),
        File::new("crates/a/src/cases/many/two.txt", ""),
        File::new("crates/a/src/cases/three.txt", ""),
        File::new(
            "crates/a/src/x/tests.rs",
            "check(\"one.txt\"); all(\"src/cases/many\");",
        ),
        File::new("crates/b/src/tests.rs", "check(\"three.txt\");"),
    ];
    let findings = lost_cases(&files);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("three.txt"), "{findings:?}");
}
