//! What a user sees, word for word: each text in `snapshots/` is a whole terminal, with the exit code at its end.
//!
//! `TRUEUP_UPDATE_CASES=1` writes the texts anew; read the difference before you commit it. Times, positions and the
//! version are replaced, because they are others each time.

use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::{Path, PathBuf};

const SIDES: [&str; 2] = ["csv:shop", "sqlite:shop.db"];
const KEYS: [&str; 4] = ["--key", "customers=id", "--key", "orders=id"];

/// Compares what a run printed with the snapshot of that name.
#[track_caller]
pub(crate) fn check(name: &str, output: &Output) {
    let Output {
        shown,
        folder,
        code,
        stdout,
        stderr,
    } = output;
    let folder = folder.display().to_string();
    let normal = |text: &str| normal(text).replace(&folder, "[folder]");
    let code = code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
    let mut seen = format!("$ {shown}\n{}", normal(stdout));
    if !stderr.is_empty() {
        seen.push_str(&format!("--- standard error\n{}", normal(stderr)));
    }
    seen.push_str(&format!("--- exit code {code}\n"));
    let path = snapshots().join(format!("{name}.txt"));
    if support::variable("TRUEUP_UPDATE_CASES").is_some() {
        fs::create_dir_all(snapshots()).expect("the repository can be written");
        fs::write(&path, &seen).expect("the repository can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        seen == expected,
        "snapshots/{name}.txt differs (TRUEUP_UPDATE_CASES=1 accepts what is seen)\n--- expected\n{expected}\n--- seen\n{seen}"
    );
}

/// Where the snapshots are.
pub(crate) fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots")
}

/// Replaces what is another one each time.
pub(crate) fn normal(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let begin = &line[..line.len() - line.trim_start().len()];
        if line.trim_start().starts_with("position ") {
            out.push_str(&format!("{begin}position [position]\n"));
            continue;
        }
        // A link's id follows from where its files lie.
        let is_id = |id: &str| id.len() == 16 && id.chars().all(|c| c.is_ascii_hexdigit());
        if line
            .trim_start()
            .strip_prefix("id ")
            .is_some_and(|id| is_id(id.trim()))
        {
            out.push_str(&format!("{begin}id [id]\n"));
            continue;
        }
        if let Some((before, id)) = line.rsplit_once("trueup forget ")
            && is_id(id)
        {
            out.push_str(&format!("{before}trueup forget [id]\n"));
            continue;
        }
        let is_time = |word: &str| word.len() == 24 && word.ends_with('Z') && word.contains('T');
        let words: Vec<&str> = line.split_whitespace().collect();
        if !words.iter().any(|word| is_time(word)) {
            let version = concat!("version  ", env!("CARGO_PKG_VERSION"));
            out.push_str(&line.replace(version, "version  [version]"));
            out.push('\n');
            continue;
        }
        // What follows a time in a table is how many seconds it took.
        let mut after_time = false;
        let words = words.into_iter().map(|word| {
            let seconds = after_time && word.contains('.');
            after_time = is_time(word);
            match (after_time, seconds) {
                (true, _) => "[time]",
                (_, true) => "[seconds]",
                _ => word,
            }
        });
        out.push_str(begin);
        out.push_str(&words.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    out
}

/// Copies the example's CSV files into the folder.
pub(crate) fn shop(folder: &Path) {
    let example = support::root().join("examples/quickstart/shop");
    fs::create_dir(folder.join("shop")).expect("the test's folder can be written");
    for name in ["customers.csv", "orders.csv"] {
        let copied = fs::copy(example.join(name), folder.join("shop").join(name));
        copied.expect("a file can be copied");
    }
}

/// Replaces a part of a file, which must be there.
pub(crate) fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("the file can be read");
    assert!(text.contains(from), "{from} is not in {}", file.display());
    fs::write(file, text.replace(from, to)).expect("the file can be written");
}

