//! The binary forms without a server: what is written reads back, and no bytes make the reader panic.

use super::WIRES;
use crate::postgres::decode::{Reader, Room, Slot};
use crate::postgres::encode;
use crate::postgres::numeric;
use crate::postgres::schema::{Column, Equality};
use crate::postgres::stream::Stream;
use crate::postgres::types::{Limit, Wire};
use proptest::prelude::*;
use trueup_core::batch::Batch;
use trueup_core::parcel::Parcel;
use trueup_core::value::Value;

const ROOM: Room = Room {
    records_max: 1000,
    bytes_max: 1 << 20,
};

pub(super) fn slots(wires: &[Wire]) -> Vec<Slot> {
    wires
        .iter()
        .map(|&wire| Slot {
            name: "f".to_owned(),
            wire,
        })
        .collect()
}

pub(super) fn column(wire: Wire) -> Column {
    Column {
        name: "f".to_owned(),
        wire,
        limit: Limit::None,
        cast: String::new(),
        nullable: true,
        filled: true,
        modified: false,
        always: false,
        bytewise: false,
        equality: Equality::Exact,
    }
}

/// Reads `data` in the given pieces, as the wire might cut it.
fn read(wires: &[Wire], data: &[u8], piece: usize) -> trueup_core::Result<(Batch, bool)> {
    let mut reader = Reader::new(slots(wires));
    let mut batch = Batch::new(wires.len());
    let mut pending = Vec::new();
    for chunk in data.chunks(piece.max(1)) {
        pending.extend_from_slice(chunk);
        let used = reader.read(&pending, &mut batch, ROOM)?;
        pending.drain(..used);
    }
    let whole = reader.ended() && pending.is_empty();
    Ok((batch, whole))
}

/// As [`read`], in parcels.
fn pass(wires: &[Wire], data: &[u8], piece: usize) -> trueup_core::Result<(Parcel, bool)> {
    let mut reader = Reader::new(slots(wires));
    let mut parcel = Parcel::default();
    let mut pending = Vec::new();
    for chunk in data.chunks(piece.max(1)) {
        pending.extend_from_slice(chunk);
        let used = reader.pass(&pending, &mut parcel, ROOM)?;
        pending.drain(..used);
    }
    let whole = reader.ended() && pending.is_empty();
    Ok((parcel, whole))
}

fn framed(fields: &[(Wire, Vec<u8>)]) -> Vec<u8> {
    let mut data = Vec::new();
    encode::begin(&mut data);
    encode::record(fields.len(), &mut data);
    for (_, content) in fields {
        data.extend(i32::try_from(content.len()).unwrap().to_be_bytes());
        data.extend(content);
    }
    encode::end(&mut data);
    data
}

fn any_wire() -> impl Strategy<Value = Wire> {
    (0..WIRES.len()).prop_map(|at| WIRES[at])
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(wires in prop::collection::vec(any_wire(), 1..4), data: Vec<u8>, piece in 1usize..9) {
        let mut framed = Vec::new();
        encode::begin(&mut framed);
        framed.extend(&data);
        for data in [&data, &framed] {
            if let Ok((batch, _)) = read(&wires, data, piece) {
                prop_assert!(batch.records().all(|record| record.width() == wires.len()));
                let (parcel, _) = pass(&wires, data, piece).unwrap();
                prop_assert_eq!(parcel.records, batch.len());
            }
            drop(pass(&wires, data, piece));
        }
    }

    #[test]
    fn hostile_values_never_panic(fields in prop::collection::vec((any_wire(), prop::collection::vec(any::<u8>(), 0..20)), 1..6)) {
        let wires = fields.iter().map(|(wire, _)| *wire).collect::<Vec<_>>();
        drop(read(&wires, &framed(&fields), 7));
    }

    #[test]
    fn a_decimal_keeps_its_digits(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?") {
        let mut bytes = Vec::new();
        numeric::encode(&text, &mut bytes).unwrap();
        let mut scratch = String::new();
        let back = numeric::decode(&bytes, &mut scratch).unwrap();
        // The server knows no negative zero.
        let zero = text.bytes().all(|c| b"-0.".contains(&c));
        let expected = if zero { text.trim_start_matches('-') } else { text.as_str() };
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn hostile_numerics_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        let mut scratch = String::new();
        if let Some(text) = numeric::decode(&bytes, &mut scratch) {
            prop_assert!(trueup_core::decimal::parts(text).is_some());
        }
    }

    #[test]
    fn what_is_written_reads_back(i: i64, f: f64, t in "[^\\x00]*", b: Vec<u8>, us in -200_000_000_000_000_000i64..i64::MAX, piece in 1usize..40) {
        let wires = [Wire::Int8, Wire::Float8, Wire::Text, Wire::Bytes, Wire::Timestamp, Wire::Int8];
        let values = [Value::Int(i), Value::Float(f), Value::Text(&t), Value::Bytes(&b), Value::Timestamp(us), Value::Null];
        let mut data = Vec::new();
        encode::begin(&mut data);
        encode::record(values.len(), &mut data);
        for (wire, value) in wires.iter().zip(values) {
            encode::value(&column(*wire), value, &mut data).unwrap();
        }
        encode::end(&mut data);
        let (batch, whole) = read(&wires, &data, piece).unwrap();
        prop_assert!(whole);
        let (parcel, whole) = pass(&wires, &data, piece).unwrap();
        prop_assert!(whole && parcel.records == 1 && !parcel.odd);
        prop_assert_eq!(&parcel.bytes[..], &data[19..data.len() - 2]);
        let back = batch.record(0).values().map(|value| format!("{value:?}")).collect::<Vec<_>>();
        prop_assert_eq!(back, values.map(|value| format!("{value:?}")));
    }
}

