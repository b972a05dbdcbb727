//! How the crates may depend on each other and on the world (ARCHITECTURE.md, "Crates").

use super::{File, expect_counts, expect_none, repository};
use std::collections::BTreeMap;

/// Which of our crates a crate may use, and which it may use in its own tests besides. A new crate gets a line here.
const ARROWS: &[(&str, &[&str], &[&str])] = &[
    ("trueup-core", &[], &[]),
    ("trueup-testkit", &["trueup-core"], &[]),
    ("trueup-engine", &["trueup-core"], &["trueup-testkit"]),
    ("trueup-sql", &["trueup-core"], &["trueup-testkit"]),
    ("trueup-files", &["trueup-core"], &["trueup-testkit"]),
    ("trueup-apps", &["trueup-core"], &["trueup-testkit"]),
    ("trueup-replica", &["trueup-core"], &["trueup-testkit"]),
    ("trueup-fleet", &["trueup-core"], &["trueup-testkit"]),
    (
        "trueup",
        &[
            "trueup-core",
            "trueup-engine",
            "trueup-sql",
            "trueup-files",
            "trueup-apps",
            "trueup-fleet",
        ],
        &["trueup-testkit", "trueup-replica"],
    ),
];

/// What the core may use: pure code only.
const CORE_DEPENDENCIES: &[&str] = &["memchr", "serde_json", "xxhash-rust"];

/// The most packages the lock file may name.
const PACKAGES_MAX: usize = 400;
/// Packages that would ask more of a build machine than a C compiler, or bring a second TLS stack.
const BANNED_PACKAGES: &[&str] = &["openssl-sys", "aws-lc-sys", "bindgen", "cmake"];
/// Packages of which one version is enough.
const SINGLE_PACKAGES: &[&str] = &["rustls", "reqwest"];

/// A dependency as a manifest names it.
struct Dependency {
    line: usize,
    name: String,
    test_only: bool,
}

fn crate_manifests() -> impl Iterator<Item = &'static File> {
    let is_crate =
        |file: &&File| file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml");
    repository().iter().filter(is_crate)
}

fn package_name(manifest: &File) -> &str {
    let line = manifest
        .text
        .lines()
        .find_map(|line| line.strip_prefix("name = \""));
    line.map_or("", |line| line.trim_end_matches('"'))
}

/// Reads the dependency tables, in each of the forms cargo knows.
fn dependencies(manifest: &File) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut table = String::new();
    for (line, text) in manifest.text.lines().map(str::trim).enumerate() {
        if let Some(header) = text.strip_prefix('[') {
            table = header.trim_end_matches(']').trim_matches('[').to_owned();
            if let Some((owner, name)) = table.rsplit_once("dependencies.") {
                let test_only = owner.ends_with("dev-");
                found.push(Dependency {
                    line,
                    name: name.to_owned(),
                    test_only,
                });
            }
        } else if table.ends_with("dependencies") && !text.is_empty() && !text.starts_with('#') {
            let end = text.find(['.', '=', ' ']).unwrap_or(text.len());
            let name = text[..end].trim_matches('"').to_owned();
            found.push(Dependency {
                line,
                name,
                test_only: table.ends_with("dev-dependencies"),
            });
        }
    }
    found
}

fn arrows(manifest: &File) -> Vec<String> {
    let name = package_name(manifest);
    let Some((_, always, in_tests)) = ARROWS.iter().find(|(listed, ..)| *listed == name) else {
        return vec![manifest.finding(0, "the crate is missing in the list of arrows")];
    };
    let mut findings = Vec::new();
    for dependency in dependencies(manifest)
        .iter()
        .filter(|d| d.name.starts_with("trueup"))
    {
        let target = dependency.name.as_str();
        let allowed =
            always.contains(&target) || (dependency.test_only && in_tests.contains(&target));
        if !allowed {
            findings
                .push(manifest.finding(dependency.line, &format!("{name} may not use {target}")));
        }
    }
    findings
}

fn core_dependencies(manifest: &File) -> Vec<String> {
    let mut findings = Vec::new();
    for dependency in dependencies(manifest).iter().filter(|d| !d.test_only) {
        if !CORE_DEPENDENCIES.contains(&dependency.name.as_str()) {
            let what = format!("the core may not use {}", dependency.name);
            findings.push(manifest.finding(dependency.line, &what));
        }
    }
    findings
}

fn workspace_lints(manifest: &File) -> Vec<String> {
    if manifest.text.contains("[lints]\nworkspace = true") {
        return Vec::new();
    }
    vec![manifest.finding(0, "the crate does not take the workspace's lints")]
}