#[test]
fn help_is_the_manual() {
    let folder = support::folder();
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help-sync", &["sync", "--help"]),
        ("help-diff", &["diff", "--help"]),
        ("help-check", &["check", "--help"]),
        ("help-init", &["init", "--help"]),
        ("help-history", &["history", "--help"]),
        ("help-status", &["status", "--help"]),
        ("help-conflicts", &["conflicts", "--help"]),
        ("help-conflicts-list", &["conflicts", "list", "--help"]),
        ("help-conflicts-show", &["conflicts", "show", "--help"]),
        (
            "help-conflicts-resolve",
            &["conflicts", "resolve", "--help"],
        ),
        ("help-parked", &["parked", "--help"]),
        ("help-parked-list", &["parked", "list", "--help"]),
        ("help-parked-show", &["parked", "show", "--help"]),
        ("help-parked-retry", &["parked", "retry", "--help"]),
        ("help-forget", &["forget", "--help"]),
        ("help-run", &["run", "--help"]),
        ("help-verify", &["verify", "--help"]),
        ("help-schema", &["schema", "--help"]),
        ("help-explain", &["explain", "--help"]),
        ("help-completions", &["completions", "--help"]),
        ("help-man", &["man", "--help"]),
        ("explain", &["explain"]),
        ("explain-guard", &["explain", "guard"]),
        ("explain-unknown", &["explain", "gard"]),
        ("usage-shell", &["completions", "csh"]),
        ("usage-quiet-and-verbose", &["status", "-q", "-v"]),
        ("usage-color", &["status", "--color", "sometimes"]),
        ("usage-nothing", &[]),
        ("usage-unknown-flag", &["sync", "a", "b", "--dryrun"]),
        (
            "usage-unknown-flag-json",
            &["diff", "a", "b", "--json", "--delete"],
        ),
        ("usage-limit", &["sync", "a", "b", "--deletes-max", "many"]),
        ("usage-key", &["sync", "a", "b", "--key", "orders="]),
        (
            "usage-two-way-delete",
            &["sync", "a", "b", "--two-way", "--delete"],
        ),
        (
            "usage-policy",
            &["sync", "a", "b", "--two-way", "--on-conflict", "latest"],
        ),
        (
            "usage-on-delete",
            &["sync", "a", "b", "--two-way", "--on-delete", "orders"],
        ),
        (
            "usage-policy-one-way",
            &["sync", "a", "b", "--on-conflict", "newest"],
        ),
        ("usage-take", &["conflicts", "resolve", "3"]),
        ("usage-address", &["sync", "oracle:shop", "sqlite:shop.db"]),
    ] {
        check(name, &Trueup::new(folder.path()).arguments(arguments).run());
    }
}

#[test]
fn a_link_from_its_first_sync_to_its_history() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let sync = |options: &[&str]| {
        Trueup::new(folder)
            .sync(SIDES)
            .arguments(KEYS)
            .arguments(options)
            .run()
    };
    let diff = |options: &[&str]| {
        Trueup::new(folder)
            .diff(SIDES)
            .arguments(KEYS)
            .arguments(options)
            .run()
    };
    check("shop-dry-run-empty", &sync(&["--dry-run", "--quiet"]));
    check("shop-first", &sync(&["--quiet"]));
    edit(
        &folder.join("shop/orders.csv"),
        "1003,2,2024-03-02,Desk chair,1,189.00",
        "1003,2,2024-03-02,Desk chair,1,179.00",
    );
    edit(&folder.join("shop/orders.csv"), "1001,1,", "1901,1,");
    check("shop-diff", &diff(&["--quiet"]));
    check("shop-dry-run", &sync(&["--dry-run", "--delete", "--quiet"]));
    check("shop-without-delete", &sync(&["--quiet"]));
    check(
        "shop-delete-json",
        &sync(&["--delete", "--no-verify", "--json", "--quiet"]),
    );
    check("shop-equal", &diff(&["--quiet"]));
    fs::write(
        folder.join("shop/orders.csv"),
        "id,customer,ordered,product,quantity,price,note\n",
    )
    .expect("the file can be written");
    check("shop-guard", &sync(&["--delete", "--quiet"]));
    check(
        "shop-history",
        &Trueup::new(folder).history(["--limit", "3"]).run(),
    );
    check(
        "shop-certificate",
        &Trueup::new(folder).history(["--certificate", "1"]).run(),
    );
    check(
        "shop-no-certificate",
        &Trueup::new(folder).history(["--certificate", "3"]).run(),
    );
    check(
        "shop-no-run",
        &Trueup::new(folder).history(["--certificate", "99"]).run(),
    );
}

#[test]
fn mistakes_are_named_with_the_way_out() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let sync = |options: &[&str]| Trueup::new(folder).sync(SIDES).arguments(options).run();
    check("mistake-no-key", &sync(&["--quiet"]));
    check(
        "mistake-key-field",
        &sync(&["--key", "customers=id", "--key", "orders=idd", "--quiet"]),
    );
    check(
        "mistake-key-collection",
        &sync(&["--key", "order=id", "--quiet"]),
    );
    check(
        "mistake-key-twice",
        &sync(&[
            "--collections",
            "orders",
            "--key",
            "orders=customer",
            "--quiet",
        ]),
    );
    check(
        "mistake-collection",
        &sync(&["--collections", "order", "--key", "order=id", "--quiet"]),
    );
    let missing = Trueup::new(folder).sync(["sqlite:missing.db", "sqlite:shop.db", "--quiet"]);
    check("mistake-source", &missing.run());
    check(
        "mistake-state",
        &Trueup::new(folder).history::<&str>([]).run(),
    );
    support::sqlite(
        &folder.join("shop.db"),
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT UNIQUE, email INTEGER)",
    );
    let keys = [
        "--collections",
        "customers",
        "--key",
        "customers=id",
        "--quiet",
    ];
    check("mistake-fields", &sync(&keys));
}
