//! What a new user stumbles over when files are loaded: each mistake is told with the place where it lies.

use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::Path;

fn run(folder: &Path, command: &str, arguments: &[&str]) -> Output {
    Trueup::new(folder).state(command, arguments).run()
}

fn expect(output: &Output, parts: &[&str]) {
    for part in parts {
        assert!(output.to_string().contains(part), "{part}: {output}");
    }
}

#[test]
fn keys_that_several_records_share_are_shown_with_their_lines() {
    let folder = support::folder();
    let folder = folder.path();
    // Three records with id 7 that are equal; two with id 9 that differ.
    let lines = "id,name\n7,ann\n1,bo\n7,ann\n9,cy\n7,ann\n9,di\n2,ed\n";
    fs::write(folder.join("people.csv"), lines).unwrap();
    let sides = ["csv:people.csv", "sqlite:a.db", "--key", "id"];
    let output = run(folder, "sync", &[&sides[..], &["--verbose"]].concat()).expect(2);
    expect(
        &output,
        &[
            "the key is not unique: key=id shared_keys=2 records=5 exact_repeats=2 file=",
            "/people.csv lines=2,4,6\n",
            "hint: take more fields into the key: --key people=id,FIELD; or count equal records: --key people=all\n",
            "keys that several records share:\n  people id=7: 3 records, equal in the fields that take part, lines 2,4,6\n  people id=9: 2 records, they differ, lines 5,7\n",
        ],
    );
    assert!(!output.to_string().contains("ann"), "{output}");
    let json = run(folder, "sync", &[&sides[..], &["--json"]].concat()).expect(2);
    let error = &json.json()["error"];
    assert_eq!(error["records"].as_array().unwrap().len(), 3, "{json}");
    assert!(
        !error["message"].as_str().unwrap().contains("id=7"),
        "{json}"
    );
    // Nobody looks on: what is caught in a file is a log.
    let caught = run(folder, "sync", &sides).expect(2);
    expect(&caught, &["  more: --verbose shows some of the keys\n"]);
    let logged = run(folder, "sync", &[&sides[..], &["--log", "json"]].concat()).expect(2);
    let history = run(folder, "history", &[]).expect(0);
    for kept in [caught, logged, history] {
        assert!(!kept.to_string().contains("id=7"), "{kept}");
        assert!(kept.to_string().contains("shared_keys=2"), "{kept}");
    }
}

#[test]
fn a_column_that_is_text_because_of_a_few_values_is_told_before_it_is_loaded() {
    let folder = support::folder();
    let folder = folder.path();
    let rows: String = (1..=30).map(|id| format!("{id},{id}.5\n")).collect();
    let file = format!("id,amount\n{rows}31,n/a\n32,secret\n");
    fs::write(folder.join("bills.csv"), file).unwrap();
    let note = "column amount is read as text: 2 of 32 values are not decimal, first at line 32; \
                ?types=amount:decimal takes it as decimal, and a record whose value is not is parked";
    let sides = ["csv:bills.csv", "sqlite:a.db", "--key", "id"];
    let check = Trueup::new(folder).arguments(["check"]).arguments(sides);
    let alone = Trueup::new(folder).arguments(["check", "csv:bills.csv", "--key", "id"]);
    let dry = run(folder, "sync", &[&sides[..], &["--dry-run"]].concat()).expect(1);
    let init = Trueup::new(folder).arguments(["init"]).arguments(sides);
    init.run().expect(0);
    let written = fs::read_to_string(folder.join("trueup.toml")).unwrap();
    assert!(
        written.contains(&format!("  # source: {note}\n")),
        "{written}"
    );
    for output in [check.run().expect(0), alone.run().expect(0), dry] {
        expect(&output, &[note]);
        assert!(!output.to_string().contains("secret"), "{output}");
    }
    let declared = [
        "csv:bills.csv?types=amount:decimal",
        "sqlite:a.db",
        "--key",
        "id",
    ];
    let dry = run(folder, "sync", &[&declared[..], &["--dry-run"]].concat()).expect(1);
    expect(
        &dry,
        &[
            "load every record of the source (30)",
            "parked: 2\n",
            " line=32 field=amount: ",
        ],
    );
    assert!(!dry.to_string().contains(note), "{dry}");
    let ran = run(folder, "sync", &[&declared[..], &["--json"]].concat()).expect(1);
    let bills = ran.collection("bills");
    assert_eq!(
        (&bills["inserted"], &bills["parked"]),
        (&30.into(), &2.into())
    );
}

/// What the note says can be typed, whatever the column is called and whatever the address says already.
#[test]
fn the_type_that_a_note_names_is_taken() {
    let folder = support::folder();
    let folder = folder.path();
    let rows: String = (1..=30).map(|id| format!("{id},{id},{id}\n")).collect();
    let file = format!("id,\"a,b: c&d%\",e\n{rows}31,x,x\n");
    fs::write(folder.join("bills.csv"), file).unwrap();
    let dry = |source: &str| {
        let sides = [source, "sqlite:a.db", "--key", "id", "--dry-run"];
        run(folder, "sync", &sides).expect(1)
    };
    let name = "a%2Cb%3A%20c%26d%25:int";
    expect(
        &dry("csv:bills.csv"),
        &[&format!("; ?types={name} takes it as int")],
    );
    let note = format!("; types={name} among the address's options takes it as int");
    expect(&dry("csv:bills.csv?null=NA"), &[&note]);
    let declared = dry(&format!("csv:bills.csv?types={name}"));
    expect(
        &declared,
        &[
            "; e:int added to the address's types= takes it as int",
            "parked: 1\n",
        ],
    );
}

