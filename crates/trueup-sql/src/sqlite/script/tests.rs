//! What a script says is what is stored, asked of the `sqlite3` program itself.

use crate::sqlite::connect;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use trueup_core::Kind;
use trueup_core::endpoint::{Context, Op};
use trueup_core::types::Type;
use trueup_testkit::Owned;
use trueup_testkit::conformance::{HELD, extremes};
use trueup_testkit::records::{self, schema};
use trueup_testkit::scripts::say;

fn run(folder: &Path, script: &str) {
    let file = folder.join("script.sql");
    fs::write(&file, script).unwrap();
    let output = Command::new("sqlite3")
        .args(["-bail", "x.db"])
        .current_dir(folder)
        .stdin(File::open(&file).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// Inserts a one and updates the same record to each value in turn, then reads what stands there.
fn check(ty: Type, values: &[Owned]) {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}", folder.path().join("x.db").display());
    let mut endpoint = connect(&address, Context::empty()).unwrap();
    let wanted = schema("t").int("id").field("v", ty).key(["id"]).build();
    let design = endpoint.design(&wanted).unwrap();
    let script = endpoint.script().unwrap();
    let mut text = format!("{}{};\n", script.begin(), design.statement);
    let mut expected = Vec::new();
    for (id, value) in (0_i64..).zip(values) {
        let null = [Owned::from(id), Owned::Null];
        let record = [Owned::from(id), value.clone()];
        let Ok(update) = say(script.as_ref(), &design.schema, Op::Update, &record) else {
            continue;
        };
        text.push_str(&say(script.as_ref(), &design.schema, Op::Insert, &null).unwrap());
        text.push_str(&update);
        // As a key, it is found again.
        let id = id + 1_000_000;
        let record = [Owned::from(id), value.clone()];
        text.push_str(&say(script.as_ref(), &design.schema, Op::Insert, &record).unwrap());
        expected.push(value.clone());
    }
    text.push_str(&script.end());
    drop(script);
    run(folder.path(), &text);
    let read = records::sorted(records::read(endpoint.as_mut(), "t").unwrap());
    assert_eq!(read.len(), expected.len() * 2, "type={ty}");
    let (updated, inserted) = read.split_at(expected.len());
    let bound = bound(ty, &expected);
    for (one, (other, bound)) in updated.iter().zip(inserted.iter().zip(&bound)) {
        assert_eq!(shown(&one[1]), shown(bound), "type={ty} updated");
        assert_eq!(shown(&other[1]), shown(bound), "type={ty} inserted");
    }
}

/// What the writer itself stores of these values.
fn bound(ty: Type, values: &[Owned]) -> Vec<Owned> {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}", folder.path().join("y.db").display());
    let mut endpoint = connect(&address, Context::empty()).unwrap();
    let wanted = schema("t").int("id").field("v", ty).key(["id"]).build();
    let design = endpoint.design(&wanted).unwrap();
    let claim = trueup_core::endpoint::Claim {
        link: "l".to_owned(),
        incarnation: "i".to_owned(),
    };
    let mut writer = endpoint.writer(&claim).unwrap();
    writer.create(&design).unwrap();
    let all: Vec<Vec<Owned>> = (0_i64..)
        .zip(values)
        .map(|(id, value)| vec![id.into(), value.clone()])
        .collect();
    let applied = records::Writing::new(&design.schema, 1)
        .inserts(&all)
        .apply(writer.as_mut());
    drop(applied.unwrap());
    writer.finish("t").unwrap();
    drop(writer);
    let read = records::sorted(records::read(endpoint.as_mut(), "t").unwrap());
    read.into_iter().map(|record| record[1].clone()).collect()
}

/// Doubles by their bits: no rounding hides in a decimal.
fn shown(value: &Owned) -> String {
    match value {
        Owned::Float(number) if *number != 0.0 => format!("float {:016x}", number.to_bits()),
        other => format!("{other:?}"),
    }
}

#[test]
fn the_extremes_of_every_type_are_said_exactly() {
    for &ty in HELD {
        check(ty, &extremes(ty));
    }
}

/// Numbers without a pattern, always the same ones.
fn dice(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|number| {
        let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[test]
fn doubles_of_any_bits_are_said_exactly() {
    let any = dice(4000)
        .map(f64::from_bits)
        .filter(|number| number.is_finite());
    let subnormal = dice(200).map(|bits| f64::from_bits(bits >> 12));
    let numbers: Vec<Owned> = any.chain(subnormal).map(Owned::Float).collect();
    check(Type::FLOAT, &numbers);
}

#[test]
fn texts_of_any_characters_are_said_exactly() {
    let alphabet: Vec<char> = "ab'\"\\;\n\r\t\0\u{1}\u{7f}\u{85}\u{2028}é😀.#-"
        .chars()
        .collect();
    let text = |seed: u64| -> String {
        let length = usize::try_from(seed % 300).unwrap();
        let picks = dice(u64::try_from(length).unwrap() + seed % 7);
        picks
            .map(|pick| alphabet[usize::try_from((pick ^ seed) % alphabet.len() as u64).unwrap()])
            .collect()
    };
    let mut texts: Vec<Owned> = dice(300).map(|seed| text(seed).into()).collect();
    texts.extend(
        [
            ".quit\n.shell x\n",
            "\n.exit\n",
            "a;\n.quit\n",
            "\r\n\r\n",
            "go\n",
            "/\n",
        ]
        .map(Owned::from),
    );
    texts.push("\0".repeat(5000).into());
    check(Type::TEXT, &texts);
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    let endpoint = connect("sqlite:none.db", Context::empty()).unwrap();
    let shape = schema("t")
        .int("id")
        .field("v", Type::FLOAT)
        .key(["id"])
        .build();
    let script = endpoint.script().unwrap();
    let record = [Owned::from(1_i64), Owned::Float(f64::NAN)];
    let error = say(script.as_ref(), &shape, Op::Insert, &record).unwrap_err();
    assert_eq!(error.kind(), Kind::Rejected);
    assert!(
        error.message().contains("collection=t field=v"),
        "{error:?}"
    );
}

#[test]
fn a_record_is_found_by_every_byte_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let shape = schema("od\"d")
        .field("k", Type::TEXT)
        .int("n")
        .key(["k"])
        .build();
    let address = format!("sqlite:{}", folder.path().join("x.db").display());
    let mut endpoint = connect(&address, Context::empty()).unwrap();
    let script = endpoint.script().unwrap();
    let mut text = script.begin();
    text.push_str("CREATE TABLE \"od\"\"d\" (k TEXT COLLATE NOCASE, n INTEGER);\n");
    for (op, key, number) in [
        (Op::Insert, "a", 1_i64),
        (Op::Insert, "A", 2),
        (Op::Insert, "it's\r\n", 3),
        (Op::Insert, "gone", 4),
        (Op::Update, "A", 20),
        (Op::Update, "it's\r\n", 30),
        (Op::Delete, "gone", 0),
        (Op::Delete, "GONE", 0),
    ] {
        let record = [Owned::from(key), number.into()];
        text.push_str(&say(script.as_ref(), &shape, op, &record).unwrap());
    }
    text.push_str(&script.end());
    drop(script);
    run(folder.path(), &text);
    let read = records::sorted(records::read(endpoint.as_mut(), "od\"d").unwrap());
    let expected: Vec<Vec<Owned>> = [("A", 20_i64), ("a", 1), ("it's\r\n", 30)]
        .map(|(key, number)| vec![key.into(), number.into()])
        .into();
    assert_eq!(records::sorted(read), records::sorted(expected));
}
