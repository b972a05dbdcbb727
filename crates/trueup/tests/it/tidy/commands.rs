//! Every command line of the documents is run by a test (`docs_commands.rs`), or is a synopsis that says so.

use super::{File, expect_counts, expect_none, repository};

/// Marks a block that shows how commands are written, with words in capitals for what the reader puts there.
const SYNOPSIS: &str = "<!-- synopsis -->";

/// A block between fences.
struct Block<'a> {
    /// The line before it.
    marker: &'a str,
    /// What stands in it, with the lines' indices.
    lines: Vec<(usize, &'a str)>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        match &mut open {
            _ if line.starts_with("```") => match open.take() {
                Some(block) => found.push(block),
                None => {
                    open = Some(Block {
                        marker: before,
                        lines: Vec::new(),
                    });
                }
            },
            Some(block) => block.lines.push((index, line)),
            None => {}
        }
        before = line;
    }
    found
}

fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let rest = line.strip_prefix("trueup ");
    rest.is_some_and(|rest| rest.starts_with(|ch: char| ch.is_ascii_lowercase() || ch == '-'))
}

/// Finds commands that nobody runs. `tests` is the text of the tests that run documents.
fn not_run(file: &File, tests: &str) -> Vec<String> {
    if !file.is("md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for block in blocks(&file.text) {
        let runs = block.marker.starts_with("<!-- run: ");
        let shown = block.marker.starts_with("<!-- output: ");
        let named = tests.contains(&format!("\"{}\"", file.path));
        for (index, line) in block.lines {
            if !is_command(line) || block.marker == SYNOPSIS {
                continue;
            }
            if !runs && !shown {
                findings.push(file.finding(index, "a command in a block that no test runs"));
            } else if !named {
                findings.push(file.finding(index, "a command in a document that no test runs"));
            }
        }
    }
    findings
}

#[test]
fn each_command_of_the_documents_is_run() {
    let mut tests = repository()
        .iter()
        .filter(|file| file.path.ends_with("docs_commands.rs"));
    let tests = &tests.next().expect("the tests are there").text;
    let findings = repository().iter().flat_map(|file| not_run(file, tests));
    expect_none(&findings.collect::<Vec<_>>());
    let cases = [
        ("a.md", "```sh\ntrueup sync a b\n```\n", 1),
        (
            "a.md",
            "<!-- run: 0 -->\n```sh\n$ trueup sync a b\ntrueup\n```\n",
            0,
        ),
        (
            "a.md",
            "<!-- synopsis -->\n```text\ntrueup sync SOURCE\n```\n",
            0,
        ),
        (
            "a.md",
            "<!-- output: x.sh -->\n```text\n$ trueup sync a\n```\n```sh\n  trueup diff\n```\n",
            1,
        ),
        ("b.md", "<!-- run: 0 -->\n```sh\ntrueup sync a b\n```\n", 1),
        ("b.md", "```text\ntrueup (binary)\n```\n", 0),
        ("b.md", "trueup sync\n```sh\nls\n```\n", 0),
        ("a.rs", "```sh\ntrueup sync a b\n```\n", 0),
    ];
    expect_counts(|file| not_run(file, "run(\"a.md\")"), &cases);
}
