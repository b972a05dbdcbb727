//! Creating, loading and updating files.

use super::{Folder, claim, read, write};
use crate::csv::disk::{Disk, Local};
use crate::csv::read::Reader;
use crate::csv::write::Format;
use proptest::prelude::*;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use trueup_core::Kind;
use trueup_core::endpoint::{Endpoint, Op, Outcome};
use trueup_core::failpoint::Failpoints;
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::value::Value::{self, Bytes, Date, Decimal, Float, Int, InvalidText, Null, Text};

/// Writes, as the cases spell them.
type Records<'a> = &'a [(Op, &'a [Value<'a>])];

const APPLIED: Outcome = Outcome::Applied(None);

fn schema(name: &str, fields: &[&str]) -> Schema {
    Schema {
        collection: name.to_owned(),
        fields: fields
            .iter()
            .map(|field| Field::new(*field, Type::TEXT, "other:text"))
            .collect(),
        key: vec![0],
        ..Schema::default()
    }
}

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

#[test]
fn rights_are_kept_and_links_followed() {
    let folder = Folder::with("real", "id,v\n1,a\n");
    fs::set_permissions(folder.path("real"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real", folder.path("x.csv")).unwrap();
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &schema,
        &["id", "v"],
        &[(Op::Update, &[Int(1), Text("b")])],
        1,
        false,
    )
    .unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("real"), "id,v\n1,b\n");
    assert!(
        fs::symlink_metadata(folder.path("x.csv"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        fs::metadata(folder.path("real"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o640
    );
}

#[test]
fn leftovers_are_swept_and_living_writers_are_not() {
    let folder = Folder::with("x.csv", "id,v\n");
    folder.put(".trueup-x.csv.tmp", "id,v\n1,half");
    folder.put(".trueup-y.csv.tmp", "");
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut first = claim(&mut endpoint);
    assert_eq!(folder.names(), ["x.csv"]);
    let record: [(Op, &[Value<'_>]); 1] = [(Op::Insert, &[Int(1), Text("a")])];
    write(first.as_mut(), &schema, &["id", "v"], &record, 1, true).unwrap();
    let mut other = folder.plain();
    let mut second = claim(&mut other);
    assert_eq!(
        folder.names(),
        [".trueup-x.csv.tmp", "x.csv"],
        "the first still writes it"
    );
    let error = write(second.as_mut(), &schema, &["id", "v"], &record, 1, true).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale, "{error}");
    drop(second);
    first.finish("x").unwrap();
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("id,v\n1,a\n", 1)
    );
}

#[test]
fn an_unfinished_writer_leaves_nothing() {
    let folder = Folder::new();
    let mut endpoint = folder.plain();
    let design = endpoint.design(&schema("x", &["id"])).unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &design.schema,
        &["id"],
        &[(Op::Insert, &[Int(1)])],
        1,
        true,
    )
    .unwrap();
    assert_eq!(folder.names(), [".trueup-x.csv.tmp"]);
    drop(writer);
    assert!(folder.names().is_empty());
}

/// A disk on which something happens at the exchange, or which is full.
#[derive(Debug, Default)]
struct Meddled {
    /// Contents that somebody else puts in place right before the first exchanges.
    foreign: Mutex<Vec<&'static str>>,
    exchanges: AtomicUsize,
    full: AtomicBool,
    target: PathBuf,
    no_exchange: bool,
}

impl Disk for Meddled {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        Local.create(path, mode)
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            Local.write(file, &bytes[..bytes.len() / 2], at)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Local.write(file, bytes, at)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        Local.sync(file)
    }
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        if self.no_exchange {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if let Some(content) = self.foreign.lock().unwrap().pop() {
            let theirs = self.target.with_extension("theirs");
            fs::write(&theirs, content)?;
            fs::rename(&theirs, &self.target)?;
        }
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        Local.exchange(one, other)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        Local.rename_new(from, to)
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        Local.rename_over(from, to)
    }
    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        Local.sync_dir(directory)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Local.remove(path)
    }
}

/// Updates record 1 on `disk` and returns how the finish went.
fn finish_on(
    folder: &Folder,
    disk: Arc<Meddled>,
    between: impl FnOnce(),
) -> trueup_core::Result<()> {
    let mut endpoint = folder.on(disk, Failpoints::none());
    let schema = endpoint.schema("x").unwrap().unwrap();
    drop(endpoint.snapshot().unwrap());
    let mut writer = claim(&mut endpoint);
    let records: [(Op, &[Value<'_>]); 1] = [(Op::Update, &[Int(1), Text("ours")])];
    write(writer.as_mut(), &schema, &["id", "v"], &records, 1, false)?;
    between();
    writer.finish("x")
}

#[test]
fn whoever_wrote_meanwhile_keeps_their_file() {
    let theirs = "id,v\n1,theirs\n2,more\n";
    // Between the first batch and the finish.
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let disk = Arc::new(Meddled {
        target: folder.path("x.csv"),
        ..Meddled::default()
    });
    let error = finish_on(&folder, disk, || folder.put("x.csv", theirs)).unwrap_err();
    assert_eq!(
        (error.kind(), folder.get("x.csv").as_str()),
        (Kind::Stale, theirs)
    );
    assert_eq!(folder.names(), ["x.csv"]);
    // In the moment between the last look and the exchange.
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let foreign = Mutex::new(vec![theirs]);
    let disk = Arc::new(Meddled {
        target: folder.path("x.csv"),
        foreign,
        ..Meddled::default()
    });
    let error = finish_on(&folder, Arc::clone(&disk), || {}).unwrap_err();
    assert_eq!(
        (error.kind(), folder.get("x.csv").as_str()),
        (Kind::Stale, theirs)
    );
    assert_eq!(disk.exchanges.load(Ordering::Relaxed), 2, "there and back");
    assert_eq!(folder.names(), ["x.csv"]);
    // And again while theirs was being put back: the newest stays, the other is kept aside.
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let foreign = Mutex::new(vec!["id,v\n3,newest\n", theirs]);
    let disk = Arc::new(Meddled {
        target: folder.path("x.csv"),
        foreign,
        ..Meddled::default()
    });
    let error = finish_on(&folder, disk, || {}).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale);
    assert_eq!(folder.get("x.csv"), "id,v\n3,newest\n");
    assert_eq!(folder.get(".trueup-x.csv.kept"), theirs);
    assert!(error.advice().unwrap().contains(".kept"), "{error:?}");
}

#[test]
fn a_file_that_changed_after_the_snapshot_is_not_replaced() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    drop(endpoint.snapshot().unwrap());
    folder.put("x.csv", "id,v\n1,theirs\n");
    let mut writer = claim(&mut endpoint);
    let records: [(Op, &[Value<'_>]); 1] = [(Op::Update, &[Int(1), Text("ours")])];
    let error = write(writer.as_mut(), &schema, &["id", "v"], &records, 1, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale);
    drop(endpoint.snapshot().unwrap());
    write(writer.as_mut(), &schema, &["id", "v"], &records, 1, false).unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("x.csv"), "id,v\n1,ours\n");
}

#[test]
fn a_file_that_appeared_meanwhile_is_not_replaced() {
    let folder = Folder::new();
    let mut endpoint = folder.plain();
    let design = endpoint.design(&schema("x", &["id"])).unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &design.schema,
        &["id"],
        &[(Op::Insert, &[Int(1)])],
        1,
        true,
    )
    .unwrap();
    folder.put("x.csv", "theirs\n");
    assert_eq!(writer.finish("x").unwrap_err().kind(), Kind::Stale);
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("theirs\n", 1)
    );
}

#[test]
fn without_exchange_the_file_is_renamed_over() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    finish_on(
        &folder,
        Arc::new(Meddled {
            no_exchange: true,
            ..Meddled::default()
        }),
        || {},
    )
    .unwrap();
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("id,v\n1,ours\n", 1)
    );
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let disk = Arc::new(Meddled {
        full: AtomicBool::new(true),
        ..Meddled::default()
    });
    let error = finish_on(&folder, disk, || {}).unwrap_err();
    assert_eq!(error.kind(), Kind::Rejected);
    assert!(error.advice().unwrap().contains("make room"), "{error:?}");
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("id,v\n1,a\n", 1)
    );
}