fn locked_packages(lock: &File) -> Vec<String> {
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for name in lock
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("name = \""))
    {
        *versions.entry(name.trim_end_matches('"')).or_default() += 1;
    }
    let mut findings = Vec::new();
    let count: usize = versions.values().sum();
    if count > PACKAGES_MAX {
        findings.push(format!(
            "{count} packages are locked, {PACKAGES_MAX} are allowed"
        ));
    }
    for name in BANNED_PACKAGES
        .iter()
        .filter(|name| versions.contains_key(**name))
    {
        findings.push(format!("{name} is locked"));
    }
    for name in SINGLE_PACKAGES {
        let count = versions.get(name).copied().unwrap_or(0);
        if count > 1 {
            findings.push(format!("{count} versions of {name} are locked"));
        }
    }
    findings
}

/// Clippy merges nothing, so the core's settings must repeat the workspace's.
fn missing_settings(ours: &str, general: &str) -> Vec<String> {
    let settings = general
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#') && line.len() > 1);
    let missing = settings.filter(|line| !ours.lines().any(|our| our.trim() == *line));
    missing
        .map(|line| format!("crates/trueup-core/clippy.toml misses: {line}"))
        .collect()
}

#[track_caller]
fn file(path: &str) -> &'static File {
    let found = repository().iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("{path} is not tracked"))
}

#[test]
fn crates_keep_to_the_arrows() {
    expect_none(&crate_manifests().flat_map(arrows).collect::<Vec<_>>());
    let engine = "name = \"trueup-engine\"\n[dependencies]\n";
    let cases = [
        (
            "a",
            format!("{engine}trueup-core.workspace = true\nserde = \"1\"\n"),
            0,
        ),
        ("a", format!("{engine}trueup-sql.workspace = true\n"), 1),
        (
            "a",
            format!("{engine}trueup-sql = {{ workspace = true }}\n"),
            1,
        ),
        ("a", format!("{engine}trueup-testkit.workspace = true\n"), 1),
        (
            "a",
            format!("{engine}[dev-dependencies]\ntrueup-testkit.workspace = true\n"),
            0,
        ),
        (
            "a",
            format!("{engine}[dev-dependencies]\ntrueup-sql.workspace = true\n"),
            1,
        ),
        (
            "a",
            format!("{engine}[dependencies.trueup-sql]\nworkspace = true\n"),
            1,
        ),
        (
            "a",
            format!("{engine}[target.'cfg(unix)'.dependencies]\ntrueup-sql = \"1\"\n"),
            1,
        ),
        (
            "a",
            "name = \"trueup-testkit\"\n[dev-dependencies]\ntrueup-engine = \"1\"\n".to_owned(),
            1,
        ),
        (
            "a",
            "name = \"trueup-core\"\n[dev-dependencies]\ntrueup-testkit = \"1\"\n".to_owned(),
            1,
        ),
        ("a", "name = \"trueup-common\"\n".to_owned(), 1),
    ];
    for (path, text, expected) in &cases {
        expect_counts(arrows, &[(path, text, *expected)]);
    }
}

#[test]
fn the_core_uses_pure_crates_only() {
    expect_none(&core_dependencies(file("crates/trueup-core/Cargo.toml")));
    let cases = [
        (
            "a",
            "[dependencies]\nmemchr.workspace = true\n[dev-dependencies]\nproptest = \"1\"\n",
            0,
        ),
        ("a", "[dependencies]\ntokio.workspace = true\n", 1),
        ("a", "[build-dependencies]\ncc = \"1\"\n", 1),
    ];
    expect_counts(core_dependencies, &cases);
}

#[test]
fn crates_take_the_workspace_lints() {
    expect_none(
        &crate_manifests()
            .flat_map(workspace_lints)
            .collect::<Vec<_>>(),
    );
    expect_counts(workspace_lints, &[("a", "[lints]\nworkspace = false\n", 1)]);
    let (ours, general) = (file("crates/trueup-core/clippy.toml"), file("clippy.toml"));
    expect_none(&missing_settings(&ours.text, &general.text));
    assert_eq!(
        missing_settings("a = 1\n", "# why\na = 1\nb = [\n]\n").len(),
        1
    );
}

#[test]
fn few_packages_are_locked_and_none_that_is_banned() {
    expect_none(&locked_packages(file("Cargo.lock")));
    let package = |name: &str| format!("[[package]]\nname = \"{name}\"\n");
    let cases = [
        ("a", package("a").repeat(400), 0),
        ("a", package("a").repeat(401), 1),
        ("a", package("openssl-sys"), 1),
        ("a", package("rustls"), 0),
        ("a", package("rustls").repeat(2), 1),
    ];
    for (path, text, expected) in &cases {
        expect_counts(locked_packages, &[(path, text, *expected)]);
    }
}
