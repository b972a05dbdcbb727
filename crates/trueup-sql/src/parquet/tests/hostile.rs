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

/// A file without records, whose schema is `levels` deep, the root and the last column included.
pub(super) fn deep(levels: usize, children: &[u8], last: &[u8]) -> Vec<u8> {
    // The version, and a list of so many structs.
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    let mut count = levels;
    while count > 0x7f {
        footer.push((count & 0x7f) as u8 | 0x80);
        count >>= 7;
    }
    footer.push(count as u8);
    // A name and a number of children; from the second on it is required.
    footer.extend_from_slice(b"\x48\x01s\x15\x02\x00");
    for _ in 2..levels {
        footer.extend_from_slice(b"\x35\x00\x18\x01a\x15");
        footer.extend_from_slice(children);
        footer.push(0);
    }
    footer.extend_from_slice(last);
    // No record, no row group.
    footer.extend_from_slice(b"\x16\x00\x19\x0c\x00");
    let mut bytes = b"PAR1".to_vec();
    bytes.extend_from_slice(&footer);
    bytes.extend_from_slice(&u32::try_from(footer.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(b"PAR1");
    bytes
}

/// A required column of the physical type of this number.
pub(super) fn leaf(physical: u8) -> Vec<u8> {
    [&[0x15, physical << 1][..], b"\x25\x00\x18\x01a\x00"].concat()
}

#[test]
fn a_schema_without_end_does_not_end_the_process() {
    const ONE: &[u8] = b"\x02";
    let limit = crate::parquet::footer::LEVELS_MAX;
    assert_eq!(outcome(&deep(limit, ONE, &leaf(1))).unwrap().len(), 0);
    for levels in [limit + 1, 100_000] {
        let error = outcome(&deep(levels, ONE, &leaf(1))).unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("more nested levels than the limit limit=100"),
            "{told}"
        );
    }
    // Groups of 2,147,483,647 children, of none, of fewer than none; elements that belong to nobody.
    for children in [&b"\xfe\xff\xff\xff\x0f"[..], b"\x00", b"\x01", b"\x04"] {
        let error = outcome(&deep(4, children, &leaf(1))).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{children:?}: {error}");
    }
}

#[test]
fn a_schema_that_can_be_read_in_two_ways_is_refused() {
    // A size in bits is one byte; here it says that it is a number of any length, and is one of two bytes.
    let twofold = b"\x15\x02\x25\x00\x18\x01a\x6c\xac\x15\x81\x00\x12\x00\x00\x00";
    let error = outcome(&deep(2, b"", twofold)).unwrap_err();
    assert!(error.to_string().contains("known form"), "{error}");
}
