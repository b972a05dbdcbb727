//! Creating, loading and updating files.

use super::{Folder, claim, read, text_schema as schema, write};
use trueup_core::Kind;
use trueup_core::endpoint::{Endpoint, Mark, Op, Outcome};
use trueup_core::value::Value::{self, Bytes, Date, Decimal, Float, Int, InvalidText, Null, Text};

/// Writes, as the cases spell them.
type Records<'a> = &'a [(Op, &'a [Value<'a>])];

const APPLIED: Outcome = Outcome::Applied(None);

/// Applies updates to a file `x.csv` with the key `id` and returns what became of it.
fn updated(content: &str, names: &[&str], records: &[(Op, &[Value<'_>])]) -> String {
    let folder = Folder::with("x.csv", content);
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut writer = claim(&mut endpoint);
    let applied = write(writer.as_mut(), &schema, names, records, 1, false).unwrap();
    assert!(!applied.durable && applied.outcomes.iter().all(|outcome| *outcome == APPLIED));
    assert_eq!(folder.get("x.csv"), content, "nothing before the finish");
    writer.finish("x").unwrap();
    assert_eq!(folder.names(), ["x.csv"]);
    folder.get("x.csv")
}

#[test]
fn updates_touch_only_what_they_name() {
    let old = "id,name,note\n1,\"plain\",a\n2,\"b \"\"x\"\"\",\n3,c,\"\"\n";
    let cases: [(Records<'_>, &str); 8] = [
        (&[], "1,\"plain\",a\n2,\"b \"\"x\"\"\",\n3,c,\"\"\n"),
        (
            &[(Op::Update, &[Int(2), Text("new")])],
            "1,\"plain\",a\n2,new,\n3,c,\"\"\n",
        ),
        (
            &[(Op::Update, &[Int(3), Null])],
            "1,\"plain\",a\n2,\"b \"\"x\"\"\",\n3,,\"\"\n",
        ),
        (
            &[(Op::Update, &[Int(1), Value::Unchanged])],
            "1,\"plain\",a\n2,\"b \"\"x\"\"\",\n3,c,\"\"\n",
        ),
        (
            &[(Op::Delete, &[Int(1), Null])],
            "2,\"b \"\"x\"\"\",\n3,c,\"\"\n",
        ),
        (
            &[(Op::Delete, &[Int(9), Null])],
            "1,\"plain\",a\n2,\"b \"\"x\"\"\",\n3,c,\"\"\n",
        ),
        (
            &[
                (Op::Insert, &[Int(9), Text("")]),
                (Op::Insert, &[Int(5), Text("x\ny")]),
            ],
            "1,\"plain\",a\n2,\"b \"\"x\"\"\",\n3,c,\"\"\n9,\"\",\n5,\"x\ny\",\n",
        ),
        (
            &[
                (Op::Insert, &[Int(1), Text("is there")]),
                (Op::Update, &[Int(7), Text("is not")]),
            ],
            "1,is there,a\n2,\"b \"\"x\"\"\",\n3,c,\"\"\n7,is not,\n",
        ),
    ];
    for (records, expected) in cases {
        assert_eq!(
            updated(old, &["id", "name"], records),
            format!("id,name,note\n{expected}")
        );
    }
}

#[test]
fn the_form_of_the_file_is_kept() {
    // Line ends, byte order mark, the order of columns.
    let new = updated(
        "\u{feff}name,id\r\na,1\r\n",
        &["id", "name"],
        &[
            (Op::Update, &[Int(1), Text("b")]),
            (Op::Insert, &[Int(2), Text("c")]),
        ],
    );
    assert_eq!(new, "\u{feff}name,id\r\nb,1\r\nc,2\r\n");
}

#[test]
fn keys_are_compared_by_meaning() {
    let old = "id,v\n007,a\n+8,b\n9.0,c\nx,d\n";
    let new = updated(
        old,
        &["id", "v"],
        &[
            (Op::Update, &[Int(7), Text("A")]),
            (Op::Delete, &[Int(8), Null]),
            (Op::Update, &[Text("x"), Text("D")]),
            (Op::Update, &[Text("7x"), Text("new")]),
        ],
    );
    assert!(new.starts_with("id,v\n7,A\n"), "{new}");
    assert!(
        new.contains("\nx,D\n") && new.ends_with("\n7x,new\n"),
        "{new}"
    );
    let new = updated(
        "id,v\n7,a\n007,b\n",
        &["id", "v"],
        &[(Op::Update, &[Text("007"), Text("B")])],
    );
    assert_eq!(new, "id,v\n7,a\n007,B\n", "as text they differ");
    let new = updated(
        "id,v\n1.50,a\n",
        &["id", "v"],
        &[(Op::Update, &[Decimal("1.5"), Text("A")])],
    );
    assert_eq!(new, "id,v\n1.5,A\n");
    let new = updated(
        "id,v\n2024-01-01,a\n",
        &["id", "v"],
        &[(Op::Delete, &[Date(19723), Null])],
    );
    assert_eq!(new, "id,v\n");
}

#[test]
fn the_last_write_of_a_key_counts() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut writer = claim(&mut endpoint);
    let batches: [Records<'_>; 4] = [
        &[
            (Op::Delete, &[Int(1), Null]),
            (Op::Insert, &[Int(2), Text("x")]),
        ],
        &[
            (Op::Insert, &[Int(1), Text("b")]),
            (Op::Insert, &[Int(3), Text("z")]),
        ],
        &[
            (Op::Insert, &[Int(1), Text("b")]),
            (Op::Insert, &[Int(3), Text("z")]),
        ],
        &[(Op::Delete, &[Int(2), Null])],
    ];
    for (records, number) in batches.into_iter().zip(1..) {
        write(
            writer.as_mut(),
            &schema,
            &["id", "v"],
            records,
            number,
            false,
        )
        .unwrap();
    }
    writer.finish("x").unwrap();
    assert_eq!(folder.get("x.csv"), "id,v\n1,b\n3,z\n");
}

#[test]
fn a_key_that_stands_twice_stops_the_rewrite() {
    let old = "id,v\n1,a\n01,b\n";
    let folder = Folder::with("x.csv", old);
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &schema,
        &["id", "v"],
        &[(Op::Update, &[Int(1), Text("c")])],
        1,
        false,
    )
    .unwrap();
    let error = writer.finish("x").unwrap_err();
    assert!(error.message().ends_with("line=3"), "{error}");
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names()),
        (old, vec!["x.csv".to_owned()])
    );
}

