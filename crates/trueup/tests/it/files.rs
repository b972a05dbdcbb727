//! Files of records end to end: JSON Lines, packed files, pipes, and what looks like a file and is none.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

use crate::support::{self, Output, Trueup};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const ORDERS: &str = "\
id,name,price,day,note
1,\"Müller, Anna\",10.50,2024-02-29,
2,\"say \"\"hi\"\"
twice\",0.10,2024-03-01,\"\"
3,007,12345678901234567890.123456789,1999-12-31,x
";

/// Makes a file with the shell's own tools, which share no code with ours.
fn shell(folder: &Path, script: &str) {
    let done = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .status();
    assert!(done.unwrap().success(), "{script}");
}

fn sync(folder: &Path, arguments: &[&str]) -> Output {
    Trueup::new(folder).sync(arguments).run()
}

/// Runs with `input` on standard input.
fn piped(folder: &Path, input: &[u8], arguments: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let mut child = Command::new(support::binary())
        .args(arguments)
        .args(["--state", support::STATE])
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who reads nothing closes the pipe.
    drop(stdin.write_all(input));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), output.stdout, complaint)
}

#[test]
fn a_round_trip_through_every_file_is_equal() {
    let folder = support::folder();
    let home = folder.path();
    fs::write(home.join("orders.csv"), ORDERS).unwrap();
    shell(home, "gzip orders.csv");
    for (from, to) in [
        ("orders.csv.gz", "sqlite:one.db"),
        ("sqlite:one.db", "orders.jsonl.zst"),
        ("orders.jsonl.zst", "sqlite:two.db"),
        ("sqlite:two.db", "orders.ndjson"),
        ("orders.ndjson", "orders2.csv.zst"),
        ("orders2.csv.zst", "back.jsonl.gz"),
    ] {
        let output = sync(home, &[from, to, "--key", "id", "--delete", "--json"]).expect(0);
        let report = output.json();
        assert_eq!(report["equal"], true, "{from} -> {to}\n{output}");
        assert_eq!(
            report["collections"][0]["inserted"], 3,
            "{from} -> {to}\n{output}"
        );
        // Again: nothing is to be done.
        let again = sync(home, &[from, to, "--key", "id", "--delete", "--json"]).expect(0);
        assert_eq!(again.json()["collections"][0]["unchanged"], 3, "{again}");
    }
    support::expect_same(home, "sqlite:one.db", "sqlite:two.db");
    let text = fs::read_to_string(home.join("orders.ndjson")).unwrap();
    assert_eq!(
        text.lines().next().unwrap(),
        r#"{"id":1,"name":"Müller, Anna","price":10.50,"day":"2024-02-29","note":null}"#
    );
    shell(
        home,
        "gunzip back.jsonl.gz && test $(wc -l < back.jsonl) = 3",
    );
}

#[test]
fn changes_travel_to_json_lines() {
    let folder = support::folder();
    let home = folder.path();
    let lines = "{\"id\": 1, \"v\": [1,  2], \"w\": 0.1}\n{\"id\": 2, \"v\": \"a\"}\n{\"id\": 3, \"v\": null, \"w\": 1e3}\n";
    fs::write(home.join("a.jsonl"), lines).unwrap();
    sync(home, &["a.jsonl", "b.jsonl", "--key", "id"]).expect(0);
    let written = fs::read_to_string(home.join("b.jsonl")).unwrap();
    assert_eq!(
        written,
        "{\"id\":1,\"v\":[1,2],\"w\":0.1}\n{\"id\":2,\"v\":\"a\",\"w\":null}\n{\"id\":3,\"v\":null,\"w\":1000.0}\n"
    );
    let changed = lines
        .replace("\"a\"", "true")
        .replace("{\"id\": 3", "{\"id\": 4");
    fs::write(home.join("a.jsonl"), changed).unwrap();
    let output = sync(
        home,
        &["a.jsonl", "b.jsonl", "--key", "id", "--delete", "--json"],
    )
    .expect(0);
    let one = output.collection("a");
    let counts = ["inserted", "updated", "deleted", "unchanged"].map(|name| one[name].clone());
    assert_eq!(
        counts,
        [1, 1, 1, 1].map(serde_json::Value::from),
        "{output}"
    );
    let written = fs::read_to_string(home.join("b.jsonl")).unwrap();
    assert!(
        written.starts_with("{\"id\":1,\"v\":[1,2],\"w\":0.1}\n{\"id\":2,\"v\":true,"),
        "{written}"
    );
    Trueup::new(home)
        .diff(["a.jsonl", "b.jsonl", "--key", "id"])
        .run()
        .expect(0);
}

