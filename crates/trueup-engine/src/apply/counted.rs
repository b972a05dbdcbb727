//! What a target has to know to write to a bag, and what its marker has to say afterwards.
//!
//! Repeating a batch is not safe in a bag: each insert would be one more. A batch whose answer was lost is therefore
//! either sent again, when its marker says that it did not apply, or never; which of its writes were refused then
//! stands in the marker itself. Endpoints without markers end the run instead.
//!
//! ```text
//! length    varint    \ the source's position, as in the markers of other collections
//! position  bytes     /
//! count     varint    \ the writes left out, ascending
//! index     varint    / each
//! ```

use trueup_core::batch::Record;
use trueup_core::codec::{Reader, put_bytes, put_len};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Bag, Outcome};
use trueup_core::mapping::Mapping;
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// A collection whose equal records count.
pub(super) struct Counted<'a> {
    pub(super) mapping: &'a Mapping,
    /// The source's position.
    pub(super) position: &'a [u8],
}

impl Bag for Counted<'_> {
    fn digest(&self, current: Record<'_>) -> Digest {
        self.mapping.digest_target(current)
    }

    fn wanted(&self) -> &[Type] {
        self.mapping.types()
    }

    fn position(&self, left_out: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_bytes(self.position, &mut bytes);
        put_len(left_out.len(), &mut bytes);
        for &index in left_out {
            put_len(index, &mut bytes);
        }
        bytes
    }
}

/// Returns what became of the `count` writes of the batch whose marker holds `position`. A refused one has lost its
/// reason with the answer; it is said to be blocked, so that it is tried again and says it again.
///
/// # Errors
/// `Corrupt` when the bytes are not ones that [`Counted`] made.
pub(super) fn outcomes(position: &[u8], count: usize) -> Result<Vec<Outcome>> {
    let torn = || {
        Error::corrupt("the marker of a batch does not say which of its writes were refused")
            .hint("run again: everything is compared first")
    };
    let mut reader = Reader::new(position);
    reader.bytes().map_err(|_| torn())?;
    let mut outcomes = vec![Outcome::Applied(None); count];
    for _ in 0..reader.count().map_err(|_| torn())? {
        let index = reader.count().map_err(|_| torn())?;
        *outcomes.get_mut(index).ok_or_else(torn)? = Outcome::Rejected {
            reason: "refused by the target; the answer that said why was lost".to_owned(),
            blocked: true,
        };
    }
    if reader.is_done() {
        Ok(outcomes)
    } else {
        Err(torn())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trueup_core::mapping::Rules;
    use trueup_core::schema::{Field, Schema};

    fn position(left_out: &[usize]) -> Vec<u8> {
        let schema = Schema {
            collection: "lines".to_owned(),
            fields: vec![Field::new("line", Type::TEXT, "text")],
            ..Schema::default()
        };
        let rules = Rules {
            bag: true,
            ..Rules::default()
        };
        let mapping = &Mapping::build(&schema, &schema, &rules).unwrap();
        let counted = Counted {
            mapping,
            position: b"lsn=7",
        };
        counted.position(left_out)
    }

    #[test]
    fn what_was_left_out_is_read_back() {
        for left_out in [vec![], vec![0], vec![1, 2], vec![0, 299]] {
            let found = outcomes(&position(&left_out), 300).unwrap();
            assert_eq!(trueup_core::endpoint::left_out(&found), left_out);
        }
    }

    #[test]
    fn torn_bytes_are_an_error() {
        let whole = position(&[1, 2]);
        for end in 0..whole.len() {
            assert!(outcomes(&whole[..end], 3).is_err(), "{end}");
        }
        assert!(outcomes(&whole, 2).is_err(), "an index beyond the batch");
        assert!(outcomes(&[whole, vec![0]].concat(), 3).is_err());
    }
}
