//! The stored bytes of a base entry: version 1, pinned by a golden test.
//!
//! ```text
//! version   1 byte   1
//! flags     1 byte   state in bits 0-1 (0 unknown, 1 absent, 2 present); then, of a present entry only:
//!                    4 digests differ, 8 field digests differ, 16 source version, 32 target version
//! batch     varint                                   \
//! digest    16 bytes, big-endian; twice if flag 4     |
//! width     varint; the number of field digests       | present only
//! fields    8 bytes each; twice if flag 8             |
//! versions  varint length and bytes, source first    /
//! ```
//!
//! Every entry has exactly one encoding, and anything else is refused: ten fields, equal sides and two 8-byte versions
//! take at most 127 bytes. Integrity is the store's business (its pages are checked); a wrong byte here is an error,
//! never a panic.

use super::{Base, FieldDigest, Present};
use crate::digest::Digest;
use crate::endpoint::Version;
use crate::error::{Error, Result};
use crate::side::{Side, Sides};

/// The version of the encoding, its first byte.
pub const CODEC_VERSION: u8 = 1;
/// The longest version token that is stored; a longer one is left out, so that the record is read instead.
pub const VERSION_BYTES_MAX: usize = 1024;

const UNKNOWN: u8 = 0;
const ABSENT: u8 = 1;
const PRESENT: u8 = 2;
const DIGESTS_DIFFER: u8 = 4;
const FIELDS_DIFFER: u8 = 8;
const SOURCE_VERSION: u8 = 16;
const TARGET_VERSION: u8 = 32;
const FLAGS: u8 = 63;

impl Base {
    /// Appends the stored form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(CODEC_VERSION);
        match self {
            Self::Unknown => out.push(UNKNOWN),
            Self::Absent => out.push(ABSENT),
            Self::Present(present) => encode_present(present, out),
        }
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// `Corrupt` when the bytes are not one whole entry, or were written by a later release.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader { rest: bytes };
        let version = reader.byte()?;
        if version != CODEC_VERSION {
            return Err(Error::corrupt(format!(
                "base entry has an unknown format: version={version}"
            ))
            .hint("a later release wrote this state; use that release"));
        }
        let flags = reader.byte()?;
        let base = match flags {
            UNKNOWN => Self::Unknown,
            ABSENT => Self::Absent,
            _ if flags & 3 == PRESENT && flags & !FLAGS == 0 => {
                Self::Present(decode_present(flags, &mut reader)?)
            }
            _ => return Err(corrupt("flags")),
        };
        if reader.rest.is_empty() {
            Ok(base)
        } else {
            Err(corrupt("length"))
        }
    }
}

fn encode_present(present: &Present, out: &mut Vec<u8>) {
    let version = Sides::by(|side| {
        present
            .version(side)
            .filter(|version| version.0.len() <= VERSION_BYTES_MAX)
    });
    let fields_differ = present.fields.len() != present.width;
    let mut flags = PRESENT;
    for (flag, set) in [
        (DIGESTS_DIFFER, !present.same_on_both()),
        (FIELDS_DIFFER, fields_differ),
        (SOURCE_VERSION, version.source.is_some()),
        (TARGET_VERSION, version.target.is_some()),
    ] {
        flags |= if set { flag } else { 0 };
    }
    out.push(flags);
    varint(present.batch, out);
    out.extend(present.digest.source.0.to_be_bytes());
    if !present.same_on_both() {
        out.extend(present.digest.target.0.to_be_bytes());
    }
    varint(present.width as u64, out);
    for field in &present.fields {
        out.extend(field.0.to_be_bytes());
    }
    for version in [version.source, version.target].into_iter().flatten() {
        varint(version.0.len() as u64, out);
        out.extend_from_slice(&version.0);
    }
}

fn decode_present(flags: u8, reader: &mut Reader<'_>) -> Result<Present> {
    let batch = reader.varint()?;
    let source = Digest(u128::from_be_bytes(reader.array()?));
    let target = if flags & DIGESTS_DIFFER == 0 {
        source
    } else {
        Digest(u128::from_be_bytes(reader.array()?))
    };
    if flags & DIGESTS_DIFFER != 0 && source == target {
        return Err(corrupt("digests"));
    }
    let width = usize::try_from(reader.varint()?).map_err(|_| corrupt("width"))?;
    let sets = if flags & FIELDS_DIFFER == 0 { 1 } else { 2 };
    let bytes = width
        .checked_mul(8 * sets)
        .ok_or_else(|| corrupt("width"))?;
    let fields: Box<[FieldDigest]> = reader
        .take(bytes)?
        .chunks_exact(8)
        .map(|chunk| {
            FieldDigest(
                chunk
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
            )
        })
        .collect();
    if sets == 2 && fields.get(..width) == fields.get(width..) {
        return Err(corrupt("fields"));
    }
    let mut version = Sides::default();
    for (flag, side) in [
        (SOURCE_VERSION, Side::Source),
        (TARGET_VERSION, Side::Target),
    ] {
        if flags & flag != 0 {
            let len = reader.varint()?;
            let len = usize::try_from(len)
                .ok()
                .filter(|&len| len <= VERSION_BYTES_MAX);
            let token = reader.take(len.ok_or_else(|| corrupt("version"))?)?;
            version[side] = Some(Version(token.into()));
        }
    }
    Ok(Present {
        digest: Sides::new(source, target),
        fields,
        width,
        version,
        batch,
    })
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(format!("base entry is damaged: part={what}")).hint(
        "the state store is damaged; without it the next run joins both sides and deletes nothing",
    )
}

/// Appends 7 bits a byte, low first, the high bit set on all but the last.
fn varint(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push((v & 0x7f) as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| corrupt("length"))?;
        self.rest = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn array(&mut self) -> Result<[u8; 16]> {
        self.take(16)?.try_into().map_err(|_| corrupt("digest"))
    }

    /// Reads a number in its shortest form; any other form is refused, so that each entry has one encoding.
    fn varint(&mut self) -> Result<u64> {
        let mut v = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (shift == 63 && bits > 1) || (shift > 0 && byte == 0) {
                return Err(corrupt("number"));
            }
            v |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(v);
            }
        }
        Err(corrupt("number"))
    }
}