#[test]
fn a_dry_run_counts_what_a_load_would_write() {
    let folder = support::folder();
    let folder = folder.path();
    support::sqlite(
        &folder.join("till.db"),
        "CREATE TABLE bills (id INTEGER PRIMARY KEY, amount INTEGER) STRICT;
         CREATE TABLE shop (id INTEGER PRIMARY KEY, amount INTEGER) STRICT",
    );
    support::sqlite(
        &folder.join("shop.db"),
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, amount); INSERT INTO shop VALUES (1, 1), (2, 'x'), (3, 3)",
    );
    // The type is declared, fits exactly, and does not hold.
    support::sqlite(
        &folder.join("typed.db"),
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, amount INTEGER); INSERT INTO shop VALUES (1, 1), (2, 'x'), (3, 3)",
    );
    // In key order, in none, and as a database has it.
    fs::write(folder.join("bills.csv"), "id,amount\n1,1\n2,x\n3,3\n").unwrap();
    fs::write(folder.join("mixed.csv"), "id,amount\n3,3\n1,1\n2,x\n").unwrap();
    let loads = [
        ("csv:bills.csv", "bills"),
        ("csv:mixed.csv", "bills"),
        ("sqlite:shop.db", "shop"),
        ("sqlite:typed.db", "shop"),
        ("csv:bills.csv?types=amount:int", "bills"),
    ];
    for (source, target) in loads {
        let target = format!("sqlite:till.db#{target}");
        let dry = [
            "sync",
            source,
            &target,
            "--key",
            "id",
            "--dry-run",
            "--json",
        ];
        let dry = Trueup::new(folder).arguments(dry).run().expect(1).json();
        let plan = &dry["plan"][0];
        assert_eq!(
            (&plan["load"], &plan["load_records"]),
            (&true.into(), &2.into()),
            "{source}: {dry}"
        );
        assert_eq!(dry["collections"][0]["parked"], 1, "{source}: {dry}");
    }
}

#[test]
fn a_type_for_a_column_that_no_file_has_is_refused() {
    let folder = support::folder();
    let folder = folder.path();
    fs::create_dir(folder.join("shop")).unwrap();
    fs::write(folder.join("shop/orders.csv"), "id,amount\n1,2\n").unwrap();
    fs::write(folder.join("shop/parts.csv"), "id,weight\n1,2\n").unwrap();
    let sync = |types: &str| {
        let source = format!("csv:shop?key=id&types={types}");
        run(folder, "sync", &[&source, "sqlite:a.db", "--quiet"])
    };
    expect(
        &sync("weight:int,amont:int").expect(2),
        &[
            "there is no field=amont, which types names, in any file of path=shop",
            "did you mean \"amount\"?",
        ],
    );
    sync("weight:int,amount:int").expect(0);
    // A folder that is written may get such a file.
    let out = ["sqlite:a.db", "csv:out?key=id&types=weight:int", "--quiet"];
    run(
        folder,
        "sync",
        &[&out[..], &["--collections", "orders"]].concat(),
    )
    .expect(0);
    run(folder, "sync", &out).expect(0);
}

#[test]
fn a_file_that_is_missing_is_missing_everywhere_and_the_ones_like_it_are_named() {
    let folder = support::folder();
    let folder = folder.path();
    fs::create_dir(folder.join("exp")).unwrap();
    fs::write(folder.join("exp/orders.csv"), "id\n1\n").unwrap();
    fs::write(folder.join("exp/notes.txt"), "").unwrap();
    let hints = [
        (
            "csv:exp/order.csv",
            "path=exp/order.csv",
            "did you mean exp/orders.csv?",
        ),
        (
            "csv:exp/zzzzzzzz.csv",
            "path=exp/zzzzzzzz.csv",
            "check the path; beside it there are: orders.csv\n",
        ),
        ("csv:exq", "path=exq", "did you mean exp?"),
        (
            "csv:nowhere/at.csv",
            "path=nowhere/at.csv",
            "check the path\n",
        ),
    ];
    for (source, path, hint) in hints {
        let message = format!("source: no such file or directory {path}\n");
        let sides = [source, "sqlite:a.db", "--key", "id"];
        expect(&run(folder, "sync", &sides).expect(2), &[&message, hint]);
    }
    for places in [
        &["csv:exp/order.csv", "sqlite:a.db"][..],
        &["csv:exp/order.csv"],
    ] {
        let check = Trueup::new(folder)
            .arguments(["check"])
            .arguments(places)
            .run()
            .expect(1);
        let problem = "no such file or directory path=exp/order.csv\n  hint: did you mean exp/orders.csv?\n\nnot ready: 1 problem\n";
        expect(&check, &[problem]);
    }
}
