//! Files that are damaged, or made to do damage: an error that names the file, and nothing else.

use super::*;
use trueup_core::Kind;

/// The bytes of a good file of two row groups' worth of types.
fn good() -> Vec<u8> {
    let folder = Folder::new();
    let mut endpoint = folder.open("");
    let wanted = schema(&[
        ("id", Type::INT),
        ("name", Type::TEXT),
        (
            "price",
            Type::Decimal {
                size: Some((12, 2)),
            },
        ),
        (
            "big",
            Type::Decimal {
                size: Some((50, 3)),
            },
        ),
        ("at", Type::Instant),
        ("tag", Type::Uuid),
        ("doc", Type::Json),
        ("raw", Type::BYTES),
        ("yes", Type::Bool),
    ]);
    let shape = create(endpoint.as_mut(), &wanted).unwrap();
    let names: Vec<String> = (0..300).map(|n| format!("name {}", n % 7)).collect();
    let records: Vec<(Op, Vec<Value<'_>>)> = (0..300)
        .map(|n| {
            let mut record = vec![
                Value::Int(n),
                Value::Text(&names[n as usize]),
                Value::Decimal("1234.50"),
                Value::Decimal("12345678901234567890123456789012345678901234.125"),
                Value::Instant(n * 1000),
                Value::Uuid(b"0123456789abcdef"),
                Value::Json("{\"a\":1}"),
                Value::Bytes(b"\x00\xff"),
                Value::Bool(n % 2 == 0),
            ];
            if n % 3 == 0 {
                record[1] = Value::Null;
                record[3] = Value::Null;
            }
            (Op::Insert, record)
        })
        .collect();
    write(endpoint.as_mut(), &shape, &records, true).unwrap();
    fs::read(folder.path("t.parquet")).unwrap()
}

/// Reads a file of these bytes, whatever they are.
fn outcome(bytes: &[u8]) -> Result<Vec<Vec<Owned>>> {
    let folder = Folder::with("t.parquet", bytes);
    let read = read(folder.open("t.parquet").as_mut(), "t");
    if let Err(error) = &read {
        let told = error.to_string();
        assert!(told.contains("t.parquet"), "names no file: {told}");
    }
    read
}

#[test]
fn a_cut_file_is_an_error_wherever_it_is_cut() {
    let good = good();
    assert_eq!(outcome(&good).unwrap().len(), 300);
    for length in (0..good.len())
        .step_by(97)
        .chain(good.len() - 12..good.len())
    {
        let error = outcome(&good[..length]).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{length}: {error}");
    }
}

#[test]
fn other_files_are_told_from_parquet() {
    for (bytes, said) in [
        (&b""[..], "not Parquet"),
        (b"id,name\n1,a\n2,b\n3,c\n", "not Parquet"),
        (b"PAR1PAR1", "not Parquet"),
        (b"PAR1\x00\x00\x00\x00PAR1", "damaged"),
        (b"PAR1\xff\xff\xff\xffPAR1", "damaged"),
        (b"PAR1\xff\xff\xff\x7fPAR1", "damaged"),
        (b"PAR1xxxxxxxxxxxxxx\x04\x00\x00\x00PAR1", "damaged"),
        (b"PAR1\x04\x00\x00\x00PARE", "encrypted"),
    ] {
        let error = outcome(bytes).unwrap_err();
        assert!(error.to_string().contains(said), "{bytes:?}: {error}");
    }
}

#[test]
fn a_changed_byte_is_an_error_or_another_value_and_never_a_panic() {
    let good = good();
    let mut failed = 0;
    // The footer decides about sizes and counts: each of its bytes; of the pages some.
    let footer = good.len().saturating_sub(1500);
    for at in (4..footer).step_by(41).chain(footer..good.len()) {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            failed += usize::from(outcome(&bad).is_err());
        }
    }
    assert!(failed > 500, "{failed}");
}
