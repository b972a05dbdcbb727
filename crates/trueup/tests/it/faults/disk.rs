//! A full disk: a small file system of the test's own, in a mount namespace that vanishes with its process.

use super::*;
use std::process::Command;

/// Where the small file system is mounted, relative to the test's folder.
const DISK: &str = "disk";
const DISK_KIB: u32 = 16 << 10;
const RECORDS: u32 = 20_000;

/// A source of 3 MB, in no order of its key.
fn places() -> TempDir {
    let folder = support::folder();
    fs::create_dir(folder.path().join("source")).unwrap();
    fs::create_dir(folder.path().join(DISK)).unwrap();
    let filler = "x".repeat(140);
    let rows: String = (0..RECORDS)
        .map(|number| format!("{},{filler}{number}\n", (number * 7919) % RECORDS))
        .collect();
    write(folder.path(), &format!("id,name\n{rows}"));
    folder
}

/// Syncs to `arguments` with `free_kib` left on the small disk, and once more when there is room; returns what the first
/// run said. What is on the disk at the end is in the folder `out`.
fn on_a_full_disk(folder: &Path, free_kib: u32, arguments: &str) -> String {
    let command = format!("{{}} sync csv:source {arguments} --quiet --key people=id");
    run_on_a_full_disk(folder, free_kib, &command, 0)
}

/// As [`on_a_full_disk`] for any command, where `{}` is the tool; the second run ends with `code`.
fn run_on_a_full_disk(folder: &Path, free_kib: u32, command: &str, code: u8) -> String {
    let command = command.replace("{}", &support::binary().display().to_string());
    let script = format!(
        "set -u; mount -t tmpfs -o size={DISK_KIB}k none {DISK} && cp -r before/. {DISK} 2>/dev/null; \
         used=$(du -sk {DISK} | cut -f1); \
         head -c $(( ({DISK_KIB} - {free_kib} - used) * 1024 )) /dev/zero > {DISK}/ballast; \
         {command} 2> first.err > first.out; echo $? > first.code; \
         rm {DISK}/ballast; mkdir -p out; rm -rf middle; cp -r {DISK} middle; \
         {command} 2> second.err > second.out; echo $? > second.code; \
         cp -r {DISK}/. out",
    );
    fs::create_dir_all(folder.join("before")).unwrap();
    let root = rustix::process::geteuid().is_root();
    let mut shell = Command::new("unshare");
    shell.args(if root { ["-m"].as_slice() } else { &["-Urm"] });
    shell.args(["sh", "-c", &script]).current_dir(folder);
    shell.env("HOME", folder).env("TMPDIR", folder);
    let output = shell.output().expect("unshare can be started");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let told = read("first.err");
    assert_eq!(
        read("first.code"),
        "3\n",
        "{told}{}{output:?}",
        read("first.out")
    );
    let second = read("second.code");
    assert_eq!(second, format!("{code}\n"), "{}", read("second.err"));
    assert!(told.contains("\n  hint: "), "no advice in\n{told}");
    told
}

/// The names on the disk between the two runs.
fn in_the_middle(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("middle")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().display().to_string());
    names.collect()
}

fn expect_words(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "no {word:?} in\n{told}");
    }
}

#[test]
fn at_a_sqlite_target() {
    for free_kib in [0, 1500] {
        let folder = places();
        let folder = folder.path();
        let told = on_a_full_disk(folder, free_kib, "sqlite:disk/target.db --state state.db");
        expect_words(&told, &["target", "error[rejected]", "free some room"]);
        support::expect_same(folder, "csv:source", "sqlite:out/target.db");
    }
}

#[test]
fn at_a_csv_target() {
    for free_kib in [0, 1500] {
        let folder = places();
        let folder = folder.path();
        fs::create_dir_all(folder.join("before/target")).unwrap();
        let old = "id,name\n1,Ada\n";
        fs::write(folder.join("before/target/people.csv"), old).unwrap();
        let told = on_a_full_disk(folder, free_kib, "csv:disk/target --state state.db");
        expect_words(&told, &["target", "error[rejected]", "make room"]);
        let middle = fs::read_to_string(folder.join("middle/target/people.csv")).unwrap();
        assert_eq!(middle, old, "the old file is untouched");
        let mut left = fs::read_dir(folder.join("middle/target")).unwrap();
        assert_eq!(left.by_ref().count(), 1, "the unfinished file is removed");
        support::expect_same(folder, "csv:source", "csv:out/target");
    }
}

#[test]
fn at_the_state_file() {
    let folder = places();
    let folder = folder.path();
    let told = on_a_full_disk(folder, 0, "sqlite:target.db --state disk/state.db");
    expect_words(&told, &["state=", "error[rejected]", "--state"]);
    support::expect_same(folder, "csv:source", "sqlite:target.db");
}

