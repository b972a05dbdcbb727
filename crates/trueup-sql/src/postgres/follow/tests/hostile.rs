//! Bytes that no server would send: they are refused, and nothing breaks.

use crate::postgres::follow::message::{Message, Tuples, read};
use crate::postgres::follow::socket::{Socket, now};
use crate::postgres::follow::text::{self, Scratch, Spelling};
use crate::postgres::tests::WIRES;
use proptest::prelude::*;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use trueup_core::batch::Batch;

/// A message of each kind, as a server sends it.
fn messages() -> Vec<Vec<u8>> {
    let mut tuple = vec![0, 4, b'n', b'u', b't', 0, 0, 0, 2, b'h', b'i'];
    tuple.extend([b'b', 0, 0, 0, 1, 7]);
    let with = |head: &[u8], parts: &[&[u8]]| [head, &parts.concat()].concat();
    vec![
        with(b"B", &[&[0; 16], &7_u32.to_be_bytes()]),
        with(b"C", &[&[0], &[1; 24]]),
        with(
            b"R",
            &[
                &[0, 0, 0, 9],
                b"public\0t\0d",
                &[0, 1, 1],
                b"id\0",
                &[0, 0, 0, 23],
                &[255; 4],
            ],
        ),
        with(b"I", &[&[0, 0, 0, 9], b"N", &tuple]),
        with(b"U", &[&[0, 0, 0, 9], b"N", &tuple]),
        with(b"U", &[&[0, 0, 0, 9], b"K", &tuple, b"N", &tuple]),
        with(b"U", &[&[0, 0, 0, 9], b"O", &tuple, b"N", &tuple]),
        with(b"D", &[&[0, 0, 0, 9], b"K", &tuple]),
        with(b"T", &[&[0, 0, 0, 2], &[1], &[0, 0, 0, 9, 0, 0, 0, 8]]),
        with(b"O", &[&[0; 8], b"x\0"]),
    ]
}

#[test]
fn whole_messages_are_read_and_parts_of_them_are_not() {
    let mut tuples = Tuples::default();
    for message in messages() {
        let whole = read(&message, &mut tuples).unwrap();
        if whole == Message::Other {
            continue;
        }
        for len in 0..message.len() {
            let part = message.get(..len).unwrap();
            assert!(read(part, &mut tuples).is_err(), "{whole:?} {len}");
        }
        let longer = [message.as_slice(), &[0]].concat();
        assert!(read(&longer, &mut tuples).is_err(), "{whole:?}");
    }
    let error = read(b"Z", &mut tuples).unwrap_err();
    assert!(error.message().contains("kind=Z"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_messages_never_break_anything(
        which in 0..10_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut message = messages().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(message.len());
            message[at] = byte;
        }
        if cuts {
            message.truncate(cut.index(message.len()));
        }
        let mut tuples = Tuples::default();
        if read(&message, &mut tuples).is_ok() {
            for datum in tuples.old.iter().chain(&tuples.new) {
                prop_assert!(datum.bytes(&message).len() <= message.len());
            }
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_none(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[-+0-9:. BCinfty/\\\\x]{0,40}".prop_map(String::into_bytes),
        ],
        wire in prop::sample::select(WIRES.to_vec()),
        prefix in any::<bool>(),
    ) {
        let spelling = if prefix { Spelling::Prefix } else { Spelling::Own };
        let mut batch = Batch::new(1);
        let read = text::value(wire, spelling, &bytes, &mut Scratch::default(), &mut batch);
        prop_assert_eq!(batch.len(), usize::from(read.is_some()));
    }

    /// However the bytes of frames arrive, the frames are the same.
    #[test]
    fn frames_are_whole(lens in prop::collection::vec(0..3000_usize, 1..20), step in 1..5000_usize) {
        let (mut far, near) = UnixStream::pair().unwrap();
        let mut socket = Socket::given(near);
        let mut sent = Vec::new();
        for &len in &lens {
            sent.push(b'd');
            sent.extend(u32::try_from(len + 4).unwrap().to_be_bytes());
            sent.extend(std::iter::repeat_n(u8::try_from(len % 251).unwrap(), len));
        }
        let mut rest = sent.chunks(step);
        for &len in &lens {
            let frame = loop {
                if let Some(frame) = socket.frame().unwrap() {
                    break frame;
                }
                far.write_all(rest.next().unwrap()).unwrap();
                prop_assert!(socket.fill(now() + Duration::from_secs(60)).unwrap());
            };
            let content = socket.content(frame);
            prop_assert_eq!(content.len(), len);
            prop_assert!(content.iter().all(|&byte| usize::from(byte) == len % 251));
            socket.used(frame);
        }
        prop_assert!(socket.frame().unwrap().is_none());
    }
}

#[test]
fn impossible_lengths_are_refused_before_anything_is_taken() {
    for len in [0_u32, 3, u32::MAX, 1 << 31] {
        let (mut far, near) = UnixStream::pair().unwrap();
        let mut socket = Socket::given(near);
        far.write_all(b"d").unwrap();
        far.write_all(&len.to_be_bytes()).unwrap();
        assert!(socket.fill(now() + Duration::from_secs(60)).unwrap());
        assert!(socket.frame().is_err(), "{len}");
    }
}

#[test]
fn an_end_is_no_silence() {
    let (far, near) = UnixStream::pair().unwrap();
    let mut socket = Socket::given(near);
    assert!(!socket.fill(now()).unwrap());
    drop(far);
    assert!(socket.fill(now() + Duration::from_secs(60)).is_err());
}
