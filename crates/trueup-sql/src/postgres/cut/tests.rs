//! Cutting, against a server that is bytes in memory.

use super::{COPY_DATA, Cut, HEADER_BYTES, PIECE_BYTES};
use proptest::prelude::*;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

/// Gives its bytes in steps of the given sizes, over and over, and lets wait before each.
struct Steps {
    bytes: Vec<u8>,
    at: usize,
    steps: Vec<usize>,
    next: usize,
    waited: bool,
}

impl AsyncRead for Steps {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let step = self.steps[self.next % self.steps.len()];
        self.next += 1;
        let end = self.bytes.len().min(self.at + step.min(out.remaining()));
        out.put_slice(&self.bytes[self.at..end]);
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(u32::try_from(content.len() + 4).unwrap().to_be_bytes());
    message.extend_from_slice(content);
    message
}

/// What comes out, read through a buffer of so many bytes.
fn cut(bytes: &[u8], steps: Vec<usize>, buffer: usize) -> Vec<u8> {
    let source = Steps {
        bytes: bytes.to_vec(),
        at: 0,
        steps,
        next: 0,
        waited: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut cut = Cut {
            inner: source,
            place: super::Place::default(),
            binding: |_| super::ChannelBinding::none(),
        };
        let (mut out, mut room) = (Vec::new(), vec![0; buffer]);
        loop {
            let read = cut.read(&mut room).await.unwrap();
            if read == 0 {
                return out;
            }
            out.extend_from_slice(&room[..read]);
        }
    })
}

/// The messages that `bytes` are, with their COPY data joined; and the longest of such data.
fn messages(mut bytes: &[u8]) -> (Vec<(u8, Vec<u8>)>, usize) {
    let (mut all, mut longest) = (Vec::<(u8, Vec<u8>)>::new(), 0);
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4;
        let (content, rest) = rest.split_at(length);
        bytes = rest;
        match all.last_mut() {
            Some((COPY_DATA, joined)) if header[0] == COPY_DATA => joined.extend(content),
            _ => all.push((header[0], content.to_vec())),
        }
        if header[0] == COPY_DATA {
            longest = longest.max(length);
        }
    }
    assert!(bytes.is_empty(), "the last message is whole");
    (all, longest)
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![3 => Just(COPY_DATA), 1 => Just(b'D'), 1 => Just(b'Z')];
    let length = prop_oneof![4 => 0usize..40, 1 => 0..4 * PIECE_BYTES];
    let content = (length, any::<u8>());
    (kind, content).prop_map(|(kind, (length, seed))| {
        let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8 ^ seed).collect();
        message(kind, &content)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn the_messages_are_the_same_and_none_is_long(
        given in prop::collection::vec(any_message(), 0..12),
        steps in prop::collection::vec(prop_oneof![1usize..9, 1..3 * PIECE_BYTES], 1..6),
        buffer in prop_oneof![1usize..9, 8_000..20_000usize],
    ) {
        let given = given.concat();
        let out = cut(&given, steps, buffer);
        let ((expected, _), (found, longest)) = (messages(&given), messages(&out));
        prop_assert_eq!(expected, found);
        prop_assert!(longest <= PIECE_BYTES, "{longest}");
    }

    #[test]
    fn what_is_no_copy_data_passes_as_it_is(mut bytes: Vec<u8>, step in 1usize..9, buffer in 1usize..9) {
        bytes.retain(|&byte| byte != COPY_DATA);
        prop_assert_eq!(cut(&bytes, vec![step], buffer), bytes);
    }
}

#[test]
fn a_message_that_never_ends_is_not_waited_for() {
    let whole = message(COPY_DATA, &vec![7; 3 * PIECE_BYTES]);
    let out = cut(&whole[..2 * PIECE_BYTES], vec![1000], 8192);
    assert_eq!(out[..HEADER_BYTES], super::header_of(PIECE_BYTES));
    assert_eq!(out.len(), 2 * PIECE_BYTES + HEADER_BYTES);
}