#[test]
fn a_load_goes_on_when_there_is_room_again() {
    let folder = Folder::new();
    let disk = Arc::new(Meddled::default());
    let mut endpoint = folder.on(Arc::clone(&disk) as Arc<dyn Disk>, Failpoints::none());
    let design = endpoint.design(&schema("x", &["id"])).unwrap();
    let mut writer = claim(&mut endpoint);
    let mut load = |value, batch| {
        write(
            writer.as_mut(),
            &design.schema,
            &["id"],
            &[(Op::Insert, &[value])],
            batch,
            true,
        )
    };
    load(Int(1), 1).unwrap();
    disk.full.store(true, Ordering::Relaxed);
    assert_eq!(
        load(Text("a long text, half of which is written"), 2)
            .unwrap_err()
            .kind(),
        Kind::Rejected
    );
    disk.full.store(false, Ordering::Relaxed);
    load(Int(2), 2).unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("x.csv"), "id\n1\n2\n");
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        Just(Some(String::new())),
        Just(Some("NA".to_owned())),
        "[a\",;\r\n'\u{feff} ]{0,6}".prop_map(Some),
        any::<String>().prop_map(Some),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec(prop::collection::vec(text(), 3), 0..6),
        width in 1_usize..4,
        dialect in 0_usize..4,
    ) {
        let dialect = ["x", "x?null=NA", "x?delimiter=;&quote='&null=a", "x?delimiter=tab"][dialect];
        let (_, options) = crate::csv::config::parse(dialect).unwrap();
        for line_end in ["\n", "\r\n"] {
            let mut format = Format::new(&options, line_end);
            let mut bytes = Vec::new();
            for row in &rows {
                for (index, field) in row[..width].iter().enumerate() {
                    if index > 0 {
                        format.delimiter(&mut bytes);
                    }
                    format.value(field.as_deref().map_or(Null, Text), &mut bytes).unwrap();
                }
                format.end(&mut bytes);
            }
            let mut reader = Reader::new(bytes.as_slice(), Path::new("x"), &options).unwrap();
            for row in &rows {
                let found = reader.next_row().unwrap().unwrap();
                prop_assert_eq!(found.len(), width);
                for (index, field) in row[..width].iter().enumerate() {
                    prop_assert_eq!(found.value(index, &options.null), field.as_deref().map_or(Null, Text));
                }
            }
            prop_assert!(reader.next_row().unwrap().is_none());
        }
    }
}
