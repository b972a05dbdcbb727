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

/// Runs `arguments` with `free_kib` left on the small disk, and once more when there is room; returns what the first
/// run said. What is on the disk at the end is in the folder `out`.
fn on_a_full_disk(folder: &Path, free_kib: u32, arguments: &str) -> String {
    let script = format!(
        "set -u; mount -t tmpfs -o size={DISK_KIB}k none {DISK} && cp -r before/. {DISK} 2>/dev/null; \
         used=$(du -sk {DISK} | cut -f1); \
         head -c $(( ({DISK_KIB} - {free_kib} - used) * 1024 )) /dev/zero > {DISK}/ballast; \
         {bin} sync csv:source {arguments} --quiet --key people=id 2> first.err > first.out; echo $? > first.code; \
         rm {DISK}/ballast; mkdir -p out; rm -rf middle; cp -r {DISK} middle; \
         {bin} sync csv:source {arguments} --quiet --key people=id 2> second.err > second.out; echo $? > second.code; \
         cp -r {DISK}/. out",
        bin = support::binary().display(),
    );
    fs::create_dir_all(folder.join("before")).unwrap();
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new("unshare");
    command.args(if root { ["-m"].as_slice() } else { &["-Urm"] });
    command.args(["sh", "-c", &script]).current_dir(folder);
    command.env("HOME", folder).env("TMPDIR", folder);
    let output = command.output().expect("unshare can be started");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let told = read("first.err");
    assert_eq!(
        read("first.code"),
        "3\n",
        "{told}{}{output:?}",
        read("first.out")
    );
    assert_eq!(read("second.code"), "0\n", "{}", read("second.err"));
    assert!(told.contains("\n  hint: "), "no advice in\n{told}");
    told
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