proptest! {
    /// However short the pieces are that go out, and whichever values are longer.
    #[test]
    fn what_goes_out_in_pieces_is_what_is_written(records in prop::collection::vec(("[^\\x00]{0,30}", any::<Vec<u8>>(), any::<i64>()), 1..5), piece in 1usize..60) {
        let wires = [Wire::Text, Wire::Int8, Wire::Bytes, Wire::Jsonb];
        let columns = wires.map(column);
        let (mut batch, mut expected) = (Batch::new(wires.len()), Vec::new());
        encode::begin(&mut expected);
        for (text, bytes, number) in &records {
            let values = [Value::Text(text), Value::Int(*number), Value::Bytes(bytes), Value::Json(text)];
            encode::record(values.len(), &mut expected);
            for (column, value) in columns.iter().zip(values) {
                batch.push(value);
                encode::value(column, value, &mut expected).unwrap();
            }
        }
        encode::end(&mut expected);
        let mut stream = Stream::new(&batch, &columns);
        let mut sent = Vec::new();
        while let Some(bytes) = stream.next(piece).unwrap() {
            prop_assert!(!bytes.is_empty());
            sent.extend(bytes);
        }
        prop_assert_eq!(sent, expected);
    }
}

#[test]
fn broken_framing_is_an_error_or_an_unfinished_record() {
    let good = framed(&[(Wire::Int4, vec![0, 0, 0, 1])]);
    for cut in 0..good.len() {
        let (batch, whole) = read(&[Wire::Int4], &good[..cut], 3).unwrap();
        assert!(!whole, "cut={cut}");
        assert!(batch.len() <= 1);
    }
    let mut flags = good.clone();
    flags[11] = 1;
    let mut count = good.clone();
    count[20] = 2;
    let mut negative = good.clone();
    negative[21..25].copy_from_slice(&(-2i32).to_be_bytes());
    let mut huge = good.clone();
    huge[21..25].copy_from_slice(&i32::MAX.to_be_bytes());
    let short = framed(&[(Wire::Int4, vec![0, 0, 1])]);
    let text = b"1\tplain text copy\n".to_vec();
    for (name, data) in [
        ("flags", flags),
        ("count", count),
        ("negative", negative),
        ("huge", huge),
        ("short", short),
        ("text", text),
    ] {
        assert!(read(&[Wire::Int4], &data, 1000).is_err(), "{name}");
    }
}

#[test]
fn the_longest_decimals_are_the_servers() {
    let mut bytes = Vec::new();
    assert!(numeric::encode(&"9".repeat(131_072), &mut bytes).is_some());
    assert!(numeric::encode(&"9".repeat(131_073), &mut bytes).is_none());
    assert!(numeric::encode(&format!("0.{}", "9".repeat(16_383)), &mut bytes).is_some());
    assert!(numeric::encode(&format!("0.{}", "9".repeat(16_384)), &mut bytes).is_none());
    for text in ["", "-", "1e5", "abc", "1.2.3"] {
        assert!(numeric::encode(text, &mut bytes).is_none(), "{text}");
    }
}
