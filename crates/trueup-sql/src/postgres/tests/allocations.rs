//! No memory is asked for per value on the way from one server's COPY to the other's: what is needed is needed per batch.
//!
//! Only what the test's own thread asks for is counted.

use super::bytes::{column, slots};
use crate::postgres::decode::{Reader, Room};
use crate::postgres::encode;
use crate::postgres::schema::Column;
use crate::postgres::stream::{COPY_BYTES, Stream};
use crate::postgres::types::Wire;
use trueup_core::batch::Batch;
use trueup_core::keyed::Keyed;
use trueup_core::mapping::{Mapping, Rules};
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::value::Value;

const RECORDS: usize = 100_000;
/// How many records one batch has.
const ROOM: Room = Room {
    records_max: 10_000,
    bytes_max: 4 << 20,
};
/// How often memory may be asked for, per 100 records: 20 batches, each of whose parts grows a few times.
const PER_HUNDRED_MAX: u64 = 5;

const FORM: [(Wire, Type); 8] = [
    (Wire::Int8, Type::INT),
    (Wire::Uuid, Type::Uuid),
    (Wire::Text, Type::TEXT),
    (
        Wire::Numeric,
        Type::Decimal {
            size: Some((12, 2)),
        },
    ),
    (Wire::Instant, Type::Instant),
    (Wire::Bool, Type::Bool),
    (Wire::Float8, Type::Float { bits: 64 }),
    (Wire::Bytes, Type::Bytes { bytes_max: None }),
];

fn schema() -> Schema {
    let field = |(at, &(_, ty)): (usize, &(Wire, Type))| {
        let mut field = Field::new(format!("f{at}"), ty, format!("postgres:{ty}"));
        field.nullable = at > 0;
        field
    };
    Schema {
        collection: "t".to_owned(),
        fields: FORM.iter().enumerate().map(field).collect(),
        key: vec![0],
        ..Schema::default()
    }
}

/// All records, as a server would send them.
fn copied(columns: &[Column]) -> Vec<u8> {
    let mut data = Vec::new();
    encode::begin(&mut data);
    for number in 0..RECORDS {
        let number = i64::try_from(number).unwrap();
        let (text, decimal) = (format!("customer {number}"), format!("{number}.25"));
        let values = [
            Value::Int(number),
            Value::Uuid(&[7; 16]),
            if number % 4 == 0 {
                Value::Null
            } else {
                Value::Text(&text)
            },
            Value::Decimal(&decimal),
            Value::Instant(number * 1_000_003),
            Value::Bool(number % 2 == 0),
            Value::Float(0.5),
            Value::Bytes(text.as_bytes()),
        ];
        encode::record(values.len(), &mut data);
        for (column, value) in columns.iter().zip(values) {
            encode::value(column, value, &mut data).unwrap();
        }
    }
    encode::end(&mut data);
    data
}

#[test]
fn no_memory_is_asked_for_per_value() {
    let wires: Vec<Wire> = FORM.iter().map(|form| form.0).collect();
    let columns: Vec<Column> = wires.iter().map(|&wire| column(wire)).collect();
    let mapping = Mapping::build(&schema(), &schema(), &Rules::default()).unwrap();
    let (data, mut sent, mut records) = (copied(&columns), 0, 0);
    let mut reader = Reader::new(slots(&wires));
    let asked = allocation_counter::measure(|| {
        let (mut raw, mut scratch) = (Batch::new(wires.len()), Vec::new());
        let mut at = 0;
        while !reader.ended() {
            raw.reset(wires.len());
            at += reader.read(&data[at..], &mut raw, ROOM).unwrap();
            let (mut keyed, mut parked) = (Keyed::new(wires.len()), Vec::new());
            mapping.take_source(&mut raw, &mut keyed, &mut parked, &mut scratch);
            assert!(parked.is_empty());
            records += keyed.len();
            let batch = keyed.into_records();
            let mut stream = Stream::new(&batch, &columns);
            while let Some(piece) = stream.next(COPY_BYTES).unwrap() {
                sent += piece.len();
            }
        }
    });
    assert_eq!(records, RECORDS);
    assert!(sent >= data.len(), "{sent} of {} bytes", data.len());
    let most = RECORDS as u64 / 100 * PER_HUNDRED_MAX;
    let asked = asked.count_total;
    assert!(asked > 0, "nothing is counted");
    assert!(
        asked < most,
        "{asked} times for {RECORDS} records, where {most} must do"
    );
}
