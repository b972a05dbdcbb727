//! The rules of the repository that a machine can check, as ordinary tests.
//!
//! Each check is a small function from files to findings. It runs over the tracked files, where it must find nothing,
//! and over a bad snippet, where it must find something: a check that cannot fail is not a check. Where rustc, rustdoc
//! or clippy can say it (`Cargo.toml`, `clippy.toml`), it is not repeated here.

mod code;
mod commands;
mod hints;
mod manifests;
mod prose;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A text file of the repository.
struct File {
    /// Where it is, from the root, with `/` between the parts.
    path: String,
    /// What it says.
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Tells whether the file's name ends in `.extension`.
    fn is(&self, extension: &str) -> bool {
        self.path
            .rsplit_once('.')
            .is_some_and(|(_, found)| found == extension)
    }

    /// Reports `what` about line `index`, counted from zero.
    fn finding(&self, index: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, index + 1)
    }
}

/// Returns the root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads the repository's text files, once for all tests.
fn repository() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let root = root();
        let mut paths = tracked(&root).unwrap_or_else(|| walked(&root));
        paths.sort();
        let read = |path: String| {
            let text = fs::read_to_string(root.join(&path)).ok()?;
            Some(File { path, text })
        };
        paths.into_iter().filter_map(read).collect()
    })
}

/// Asks git for the tracked files; `None` where there is no git or this is not a clone.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["ls-files", "-z"])
        .output()
        .ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<String> = listed.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

/// Walks an unpacked archive, where everything but what a build leaves behind belongs to the repository.
fn walked(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder)).expect("the repository can be read");
        for entry in entries {
            let entry = entry.expect("the repository can be read");
            let path = folder.join(entry.file_name());
            let name = path.to_string_lossy().replace('\\', "/");
            let kind = entry.file_type().expect("the repository can be read");
            if kind.is_file() {
                found.push(name);
            } else if kind.is_dir() && !matches!(name.as_str(), "target" | ".git" | ".cache") {
                folders.push(path);
            }
        }
    }
    found
}

/// Fails when there is a finding.
#[track_caller]
fn expect_none(findings: &[String]) {
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

/// Fails unless each snippet gives exactly the expected number of findings.
#[track_caller]
fn expect_counts(check: impl Fn(&File) -> Vec<String>, cases: &[(&str, &str, usize)]) {
    for (path, text, expected) in cases {
        let findings = check(&File::new(path, text));
        assert_eq!(
            findings.len(),
            *expected,
            "in {path}:\n{text}\nfindings: {findings:#?}"
        );
    }
}

#[test]
fn the_repository_is_read() {
    let paths: Vec<&str> = repository().iter().map(|file| file.path.as_str()).collect();
    for expected in [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "crates/trueup-core/src/lib.rs",
    ] {
        assert!(
            paths.contains(&expected),
            "{expected} is not among the files read"
        );
    }
}

#[test]
fn a_walk_finds_what_git_lists() {
    let walked = walked(&root());
    for path in tracked(&root()).unwrap_or_default() {
        assert!(
            walked.contains(&path) || !root().join(&path).exists(),
            "the walk misses {path}"
        );
    }
    assert!(!walked.iter().any(|path| path.starts_with("target/")));
}
