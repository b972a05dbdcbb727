//! Shapes, snapshots and scans.

use super::{Folder, read, try_read};
use trueup_core::Kind;
use trueup_core::endpoint::{Context, Endpoint, Order, ScanRequest};

/// What somebody else does to the folder.
type Change = fn(&Folder);

const PLANES: &str = "tailnum,year,seats,speed\nN10156,2004,55,NA\nN102UW,NA,182,\"NA\"\n";

#[test]
fn a_directory_is_its_files() {
    let folder = Folder::with("planes.csv", PLANES);
    folder.put("airports.csv", "faa,name\n\"EWR\",\"Newark, NJ\"\n");
    folder.put("notes.txt", "not a collection");
    folder.put(".hidden.csv", "a\n");
    folder.put(".trueup-planes.csv.tmp", "a\n");
    let mut endpoint = folder.open("?null=NA&key=tailnum");
    assert_eq!(endpoint.collections().unwrap(), ["airports", "planes"]);
    let schema = endpoint.schema("planes").unwrap().unwrap();
    let shown = schema
        .fields
        .iter()
        .map(|f| format!("{}:{}:{}", f.name, f.ty, f.nullable));
    let shown: Vec<_> = shown.collect();
    assert_eq!(
        shown,
        [
            "tailnum:text:false",
            "year:int64:true",
            "seats:int64:false",
            "speed:text:true"
        ]
    );
    assert!(
        schema
            .fields
            .iter()
            .all(|field| field.inferred && field.native == "csv:text")
    );
    assert_eq!(schema.key, [0]);
    assert_eq!(
        endpoint.schema("airports").unwrap().unwrap().key,
        [0; 0],
        "no such column there"
    );
    assert_eq!(endpoint.schema("notes").unwrap(), None);
    assert_eq!(endpoint.schema("../planes").unwrap(), None);
    let rows = read(endpoint.as_mut(), "planes");
    let row = |texts: [&str; 4]| texts.map(|t| (t != "-").then(|| t.to_owned())).to_vec();
    assert_eq!(
        rows,
        [
            row(["N10156", "2004", "55", "-"]),
            row(["N102UW", "-", "182", "NA"])
        ]
    );
}

#[test]
fn a_file_is_one_collection() {
    let folder = Folder::with("planes.csv", PLANES);
    folder.put("other.csv", "a\n");
    let mut endpoint =
        folder.open("planes.csv?null=NA&types=year:text,seats:decimal(5,0)&key=tailnum,year");
    assert_eq!(endpoint.collections().unwrap(), ["planes"]);
    let schema = endpoint.schema("planes").unwrap().unwrap();
    assert_eq!(schema.fields[1].ty.to_string(), "text");
    assert_eq!(schema.fields[2].ty.to_string(), "decimal(5,0)");
    assert!(!schema.fields[1].inferred && schema.fields[0].inferred);
    assert_eq!(schema.key, [0, 1]);
    assert_eq!(endpoint.schema("other").unwrap(), None);
}

#[test]
fn without_a_header_columns_are_numbered() {
    let folder = Folder::with("a.csv", "1,x\n2,y\n");
    let mut endpoint = folder.open("a.csv?header=false&key=c1");
    assert_eq!(endpoint.schema("a").unwrap().unwrap().key_names(), ["c1"]);
    assert_eq!(read(endpoint.as_mut(), "a").len(), 2);
}

#[test]
fn keys_are_given_per_collection() {
    let folder = Folder::with("planes.csv", PLANES);
    let address = folder.path("").display().to_string();
    let connect = |fields: &[&str]| {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        crate::csv::connect(&address, &[("planes".to_owned(), fields)], Context::empty()).unwrap()
    };
    assert_eq!(
        connect(&["year", "tailnum"])
            .schema("planes")
            .unwrap()
            .unwrap()
            .key,
        [1, 0]
    );
    let error = connect(&["tailnumb"]).schema("planes").unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert_eq!(error.advice(), Some("did you mean \"tailnum\"?"));
    assert_eq!(
        connect(&["year", "year"])
            .schema("planes")
            .unwrap_err()
            .kind(),
        Kind::Config
    );
}