#[test]
fn standard_input_is_a_source() {
    let folder = support::folder();
    let home = folder.path();
    let arguments = ["sync", "csv:-?name=a", "sqlite:a.db", "--key", "id"];
    let (code, out, complaint) = piped(home, ORDERS.as_bytes(), &arguments);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(
        String::from_utf8_lossy(&out).contains("3 records on both sides"),
        "the report is there"
    );
    // Packed, under another name, and the target's collection named by the target.
    fs::write(home.join("orders.csv"), ORDERS).unwrap();
    shell(home, "gzip -k orders.csv");
    let packed = fs::read(home.join("orders.csv.gz")).unwrap();
    let arguments = ["diff", "csv:-", "sqlite:a.db#a", "--key", "id"];
    let state = ["sync", "csv:-", "sqlite:a.db#a", "--key", "id"];
    let (code, _, complaint) = piped(home, &packed, &state);
    assert_eq!(code, Some(0), "{complaint}");
    let (code, _, complaint) = piped(home, ORDERS.replace("10.50", "11").as_bytes(), &arguments);
    assert_eq!(code, Some(1), "a difference\n{complaint}");
    // What was cut is refused, and the target stays.
    let cut = &packed[..packed.len() - 9];
    let (code, _, complaint) = piped(home, cut, &[&state[..], &["--delete", "--yes"]].concat());
    assert_eq!(code, Some(3), "{complaint}");
    assert!(
        complaint.contains("ends too early file=(standard input)"),
        "{complaint}"
    );
    let (code, _, complaint) = piped(home, b"", &[&state[..], &["--delete", "--yes"]].concat());
    assert_ne!(code, Some(0), "{complaint}");
    let (code, _, complaint) = piped(home, b"", &["diff", "csv:-", "jsonl:-", "--key", "id"]);
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("both standard input"), "{complaint}");
}

#[test]
fn standard_output_gets_the_records_and_nothing_else() {
    let folder = support::folder();
    let home = folder.path();
    fs::write(home.join("orders.csv"), ORDERS).unwrap();
    let output = sync(home, &["csv:orders.csv?key=id", "jsonl:-"]).expect(0);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{output}");
    for line in lines {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert!(
        output.stderr.contains("3 records on both sides"),
        "the report is aside\n{output}"
    );
    assert!(
        output
            .stderr
            .contains("standard output was verified from the copy"),
        "{output}"
    );
    // Through a pipe, into another, and back.
    let (code, out, complaint) = piped(
        home,
        ORDERS.as_bytes(),
        &["sync", "csv:-", "csv:-?delimiter=;", "--key", "id"],
    );
    assert_eq!(code, Some(0), "{complaint}");
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("id;name;price;day;note\n1;Müller, Anna;10.50;"),
        "{text}"
    );
    let output = sync(home, &["csv:orders.csv?key=id", "jsonl:-", "--json"]).expect(2);
    assert!(
        output
            .stderr
            .contains("--json and a target that is standard output"),
        "{output}"
    );
    let output = sync(home, &["csv:orders.csv?key=id", "jsonl:-", "--dry-run"]).expect(1);
    assert!(!output.stdout.contains('{'), "a plan, no records\n{output}");
}

#[test]
fn standard_output_takes_one_collection() {
    let folder = support::folder();
    let home = folder.path();
    fs::create_dir(home.join("in")).unwrap();
    fs::write(home.join("in/a.csv"), "id\n1\n").unwrap();
    fs::write(home.join("in/b.csv"), "id\n1\n").unwrap();
    let output = sync(home, &["csv:in?key=id", "jsonl:-"]).expect(2);
    assert!(
        output
            .stderr
            .contains("standard output takes one collection"),
        "{output}"
    );
    assert_eq!(output.stdout, "", "{output}");
    sync(home, &["csv:in?key=id", "jsonl:-", "--collections", "a"]).expect(0);
}

