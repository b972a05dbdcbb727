//! Whatever a server sends, reading it does not panic, and what is no record is an error.

use super::super::auth;
use super::super::connect::refused;
use super::super::decode;
use super::super::session::Column;
use super::super::types::{self, Wire};
use super::super::wire::{Parts, Stream, Wire as Packets};
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::Write;
use std::os::unix::net::UnixStream;
use trueup_core::batch::Batch;

const WIRES: [Wire; 22] = [
    Wire::Bool,
    Wire::Int,
    Wire::Year,
    Wire::Bit,
    Wire::Float4,
    Wire::Float8,
    Wire::Decimal,
    Wire::Text,
    Wire::Padded,
    Wire::Label,
    Wire::Labels,
    Wire::Bytes,
    Wire::Fixed,
    Wire::Date,
    Wire::Time,
    Wire::Timestamp,
    Wire::Instant,
    Wire::Uuid,
    Wire::Json,
    Wire::Cast,
    Wire::Spatial,
    Wire::Int,
];

proptest! {
    #[test]
    fn records_are_read_whole_or_not_at_all(
        columns in vec((prop::sample::select(WIRES.to_vec()), any::<u8>(), any::<bool>()), 1..9),
        packet in vec(prop_oneof![any::<u8>(), 0_u8..16], 0..80),
    ) {
        let wires: Vec<Wire> = columns.iter().map(|column| column.0).collect();
        let forms: Vec<Column> = columns
            .iter()
            .map(|&(_, kind, unsigned)| Column { kind: kind % 20, unsigned })
            .collect();
        let mut batch = Batch::new(wires.len());
        let read = decode::record(&wires, &forms, &packet, &mut String::new(), &mut batch);
        prop_assert_eq!(batch.len(), usize::from(read.is_ok()));
        batch.records().for_each(|record| assert_eq!(record.values().count(), wires.len()));
    }

    #[test]
    fn greetings_and_refusals_are_read(packet in vec(any::<u8>(), 0..90)) {
        drop(auth::greeting(&packet));
        refused(&packet);
        let mut parts = Parts::new(&packet);
        while let Ok(Some(bytes)) = parts.bytes() {
            prop_assert!(bytes.len() <= packet.len());
        }
    }

    #[test]
    fn packets_are_read_from_any_bytes(sent in vec(prop_oneof![any::<u8>(), 0_u8..4], 0..300)) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&sent).unwrap();
        drop(theirs);
        let mut packets = Packets::new(Stream::Unix(ours));
        let mut total = 0;
        while let Ok(packet) = packets.packet() {
            total += packet.len() + 4;
        }
        prop_assert!(total <= sent.len());
    }

    #[test]
    fn types_are_read_from_any_text(text in "[a-z]{0,9}[(]?[0-9,\u{27}a-z]{0,12}[)]?( unsigned)?") {
        let native = types::native(&text, false);
        if types::is_known(&text, true) {
            prop_assert_eq!(native.name, text);
        }
    }
}

#[test]
fn packets_of_many_pieces_are_one() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let long: Vec<u8> = (0..0xff_ffff_u32 * 2 + 5)
        .map(|n| n.to_le_bytes()[0])
        .collect();
    let expected = long.clone();
    let sending = std::thread::spawn(move || {
        let mut packets = Packets::new(Stream::Unix(theirs));
        packets.send(&long).unwrap();
        packets.send(&long[..0xff_ffff]).unwrap();
        packets.send(b"short").unwrap();
    });
    let mut packets = Packets::new(Stream::Unix(ours));
    assert!(packets.packet().unwrap() == expected);
    assert_eq!(packets.packet().unwrap().len(), 0xff_ffff);
    assert_eq!(packets.packet().unwrap(), b"short");
    sending.join().unwrap();
}

/// No memory is asked for per value: what is needed is needed as a batch grows.
#[test]
fn no_memory_is_asked_for_per_value() {
    let wires = [Wire::Int, Wire::Text, Wire::Decimal, Wire::Timestamp];
    // LONGLONG, VAR_STRING, NEWDECIMAL, DATETIME.
    let forms = [8, 253, 246, 12].map(|kind| Column {
        kind,
        unsigned: false,
    });
    let mut packet = b"\0\0\x2a\0\0\0\0\0\0\0".to_vec();
    packet.extend(b"\x05hello\x0512.50");
    packet.extend(b"\x0b\xe8\x07\x02\x1d\x17\x3b\x3b");
    packet.extend(999_999_u32.to_le_bytes());
    let records = 100_000;
    let asked = allocation_counter::measure(|| {
        let (mut batch, mut scratch) = (Batch::new(wires.len()), String::new());
        for number in 0..records {
            if number % 10_000 == 0 {
                batch.reset(wires.len());
            }
            decode::record(&wires, &forms, &packet, &mut scratch, &mut batch).unwrap();
        }
        assert_eq!(batch.len(), 10_000);
    });
    let (asked, most) = (asked.count_total, records / 20);
    assert!(asked > 0, "nothing is counted");
    assert!(asked < most, "{asked} times for {records} records");
}