#[test]
fn at_the_folder_for_temporary_files() {
    let folder = places();
    let folder = folder.path();
    // Room for the state file, not for 3 MB to be sorted beside it.
    let told = on_a_full_disk(folder, 1000, "sqlite:target.db --state disk/state.db");
    expect_words(&told, &["temporary file", "error[rejected]", "--state"]);
    support::expect_same(folder, "csv:source", "sqlite:target.db");
}

#[test]
fn at_a_result_in_a_file() {
    let plan = "{\"trueup_plan\": \"earlier\"}\n";
    let list = "{\"trueup_diff\": 0}\n";
    for (command, earlier) in [
        (
            "sync csv:source sqlite:target.db --plan-out disk/result --state state.db",
            plan,
        ),
        (
            "diff csv:source sqlite:target.db --out disk/result --show-values",
            list,
        ),
        (
            "diff csv:source sqlite:target.db --sql target --out disk/result",
            "-- trueup: s\n",
        ),
    ] {
        for (free_kib, before) in [
            (0, None),
            (0, Some(earlier)),
            (1000, None),
            (1000, Some(earlier)),
        ] {
            let folder = places();
            let folder = folder.path();
            support::sqlite(
                &folder.join("target.db"),
                "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);",
            );
            fs::create_dir(folder.join("before")).unwrap();
            if let Some(before) = before {
                fs::write(folder.join("before/result"), before).unwrap();
            }
            let command = format!("{{}} {command} --quiet --key people=id");
            let told = run_on_a_full_disk(folder, free_kib, &command, 1);
            expect_words(
                &told,
                &["error[rejected]", "file=disk/result", "free some room"],
            );
            let middle = fs::read_to_string(folder.join("middle/result")).ok();
            assert_eq!(
                middle.as_deref(),
                before,
                "the earlier result stays, or none"
            );
            let left = in_the_middle(folder).len();
            assert_eq!(
                left,
                usize::from(before.is_some()),
                "{:?}",
                in_the_middle(folder)
            );
            let result = fs::read_to_string(folder.join("out/result")).unwrap();
            assert!(result.lines().count() > RECORDS as usize, "{command}");
        }
    }
}

/// What comes out of a packed file is sorted beside the state; a packed stream lies in `TMPDIR`; a packed target grows
/// beside the old one.
#[test]
fn at_what_a_packed_stream_is_unpacked_to() {
    let pack = |folder: &Path| {
        let done = Command::new("gzip")
            .arg("source/people.csv")
            .current_dir(folder)
            .status();
        assert!(done.unwrap().success());
    };
    let folder = places();
    let folder = folder.path();
    fs::copy(folder.join("source/people.csv"), folder.join("people.csv")).unwrap();
    pack(folder);
    let told = on_a_full_disk(folder, 1000, "sqlite:target.db --state disk/state.db");
    expect_words(&told, &["temporary file", "error[rejected]", "--state"]);
    fs::copy(folder.join("people.csv"), folder.join("source/people.csv")).unwrap();
    fs::remove_file(folder.join("source/people.csv.gz")).unwrap();
    support::expect_same(folder, "csv:source", "sqlite:target.db");

    let piped = "TMPDIR=disk {} sync 'csv:-?name=people' sqlite:piped.db --state piped.state --quiet --key id";
    for (free_kib, input) in [(0, "source/people.csv.gz"), (1000, "source/people.csv")] {
        if free_kib == 0 {
            pack(folder);
        } else {
            fs::copy(folder.join("people.csv"), folder.join("source/people.csv")).unwrap();
            support::sqlite(&folder.join("piped.db"), "DELETE FROM people");
        }
        let told = run_on_a_full_disk(folder, free_kib, &format!("{piped} < {input}"), 0);
        expect_words(&told, &["error[rejected]", "TMPDIR"]);
        assert_eq!(in_the_middle(folder), [""; 0], "nothing stays");
    }
    // Standard output is written from a copy; nothing goes out before that is whole.
    let piped = "TMPDIR=disk {} sync sqlite:piped.db jsonl:- --state piped.state --quiet";
    let told = run_on_a_full_disk(folder, 1000, piped, 0);
    expect_words(&told, &["target", "error[rejected]", "TMPDIR"]);
    assert_eq!(fs::read_to_string(folder.join("first.out")).unwrap(), "");
}

#[test]
fn at_a_packed_target() {
    for ending in ["gz", "zst"] {
        let folder = places();
        let folder = folder.path();
        let target = format!("csv:disk/people.csv.{ending} --state state.db");
        let told = on_a_full_disk(folder, 0, &target);
        expect_words(&told, &["target", "error[rejected]", "make room"]);
        assert_eq!(in_the_middle(folder), [""; 0], "nothing stays");
        let unpack = if ending == "gz" { "gunzip" } else { "unzstd" };
        let done = Command::new(unpack)
            .args(["-q", &format!("out/people.csv.{ending}")])
            .current_dir(folder)
            .status();
        assert!(done.unwrap().success(), "the file is whole");
        support::expect_same(folder, "csv:source", "csv:out");
    }
}