#[test]
fn a_missing_file_and_directory_are_created() {
    let folder = Folder::new();
    let mut endpoint = folder.open("deep/er?key=id");
    let design = endpoint
        .design(&schema("x", &["id", "a,b", ""]))
        .unwrap_err();
    assert_eq!(design.kind(), Kind::Config);
    let design = endpoint.design(&schema("x", &["id", "a,b"])).unwrap();
    assert!(
        design
            .schema
            .fields
            .iter()
            .all(|field| field.native == "csv:text" && field.inferred)
    );
    let mut writer = claim(endpoint.as_mut());
    writer.create(&design).unwrap();
    writer.create(&design).unwrap();
    assert_eq!(folder.get("deep/er/x.csv"), "id,\"a,b\"\n");
    let other = endpoint.design(&schema("x", &["id", "c"])).unwrap();
    assert_eq!(writer.create(&other).unwrap_err().kind(), Kind::Config);
    let records: [(Op, &[Value<'_>]); 2] = [
        (Op::Insert, &[Int(1), Null]),
        (Op::Insert, &[Int(2), Text("")]),
    ];
    for _ in 0..2 {
        // The very same batch again: repeating is safe.
        write(
            writer.as_mut(),
            &design.schema,
            &["id", "a,b"],
            &records,
            1,
            true,
        )
        .unwrap();
    }
    write(
        writer.as_mut(),
        &design.schema,
        &["id"],
        &[(Op::Insert, &[Int(3)])],
        2,
        true,
    )
    .unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("deep/er/x.csv"), "id,\"a,b\"\n1,\n2,\"\"\n3,\n");
    // A retried record after the load, then something else.
    let records: [(Op, &[Value<'_>]); 2] = [
        (Op::Update, &[Int(2), Text("b")]),
        (Op::Insert, &[Int(4), Null]),
    ];
    write(
        writer.as_mut(),
        &design.schema,
        &["id", "a,b"],
        &records,
        3,
        false,
    )
    .unwrap();
    writer.finish("x").unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("deep/er/x.csv"), "id,\"a,b\"\n1,\n2,b\n3,\n4,\n");
    assert_eq!(read(endpoint.as_mut(), "x").len(), 4);
}

#[test]
fn a_load_goes_on_as_an_update() {
    let folder = Folder::new();
    let mut endpoint = folder.plain();
    let design = endpoint.design(&schema("x", &["id", "v"])).unwrap();
    let mut writer = claim(&mut endpoint);
    let names = ["id", "v"];
    write(
        writer.as_mut(),
        &design.schema,
        &names,
        &[(Op::Insert, &[Int(1), Text("a")])],
        1,
        true,
    )
    .unwrap();
    write(
        writer.as_mut(),
        &design.schema,
        &names,
        &[(Op::Update, &[Int(1), Text("b")])],
        2,
        false,
    )
    .unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("x.csv"), "id,v\n1,b\n");
}

#[test]
fn what_a_file_cannot_hold_is_rejected_alone() {
    for load in [true, false] {
        let folder = Folder::with("x.csv", "id,v\n");
        let mut endpoint = folder.plain();
        let schema = endpoint.schema("x").unwrap().unwrap();
        let mut writer = claim(&mut endpoint);
        let records: [(Op, &[Value<'_>]); 3] = [
            (Op::Insert, &[Int(1), Bytes(b"\x00\xff")]),
            (Op::Insert, &[Int(2), InvalidText(b"\xff")]),
            (Op::Insert, &[Int(3), Float(0.5)]),
        ];
        let applied = write(writer.as_mut(), &schema, &["id", "v"], &records, 1, load).unwrap();
        let reason = "text is not valid UTF-8 field=v".to_owned();
        let rejected = Outcome::Rejected {
            reason,
            blocked: false,
        };
        assert_eq!(applied.outcomes, [APPLIED, rejected, APPLIED]);
        writer.finish("x").unwrap();
        assert_eq!(folder.get("x.csv"), "id,v\n1,\\x00ff\n3,0.5\n");
    }
}

#[test]
fn a_file_keeps_no_markers() {
    let folder = Folder::with("x.csv", "id\n1\n");
    let mut writer = claim(&mut folder.plain());
    let mark = Mark {
        partition: String::new(),
        batch: 1,
        position: Vec::new(),
    };
    let error = writer.mark(&mark).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(format!("{error}").contains("keeps no markers"), "{error}");
    assert_eq!(writer.marker("").unwrap(), None);
    assert_eq!(folder.names(), ["x.csv"]);
}

#[test]
fn names_that_cannot_be_files_are_refused() {
    let folder = Folder::new();
    let endpoint = folder.open("");
    for name in ["a/b", "..", ".x", "", &"n".repeat(201)] {
        assert_eq!(
            endpoint.design(&schema(name, &["id"])).unwrap_err().kind(),
            Kind::Config,
            "{name}"
        );
    }
    let error = folder
        .open("x.csv")
        .design(&schema("y", &["id"]))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    let error = folder
        .open("?header=false")
        .design(&schema("y", &["id"]))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
}
