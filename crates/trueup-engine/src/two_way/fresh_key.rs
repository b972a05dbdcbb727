//! The key under which `keep-both` stores the second record.
//!
//! Invariant: for keys of text and of UUIDs the fresh key is a function of the old key and of the record's content, so
//! that an attempt that is repeated after a crash makes the same copy and not another one. Integers have no room for
//! that: theirs is the next free one, and the caller's plan is what keeps it the same.
//! It deliberately does not look whether the key is free: the write does, and asks again with the next `n`.

use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::encode;
use trueup_core::error::{Error, Kind, Result};
use trueup_core::types::Type;
use trueup_core::value::Value;

#[cfg(test)]
mod tests;

/// What stands between a text key and its mark.
const SEPARATOR: char = '~';
/// The hexadecimal digits of the mark.
const MARK_DIGITS: usize = 8;
/// The shortest limit of a text that leaves room for one character of the old key.
const CHARS_MAX_LEAST: u32 = 1 + 1 + MARK_DIGITS as u32;

/// How fresh keys are made in one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FreshKey {
    /// The field that changes.
    field: usize,
    name: String,
    key: Vec<usize>,
    kind: KeyKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyKind {
    Text { chars_max: Option<u32> },
    Uuid,
    Int { max: i64 },
}

impl FreshKey {
    /// Chooses the field of the key that a fresh one differs in: the last that is text, an integer or a UUID. Called when
    /// a link is planned; `types` are those that hold on both sides.
    ///
    /// # Errors
    /// `Config` when the key has no such field.
    pub(crate) fn choose(
        collection: &str,
        names: &[&str],
        types: &[Type],
        key: &[usize],
    ) -> Result<Self> {
        let kind = |ty: Type| match ty {
            Type::Text { chars_max } if chars_max.is_none_or(|max| max >= CHARS_MAX_LEAST) => {
                Some(KeyKind::Text { chars_max })
            }
            Type::Uuid => Some(KeyKind::Uuid),
            Type::Int { bits, signed } => {
                let bits = u32::from(bits) - u32::from(signed);
                // What 64 bits without a sign hold above that has no place in a batch.
                let max = 1_i64.checked_shl(bits).filter(|_| bits < 63);
                let max = max.map_or(i64::MAX, |above| above - 1);
                Some(KeyKind::Int { max })
            }
            _ => None,
        };
        let name = |field: usize| names.get(field).copied().unwrap_or_default();
        let found = key.iter().rev().find_map(|&field| {
            let kind = kind(types.get(field).copied()?)?;
            Some((field, kind))
        });
        let Some((field, kind)) = found else {
            let key: Vec<&str> = key.iter().map(|&field| name(field)).collect();
            let key = key.join(",");
            return Err(Error::config(format!(
                "keep-both finds no room for a second key: collection={collection} key={key}"
            ))
            .hint("the key needs a field of text (10 characters or more), an integer or a UUID; choose another conflict policy"));
        };
        Ok(Self {
            field,
            name: name(field).to_owned(),
            key: key.to_vec(),
            kind,
        })
    }

    /// Returns the field that the fresh key differs in.
    pub(crate) fn field(&self) -> usize {
        self.field
    }

    /// Tells whether [`FreshKey::fresh`] wants to know the largest key of both sides.
    pub(crate) fn counts(&self) -> bool {
        matches!(self.kind, KeyKind::Int { .. })
    }

    /// Appends `record` under a fresh key. `digest` is of its content, `largest` the largest value of the key field on
    /// both sides, and `n` counts the copies made with the same `largest`, or the attempts where the key was taken.
    ///
    /// # Errors
    /// `Rejected` when no key is left, or the old one is none; `Bug` when the record is not whole. Nothing was pushed.
    pub(crate) fn fresh(
        &self,
        record: Record<'_>,
        digest: Digest,
        largest: Option<i64>,
        n: u64,
        into: &mut Batch,
    ) -> Result<()> {
        if self.field >= record.width() || record.values().any(|value| value == Value::Unchanged) {
            return Err(Error::bug("a copy is made of a record that is not whole"));
        }
        match (self.kind, record.value(self.field)) {
            (KeyKind::Text { chars_max }, Value::Text(old)) => {
                let room = chars_max.map_or(usize::MAX, |max| {
                    (max as usize).saturating_sub(1 + MARK_DIGITS)
                });
                let kept: String = old.chars().take(room).collect();
                // A key that was cut may have been another's beginning.
                let digest = if n > 0 || kept.len() < old.len() {
                    self.stirred(record, digest, n)
                } else {
                    digest
                };
                let mark = digest.to_string();
                let mark = mark.get(..MARK_DIGITS).unwrap_or(&mark);
                let fresh = format!("{kept}{SEPARATOR}{mark}");
                self.push(record, Value::Text(&fresh), into);
            }
            (KeyKind::Uuid, Value::Uuid(_)) => {
                let mut bytes = self.stirred(record, digest, n).0.to_be_bytes();
                // Version 8 (of the maker's own devising), variant 1 (RFC 9562).
                bytes[6] = bytes[6] & 0x0f | 0x80;
                bytes[8] = bytes[8] & 0x3f | 0x80;
                self.push(record, Value::Uuid(&bytes), into);
            }
            (KeyKind::Int { max }, Value::Int(old)) => {
                let largest = largest.map_or(old, |largest| largest.max(old));
                let next = i64::try_from(n).ok().and_then(|n| n.checked_add(1));
                let fresh = next.and_then(|next| largest.checked_add(next));
                let fresh = fresh.filter(|&fresh| fresh <= max);
                let fresh = fresh.ok_or_else(|| {
                    self.refused("no larger key is left")
                        .hint("make room in the keys, or settle the conflict by hand")
                })?;
                self.push(record, Value::Int(fresh), into);
            }
            _ => {
                return Err(self
                    .refused("the key is not of its type")
                    .hint("settle the conflict by hand"));
            }
        }
        Ok(())
    }

    fn refused(&self, why: &str) -> Error {
        let name = &self.name;
        Error::new(
            Kind::Rejected,
            format!("keep-both makes no second key: {why}: field={name}"),
        )
    }

    /// The content's digest together with the whole key and the attempt: whether the digest covers the key is not known
    /// here, and equal contents under different keys must not get one key.
    fn stirred(&self, record: Record<'_>, digest: Digest, n: u64) -> Digest {
        let mut bytes = digest.0.to_be_bytes().to_vec();
        bytes.extend(n.to_be_bytes());
        for &field in self.key.iter().filter(|&&field| field < record.width()) {
            encode::key(record.value(field), &mut bytes);
        }
        Digest::of(&bytes)
    }

    fn push(&self, record: Record<'_>, fresh: Value<'_>, into: &mut Batch) {
        for (field, value) in record.values().enumerate() {
            into.push(if field == self.field { fresh } else { value });
        }
    }
}