#[test]
fn a_missing_place_is_an_error_to_list_and_none_to_look_up() {
    let folder = Folder::new();
    for name in ["nothing.csv", "nothing"] {
        let mut endpoint = folder.open(name);
        assert_eq!(endpoint.collections().unwrap_err().kind(), Kind::Config);
        assert_eq!(endpoint.schema("nothing").unwrap(), None);
        assert_eq!(endpoint.snapshot().unwrap().position().0, "empty");
    }
    assert!(folder.names().is_empty());
}

#[test]
fn wrong_headers_are_refused() {
    let cases = [
        ("", "the file is empty", ""),
        ("\u{feff}", "the file is empty", ""),
        (
            "a,,b\n",
            "empty name in the header column=2",
            "header=false",
        ),
        (
            "a,b,a\n",
            "duplicate name in the header name=a columns=1,3",
            "header=false",
        ),
        ("a,b\r1,2\r3,4\n", "carriage return in the header", "CR"),
        ("a,b", "the last line has no line end", "open_end"),
    ];
    for (content, message, advice) in cases {
        let folder = Folder::with("x.csv", content);
        let error = folder.open("x.csv").schema("x").unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{content:?}");
        assert!(error.message().contains(message), "{content:?}: {error}");
        assert!(
            error.message().contains("x.csv line=1"),
            "{content:?}: {error}"
        );
        assert!(
            error.advice().unwrap_or_default().contains(advice),
            "{content:?}: {error:?}"
        );
    }
}

#[test]
fn a_cut_file_has_no_shape() {
    let folder = Folder::with("planes.csv", &PLANES[..PLANES.len() - 8]);
    let error = folder.open("").schema("planes").unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert!(error.message().ends_with("line=3"), "{error}");
}

/// Every way in which a file can move under a snapshot.
#[test]
fn a_file_that_changes_is_stale() {
    let changes: [(&str, Change); 4] = [
        ("appended", |folder| folder.put("x.csv", "a\n1\n2\n3\n4\n")),
        ("cut", |folder| folder.put("x.csv", "a\n")),
        ("replaced", |folder| {
            folder.put("y", "a\n1\n2\n3\n");
            std::fs::rename(folder.path("y"), folder.path("x.csv")).unwrap();
        }),
        ("removed", |folder| {
            std::fs::remove_file(folder.path("x.csv")).unwrap();
        }),
    ];
    for (name, change) in changes {
        // Before the scan opens the file.
        let folder = Folder::with("x.csv", "a\n1\n2\n3\n");
        let mut endpoint = folder.plain();
        let schema = endpoint.schema("x").unwrap().unwrap();
        let mut snapshot = endpoint.snapshot().unwrap();
        let position = snapshot.position();
        assert_eq!(try_read(snapshot.as_mut(), &schema).unwrap().len(), 3);
        change(&folder);
        assert_eq!(
            try_read(snapshot.as_mut(), &schema).unwrap_err().kind(),
            Kind::Stale,
            "{name}"
        );
        assert_ne!(endpoint.snapshot().unwrap().position(), position, "{name}");
        // While it is being read.
        let folder = Folder::with("x.csv", "a\n1\n2\n3\n");
        let mut endpoint = folder.plain();
        let mut snapshot = endpoint.snapshot().unwrap();
        let request = ScanRequest {
            schema: &schema,
            fields: &[0],
            wanted: &[],
            order: Order::Key(&[0]),
            after: None,
            sieve: &[],
            batch_records_max: 1,
            batch_bytes_max: 100,
        };
        assert!(!snapshot.ordered(&request).unwrap());
        let mut scan = snapshot.scan(&request).unwrap();
        let mut batch = trueup_core::batch::Batch::new(1);
        assert!(scan.next(&mut batch).unwrap());
        change(&folder);
        let end = loop {
            batch.reset(1);
            match scan.next(&mut batch) {
                Ok(true) => {}
                other => break other,
            }
        };
        assert_eq!(end.unwrap_err().kind(), Kind::Stale, "{name}");
    }
}

