//! The bytes that a two-way link keeps in a marker: which batch it was, and which of its writes were stale.
//!
//! The token is random and is made durable in the state before it is written anywhere, so that "this marker belongs to
//! this state" is an equality. Counters would not do: a state put back from a copy counts on from there and reaches the
//! same numbers as the one it was copied from.
//!
//! ```text
//! format  1 byte    1
//! token   16 bytes
//! count   varint    \ the stale writes, ascending
//! index   varint    / each
//! ```

use crate::state::Token;
use trueup_core::codec::{Reader, put_len};
use trueup_core::endpoint::Marker;
use trueup_core::{Error, Result};

/// The version of the bytes, the first of them.
const FORMAT: u8 = 1;

/// What was found in a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Which batch or seal wrote it.
    pub(super) token: Token,
    /// The indices of the batch's writes that did not apply because the record was another one.
    pub(super) stale: Vec<usize>,
}

/// Makes a marker's position.
pub(super) fn encode(token: Token, stale: &[usize]) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend(token.0);
    put_len(stale.len(), &mut bytes);
    stale.iter().for_each(|&index| put_len(index, &mut bytes));
    bytes
}

/// Reads a marker. Bytes that are not ours belong to no state we know; `None` says the same of a missing marker.
///
/// # Errors
/// `Config` when a later release wrote it: its stale list must not be overlooked.
pub(super) fn decode(marker: Option<Marker>) -> Result<Option<Found>> {
    let Some(marker) = marker else {
        return Ok(None);
    };
    let mut reader = Reader::new(&marker.position);
    match reader.byte() {
        Ok(FORMAT) => {}
        Ok(format) => {
            return Err(
                Error::config(format!("a marker has an unknown format={format}"))
                    .hint("a later release of trueup wrote it; use that release"),
            );
        }
        Err(_) => return Ok(None),
    }
    let found = read(&mut reader);
    Ok(found.ok().filter(|_| reader.is_done()))
}

fn read(reader: &mut Reader<'_>) -> Result<Found> {
    let token = Token(reader.array()?);
    let count = reader.count()?;
    let mut stale = Vec::new();
    for _ in 0..count {
        stale.push(reader.count()?);
    }
    Ok(Found { token, stale })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(position: Vec<u8>) -> Marker {
        Marker {
            incarnation: String::from("i"),
            batch: 1,
            position,
            epoch: 1,
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let bytes = encode(Token([7; 16]), &[0, 300]);
        let mut expected = vec![1];
        expected.extend([7; 16]);
        expected.extend([2, 0, 0xac, 0x02]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn what_is_written_is_read() {
        for stale in [vec![], vec![0], vec![1, 2, 9_999]] {
            let token = Token([9; 16]);
            let found = decode(Some(marker(encode(token, &stale)))).unwrap();
            assert_eq!(found, Some(Found { token, stale }));
        }
    }

    #[test]
    fn foreign_and_torn_bytes_belong_to_no_state() {
        let mut whole = encode(Token([1; 16]), &[3]);
        whole.push(0);
        let torn = encode(Token([1; 16]), &[3])[..17].to_vec();
        for bytes in [vec![], vec![1], torn, whole] {
            assert_eq!(decode(Some(marker(bytes))).unwrap(), None);
        }
        assert_eq!(decode(None).unwrap(), None);
        assert!(decode(Some(marker(vec![2, 0, 0]))).is_err());
    }
}