/// What chooses single records cannot write a stream: it is said before the source is read or a plan is written.
#[test]
fn standard_output_gets_no_part_of_a_plan() {
    let folder = support::folder();
    let home = folder.path();
    fs::write(home.join("orders.csv"), ORDERS).unwrap();
    fs::write(home.join("made.jsonl"), "{\"trueup_plan\"").unwrap();
    for (option, file) in [("--plan-out", "new.jsonl"), ("--plan-in", "made.jsonl")] {
        for target in ["csv:-", "jsonl:-", "csv:-?delimiter=;"] {
            for source in ["csv:orders.csv", "csv:-", "csv:nowhere.csv"] {
                let output = sync(home, &[source, target, "--key", "id", option, file]).expect(2);
                let told = output
                    .stderr
                    .contains("standard output is written as a whole");
                assert!(told && output.stderr.contains("\n  hint: "), "{output}");
                assert_eq!(output.stdout, "", "{output}");
            }
        }
    }
    let retry = ["parked", "retry", "orders.csv", "csv:-", "--key", "id"];
    let output = Trueup::new(home).arguments(retry).run().expect(2);
    let told = output
        .stderr
        .contains("standard output is written as a whole");
    assert!(told, "{output}");
    assert!(!home.join("new.jsonl").exists(), "no plan is made");
    assert!(!home.join(support::STATE).exists(), "no run is recorded");
}

#[test]
fn a_plan_from_standard_input_needs_the_same_input_again() {
    let folder = support::folder();
    let home = folder.path();
    let link = ["sync", "csv:-?name=a", "sqlite:a.db", "--key", "id"];
    let run = |input: &str, options: &[&str]| {
        piped(home, input.as_bytes(), &[&link[..], options].concat())
    };
    let (code, _, complaint) = run(ORDERS, &["--plan-out", "plan.jsonl"]);
    assert_eq!(code, Some(1), "{complaint}");
    assert!(!home.join("a.db").exists(), "nothing is written");
    let (code, _, complaint) = run("", &["--plan-in", "plan.jsonl"]);
    assert_eq!(code, Some(3), "{complaint}");
    assert!(complaint.contains("file=(standard input)"), "{complaint}");
    // One record is another one by now: it is left, the others are written.
    let (code, out, complaint) = run(
        &ORDERS.replace("10.50", "11"),
        &["--plan-in", "plan.jsonl", "--json"],
    );
    assert_eq!(code, Some(1), "{complaint}");
    let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let one = &report["collections"][0];
    assert_eq!(one["inserted"], 2, "{one}");
    assert_eq!(one["selected"]["changed_since"], 1, "{one}");
    let (code, _, complaint) = run(ORDERS, &["--plan-in", "plan.jsonl"]);
    assert_eq!(code, Some(0), "{complaint}");
}

#[test]
fn a_reader_that_goes_away_fails_the_run() {
    let folder = support::folder();
    let home = folder.path();
    let mut file = File::create(home.join("a.csv")).unwrap();
    file.write_all(b"id,v\n").unwrap();
    for id in 0..50_000 {
        writeln!(file, "{id},some text that fills the pipe").unwrap();
    }
    drop(file);
    let script = format!(
        "{{ {} sync 'csv:a.csv?key=id' jsonl:- --state state.db --quiet; echo $? > code; }} | head -n 1",
        support::binary().display()
    );
    shell(home, &script);
    assert_eq!(fs::read_to_string(home.join("code")).unwrap(), "3\n");
}

#[test]
fn an_emptied_source_is_no_empty_collection() {
    let folder = support::folder();
    let home = folder.path();
    fs::write(home.join("a.jsonl"), "{\"id\":1}\n").unwrap();
    sync(home, &["a.jsonl", "b.jsonl", "--key", "id"]).expect(0);
    fs::write(home.join("a.jsonl"), "").unwrap();
    let output = sync(
        home,
        &["a.jsonl", "b.jsonl", "--key", "id", "--delete", "--yes"],
    )
    .expect(2);
    assert!(output.stderr.contains("has no fields"), "{output}");
    assert_eq!(
        fs::read_to_string(home.join("b.jsonl")).unwrap(),
        "{\"id\":1}\n"
    );
    // A target without records is one to be filled.
    fs::write(home.join("a.jsonl"), "{\"id\":1}\n").unwrap();
    fs::write(home.join("b.jsonl"), "").unwrap();
    sync(home, &["a.jsonl", "b.jsonl", "--key", "id"]).expect(0);
    assert_eq!(
        fs::read_to_string(home.join("b.jsonl")).unwrap(),
        "{\"id\":1}\n"
    );
}

