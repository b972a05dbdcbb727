//! What becomes of a value of a field: its shared form, or why its record is parked.

use super::*;
use crate::keyed::Standing;
use crate::mapping::key_digest;
use crate::samples::{parse, show};

/// Maps a value of a field on the source, and says what it became or why it was parked.
fn became(types: &str, raw: &str) -> String {
    let (a, b) = types.split_once(" and ").unwrap();
    let key = a.ends_with('*');
    let id = if key { "" } else { "id:int64*" };
    let shared = built(
        &format!("f:{a} {id}"),
        &format!("f:{b} {id}"),
        &Rules::default(),
    );
    let mut values = vec![parse(raw)];
    values.extend((!key).then_some(Owned::Int(1)));
    let (out, parked) = map(&shared, Side::Source, &values);
    let mut read = Batch::new(values.len());
    let raw = samples::batch(&values);
    let stands = shared.read(Side::Source, samples::only(&raw), &mut read);
    match parked.as_slice() {
        [] => {
            assert_eq!(stands, Some(()));
            assert_eq!(
                samples::encoded(read.record(0).value(0)),
                samples::encoded(out.entry(0).record.value(0))
            );
            show(out.entry(0).record.value(0))
        }
        [parked] => {
            assert_eq!((stands, read.len()), (None, 0));
            assert_eq!(parked.field.as_deref(), Some("f"));
            let unknown = out.entries().map(|entry| {
                assert_eq!(entry.standing, Standing::Unknown);
                assert_eq!(parked.key, key_digest(entry.key));
            });
            format!("parked {}: {}", unknown.count(), parked.reason)
        }
        _ => panic!("one record is parked once"),
    }
}

/// Types of the source and the target, a value at the source, and what it becomes.
const CASES: &[(&str, &str, &str)] = &[
    (
        "text and timestamp",
        r#"text "2024-03-01T00:00:00""#,
        "timestamp 2024-03-01 00:00:00",
    ),
    (
        "text and timestamp",
        r#"text "soon""#,
        "parked 1: the text does not spell a value of the type: class=text type=timestamp",
    ),
    ("int64 and int32", "int 7", "int 7"),
    (
        "int64 and int32",
        "int 5000000000",
        "parked 1: the value is out of the type's range: class=int type=int32",
    ),
    ("any and int32", r#"text "7""#, "int 7"),
    ("any and any", r#"text "7""#, r#"text "7""#),
    ("int64 and uint64", "int 7", "int 7"),
    (
        "int64 and uint64",
        "int -7",
        "parked 1: the other side could not be given it: the value is out of the type's range: class=int type=uint64",
    ),
    ("int32 and text(3)", "int 999", "int 999"),
    (
        "int32 and text(3)",
        "int 1000",
        "parked 1: the other side could not be given it: the value is longer than the type allows: class=int type=text(3)",
    ),
    ("text(4) and bool", r#"text "t""#, "bool true"),
    (
        "text(4) and bool",
        r#"text "f""#,
        "parked 1: this side could not be given it: the value is longer than the type allows: class=bool type=text(4)",
    ),
    (
        "int64 and int32!",
        "null",
        "parked 1: null, which the other side does not allow",
    ),
    ("int64! and int32", "null", "null"),
    ("int64* and int32*", "null", "parked 0: the key is null"),
    (
        "int64* and int32*",
        "int 5000000000",
        "parked 0: the value is out of the type's range: class=int type=int32",
    ),
    // What we would write must find what stands there.
    ("text* and int32*", r#"text "7""#, "int 7"),
    (
        "text* and int32*",
        r#"text "007""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=text",
    ),
    ("any* and int32*", "int 7", "int 7"),
    (
        "any* and int32*",
        r#"text "7""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=any",
    ),
    (
        "int64* and int32*",
        r#"text "7""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=int64",
    ),
    // An engine without a type of its own for these keeps their text.
    ("date* and date*", r#"text "2024-03-01""#, "date 2024-03-01"),
    (
        "timestamp* and timestamp*",
        r#"text "2024-03-01T00:00:00""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=timestamp",
    ),
    (
        "uuid* and uuid*",
        r#"text "00000000-0000-0000-0000-0000000000ab""#,
        "uuid 00000000-0000-0000-0000-0000000000ab",
    ),
    (
        "uuid* and uuid*",
        r#"text "00000000-0000-0000-0000-0000000000AB""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=uuid",
    ),
    ("decimal* and decimal*", r#"text "1.5""#, "decimal 1.5"),
    (
        "decimal* and decimal*",
        r#"text "1.50""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=decimal",
    ),
    ("decimal* and decimal*", "decimal 1.50", "decimal 1.5"),
    ("decimal* and decimal*", "decimal 0.00", "decimal 0"),
    ("decimal and decimal", "decimal 1.50", "decimal 1.50"),
    (
        "text* and decimal*",
        r#"text "-0.50""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=text",
    ),
    ("decimal* and text*", "decimal -0.50", "decimal -0.5"),
    ("decimal* and decimal*", "float 1.5", "decimal 1.5"),
    ("decimal* and decimal*", "int 7", "decimal 7"),
    ("bool* and bool*", "int 1", "bool true"),
    (
        "bool* and bool*",
        r#"text "true""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=bool",
    ),
    (
        "bytes* and bytes*",
        r#"text "\\x00""#,
        "parked 1: the key is spelled in another way than it would be written: class=text type=bytes",
    ),
];

#[test]
fn what_becomes_of_a_value() {
    for &(types, raw, expected) in CASES {
        assert_eq!(became(types, raw), expected, "{types}: {raw}");
    }
}