#[test]
fn a_file_that_appears_later_is_not_seen() {
    let folder = Folder::with("x.csv", "a\n1\n");
    let mut endpoint = folder.plain();
    let mut snapshot = endpoint.snapshot().unwrap();
    folder.put("y.csv", "a\n1\n");
    let schema = endpoint.schema("y").unwrap().unwrap();
    assert_eq!(
        try_read(snapshot.as_mut(), &schema).unwrap_err().kind(),
        Kind::Config
    );
}

#[test]
fn the_shape_follows_the_file() {
    let folder = Folder::with("x.csv", "a\n1\n");
    let mut endpoint = folder.plain();
    assert_eq!(
        endpoint.schema("x").unwrap().unwrap().fields[0]
            .ty
            .to_string(),
        "int64"
    );
    folder.put("x.csv", "a\n1.5\n");
    assert_eq!(
        endpoint.schema("x").unwrap().unwrap().fields[0]
            .ty
            .to_string(),
        "decimal"
    );
}

/// The next file may have an empty value where this one has none.
#[test]
fn a_declared_type_leaves_a_column_nullable_unless_it_is_of_the_key() {
    let folder = Folder::with("planes.csv", PLANES);
    let mut endpoint = folder.open("?null=NA&key=tailnum&types=tailnum:text,seats:int");
    let schema = endpoint.schema("planes").unwrap().unwrap();
    let fields = schema.fields.iter();
    let shown: Vec<_> = fields.map(|f| (f.name.as_str(), f.nullable)).collect();
    assert_eq!(
        shown,
        [
            ("tailnum", false),
            ("year", true),
            ("seats", true),
            ("speed", true)
        ]
    );
}

/// What was seen to ascend when the shape was read need not be read again to know that no key comes twice.
#[test]
fn a_field_whose_numbers_ascend_is_known_for_the_state_it_was_seen_in() {
    for (text, expected) in [
        ("id,v\n1,x\n2,y\n10,z\n", Some((3, 1, 10))),
        ("id,v\n-5,x\n\"0\",y\n", Some((2, -5, 0))),
        ("id,v\n7,x\n", Some((1, 7, 7))),
        (
            "id,v\n9223372036854775806,x\n9223372036854775807,y\n",
            Some((2, i64::MAX - 1, i64::MAX)),
        ),
        ("id,v\n1,x\n1,y\n", None),
        ("id,v\n2,x\n1,y\n", None),
        ("id,v\n1,x\n,y\n3,z\n", None),
        ("id,v\n1,x\nNA,y\n", None),
        ("id,v\n1,x\n2.0,y\n", None),
        ("id,v\n01,x\n2,y\n", None),
        ("id,v\n1,x\n9223372036854775808,y\n", None),
        ("id,v\n", None),
    ] {
        let folder = Folder::with("t.csv", text);
        let mut endpoint = folder.open("?null=NA");
        let schema = endpoint.schema("t").unwrap().unwrap();
        let mut snapshot = endpoint.snapshot().unwrap();
        let found = snapshot.ascending(&schema, 0).unwrap();
        let found = found.map(|one| (one.records, one.first, one.last));
        assert_eq!(found, expected, "{text:?}");
        assert_eq!(snapshot.ascending(&schema, 1).unwrap(), None, "texts");
        assert_eq!(
            snapshot.ascending(&schema, 2).unwrap(),
            None,
            "no such field"
        );
        drop(snapshot);
        // Another state of the file is not known before its shape was read.
        folder.put("t.csv", &format!("{text}5,more\n"));
        let mut snapshot = endpoint.snapshot().unwrap();
        assert_eq!(snapshot.ascending(&schema, 0).unwrap(), None, "{text:?}");
    }
}
