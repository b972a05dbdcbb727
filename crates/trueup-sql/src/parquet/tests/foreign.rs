//! Files as other programs write them: nested types, other units, our entries beside columns that changed.

use super::*;
use arrow_array::builder::{Date32Builder, Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Date32Array, Int32Array, Int64Array, IntervalDayTimeArray,
    RecordBatch, StringArray, StructArray, Time64MicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use arrow_buffer::{IntervalDayTime, OffsetBuffer};
use arrow_schema::{DataType, Field as Arrow, IntervalUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use std::sync::Arc;

/// The bytes of a file with these columns.
fn file(columns: Vec<(&str, ArrayRef)>, entries: &[(&str, &str)]) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    for (key, value) in entries {
        writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), (*value).to_owned()));
    }
    writer.close().unwrap();
    bytes
}

#[test]
fn what_has_parts_is_read_as_json() {
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None, Some(3)]);
    lists.append_null();
    let parts = StructArray::from(vec![
        (
            Arc::new(Arrow::new("a", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![i64::MAX, 2])) as ArrayRef,
        ),
        (
            Arc::new(Arrow::new("b\"", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("x\n"), None])),
        ),
    ]);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    maps.keys().append_value("k");
    maps.values().append_value(7);
    maps.append(true).unwrap();
    maps.append(true).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2]))),
        ("list", Arc::new(lists.finish())),
        ("parts", Arc::new(parts)),
        ("map", Arc::new(maps.finish())),
    ];
    let folder = Folder::with("t.parquet", file(columns, &[]));
    let mut endpoint = folder.open("?key=id");
    let shape = endpoint.schema("t").unwrap().unwrap();
    let natives: Vec<&str> = shape.fields.iter().map(|f| f.native.as_str()).collect();
    assert_eq!(
        natives,
        [
            "parquet:int32",
            "parquet:list",
            "parquet:struct",
            "parquet:map"
        ]
    );
    assert_eq!(shape.notes.len(), 3);
    assert!(shape.notes[0].contains("list is nested (parquet:list) and read as JSON text"));
    let json = |text: &str| Owned::Json(text.to_owned());
    let found = read(endpoint.as_mut(), "t").unwrap();
    let spelled = format!("{found:?}");
    let expected = [
        vec![
            Owned::Int(1),
            json("[1,null,3]"),
            json("{\"a\":9223372036854775807,\"b\\\"\":\"x\\n\"}"),
            json("{\"k\":7}"),
        ],
        vec![
            Owned::Int(2),
            Owned::Null,
            json("{\"a\":2,\"b\\\"\":null}"),
            json("{}"),
        ],
    ];
    assert_eq!(spelled, format!("{expected:?}"));
    // It can be no target: what would not be written as it was is not written at all.
    let records = [(
        Op::Delete,
        vec![Value::Int(1), Value::Null, Value::Null, Value::Null],
    )];
    let refused = write(endpoint.as_mut(), &shape, &records, false).unwrap_err();
    assert!(
        refused.to_string().contains("it is nested field=list"),
        "{refused}"
    );
}

#[test]
fn units_that_are_not_ours_are_exact_or_told() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3]))),
        (
            "ns",
            Arc::new(
                TimestampNanosecondArray::from(vec![1_000, 1_001, i64::MAX]).with_timezone("UTC"),
            ),
        ),
        (
            "ms",
            Arc::new(TimestampMillisecondArray::from(vec![
                -1,
                i64::MAX,
                i64::MIN,
            ])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![0, i32::MAX, i32::MIN])),
        ),
    ];
    let folder = Folder::with("t.parquet", file(columns, &[]));
    let mut endpoint = folder.open("");
    let shape = endpoint.schema("t").unwrap().unwrap();
    let types: Vec<Type> = shape.fields.iter().map(|field| field.ty).collect();
    assert_eq!(types[1..], [Type::Instant, Type::Timestamp, Type::Date]);
    let found = read(endpoint.as_mut(), "t").unwrap();
    assert_eq!(
        found[0][1..],
        [Owned::Instant(1), Owned::Timestamp(-1000), Owned::Date(0)]
    );
    let text = |text: &str| Owned::Text(text.to_owned());
    assert_eq!(found[1][1], text("1970-01-01 00:00:00.000001001Z"));
    assert_eq!(found[2][1], text("2262-04-11 23:47:16.854775807Z"));
    // None of these is a value of any type, so their records are parked.
    for out in [&found[1][2], &found[2][2], &found[1][3], &found[2][3]] {
        assert!(matches!(out, Owned::InvalidText(_)), "{out:?}");
    }
}