#[test]
fn a_bomb_ends_the_run_and_names_the_way_out() {
    let folder = support::folder();
    let home = folder.path();
    // 100 MiB of zeros in a text.
    shell(
        home,
        "{ printf 'id,v\\n1,'; head -c 104857600 /dev/zero | tr '\\0' a; echo; } | gzip -9 > a.csv.gz",
    );
    let packed = fs::metadata(home.join("a.csv.gz")).unwrap().len();
    let limit = packed * 1000;
    let output = sync(home, &["csv:a.csv.gz?key=id&max_bytes=1000000", "b.jsonl"]).expect(3);
    assert!(
        output.stderr.contains("limit_bytes=1000000 file="),
        "{output}"
    );
    assert!(output.stderr.contains("max_bytes"), "{output}");
    let output = sync(home, &["csv:a.csv.gz?key=id", "b.jsonl", "--quiet"]);
    // Deflate stays just below a thousand to one, or just above.
    assert_eq!(
        output.code,
        Some(if limit < 104_857_607 { 3 } else { 0 }),
        "{output}"
    );
}

#[test]
fn packed_files_in_a_folder_are_collections() {
    let folder = support::folder();
    let home = folder.path();
    fs::create_dir(home.join("in")).unwrap();
    fs::write(home.join("in/orders.csv"), ORDERS).unwrap();
    fs::write(home.join("in/b.csv"), "id\n1\n").unwrap();
    shell(home, "gzip in/orders.csv");
    sync(home, &["csv:in?key=id", "sqlite:a.db"]).expect(0);
    // A change goes back into the packed file.
    support::sqlite(
        &home.join("a.db"),
        "UPDATE orders SET note = 'new' WHERE id = 1",
    );
    sync(home, &["sqlite:a.db", "csv:in?key=id"]).expect(0);
    shell(
        home,
        "gunzip -t in/orders.csv.gz && gunzip -c in/orders.csv.gz | grep -q '2024-02-29,new'",
    );
    let found = fs::read_dir(home.join("in")).unwrap().count();
    assert_eq!(found, 2, "nothing is left over");
}

#[test]
fn new_files_of_a_folder_are_packed_when_it_is_said() {
    let folder = support::folder();
    let home = folder.path();
    fs::create_dir_all(home.join("in")).unwrap();
    fs::create_dir_all(home.join("out")).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(home.join(format!("in/{name}.csv")), "id,v\n1,x\n").unwrap();
    }
    // What is there keeps the form it has.
    fs::write(home.join("out/b.csv"), "id,v\n9,y\n").unwrap();
    fs::write(home.join("out/c.csv"), "id,v\n1,x\n").unwrap();
    shell(home, "gzip out/c.csv");
    sync(home, &["csv:in?key=id", "csv:out?key=id&compress=zst"]).expect(0);
    let mut names: Vec<String> = fs::read_dir(home.join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.csv.zst", "b.csv", "c.csv.gz"]);
    shell(
        home,
        "unzstd -q out/a.csv.zst && cmp in/a.csv out/a.csv && rm out/a.csv.zst",
    );
    // What is packed is found again without the option.
    sync(home, &["csv:in?key=id", "jsonl:lines?key=id&compress=gz"]).expect(0);
    sync(home, &["csv:in?key=id", "jsonl:lines?key=id", "--json"]).expect(0);
    assert_eq!(fs::read_dir(home.join("lines")).unwrap().count(), 3);
    for target in [
        "csv:one.csv?compress=gz",
        "csv:one.csv.gz?compress=gz",
        "csv:-?compress=gz",
    ] {
        let output = sync(home, &["csv:in/a.csv?key=id", target]).expect(2);
        assert!(output.stderr.contains("option=compress"), "{output}");
        assert!(output.stderr.contains("\n  hint: "), "{output}");
    }
}