#[test]
fn intervals_are_refused_with_the_reason() {
    let intervals = IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 2)]);
    let folder = Folder::with("t.parquet", file(vec![("span", Arc::new(intervals))], &[]));
    let refused = folder.open("").schema("t").unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("INTERVAL has months") && said.contains("field=span"),
        "{said}"
    );
}

#[test]
fn what_has_no_exact_value_is_refused_within_a_part_too() {
    let spans = StructArray::from(vec![(
        Arc::new(Arrow::new(
            "span",
            DataType::Interval(IntervalUnit::DayTime),
            true,
        )),
        Arc::new(IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 2)])) as ArrayRef,
    )]);
    let int96 = hostile::leaf(3);
    for (bytes, said) in [
        (
            file(vec![("a", Arc::new(spans))], &[]),
            "INTERVAL has months",
        ),
        (hostile::deep(2, b"", &int96), "INT96 has no exact"),
        (hostile::deep(3, b"\x02", &int96), "INT96 has no exact"),
    ] {
        let folder = Folder::with("t.parquet", bytes);
        let told = folder.open("").schema("t").unwrap_err().to_string();
        assert!(told.contains(said) && told.contains("field=a"), "{told}");
    }
}

#[test]
fn a_part_that_is_no_value_parks_its_record_alone() {
    let days = [0, i32::MAX, i32::MIN];
    let mut lists = ListBuilder::new(Date32Builder::new());
    for day in days {
        lists.append_value([Some(day)]);
    }
    let times = Time64MicrosecondArray::from(vec![-1, 0, 86_400_000_001]);
    let times = StructArray::from(vec![(
        Arc::new(Arrow::new("a", times.data_type().clone(), true)),
        Arc::new(times) as ArrayRef,
    )]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("days", Arc::new(lists.finish())),
        ("times", Arc::new(times)),
    ];
    let folder = Folder::with("t.parquet", file(columns, &[]));
    let found = read(folder.open("").as_mut(), "t").unwrap();
    let json = |text: &str| Owned::Json(text.to_owned());
    assert_eq!(found[0][0], json("[\"1970-01-01\"]"));
    assert_eq!(found[1][1], json("{\"a\":\"00:00:00\"}"));
    for out in [&found[1][0], &found[2][0], &found[0][1], &found[2][1]] {
        assert!(matches!(out, Owned::InvalidText(_)), "{out:?}");
    }
}

#[test]
fn a_column_of_texts_with_one_that_is_none_is_an_error() {
    let offsets = OffsetBuffer::new(vec![0, 2, 3].into());
    let texts = BinaryArray::new(offsets, b"ab\xff".to_vec().into(), None);
    let batch = RecordBatch::try_from_iter(vec![("a", Arc::new(texts) as ArrayRef)]).unwrap();
    let annotated = parse_message_type("message m { required binary a (STRING); }").unwrap();
    let options = ArrowWriterOptions::new()
        .with_skip_arrow_metadata(true)
        .with_parquet_schema(SchemaDescriptor::new(Arc::new(annotated)));
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let folder = Folder::with("t.parquet", bytes);
    let told = read(folder.open("").as_mut(), "t").unwrap_err().to_string();
    assert!(told.contains("file is damaged"), "{told}");
}

#[test]
fn entries_that_contradict_the_columns_are_left_aside() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1]))),
        ("name", Arc::new(StringArray::from(vec!["x"]))),
    ];
    let entries = [
        ("trueup.key", "gone"),
        ("trueup.type.id", "decimal"),
        ("trueup.type.name", "int24"),
        ("trueup.origin.name", "json postgres:jsonb"),
    ];
    let folder = Folder::with("t.parquet", file(columns, &entries));
    let shape = folder.open("").schema("t").unwrap().unwrap();
    assert_eq!(shape.key, [] as [usize; 0]);
    let fields = shape.fields.iter();
    let fields: Vec<(Type, &str)> = fields.map(|f| (f.ty, f.native.as_str())).collect();
    assert_eq!(
        fields,
        [(Type::INT, "parquet:int64"), (Type::TEXT, "parquet:string")]
    );
}
