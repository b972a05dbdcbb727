//! The certificate as JSON: what `--json` prints and the history keeps.
//!
//! Written by hand, so that renaming a Rust field cannot change a document that people file away. `format` grows
//! with every change that an old reader would misread; a reader ignores fields it does not know. Counts are plain
//! numbers up to 2^64 - 1, digests are 32 hexadecimal digits. `golden.json` beside this file is the contract.

use super::{Certificate, CollectionProof, SideProof};
use serde_json::{Value, json};
use trueup_core::digest::Fold;

/// The version of the document. 1: keys in open conflict were counted as parked. 2: no proof by hashes.
const FORMAT: u64 = 3;

impl Certificate {
    /// Returns the certificate as a JSON object.
    pub fn to_json(&self) -> Value {
        let collections: Vec<Value> = self.collections.iter().map(proof_to_json).collect();
        json!({
            "format": FORMAT,
            "trueup": self.version,
            "link": self.link,
            "issued_ms": self.issued_ms,
            "algorithm": self.algorithm,
            "source": side_to_json(&self.source),
            "target": side_to_json(&self.target),
            "collections": collections,
            "notes": self.notes,
        })
    }

    /// Reads a certificate back; `None` when the document is none, or of an unknown version.
    pub fn from_json(document: &Value) -> Option<Self> {
        let format = document.get("format")?.as_u64()?;
        if !(1..=FORMAT).contains(&format) {
            return None;
        }
        Some(Self {
            link: text(document, "link")?,
            issued_ms: document.get("issued_ms")?.as_i64()?,
            version: text(document, "trueup")?,
            algorithm: text(document, "algorithm")?,
            source: side_from_json(document.get("source")?)?,
            target: side_from_json(document.get("target")?)?,
            collections: list(document, "collections", |one| proof_from_json(one, format))?,
            notes: texts(document, "notes")?,
        })
    }
}

fn side_to_json(side: &SideProof) -> Value {
    json!({ "address": side.address, "position": side.position })
}

fn side_from_json(document: &Value) -> Option<SideProof> {
    Some(SideProof {
        address: text(document, "address")?,
        position: text(document, "position")?,
    })
}

fn proof_to_json(proof: &CollectionProof) -> Value {
    json!({
        "source": proof.source,
        "target": proof.target,
        "source_records": proof.source_fold.count,
        "target_records": proof.target_fold.count,
        "digest_source": proof.source_fold.to_string(),
        "digest_target": proof.target_fold.to_string(),
        "only_target": proof.only_target,
        "wrong": proof.wrong,
        "parked": proof.parked,
        "open": proof.open,
        "hashed": proof.hashed,
        "rules": proof.rules,
    })
}

fn proof_from_json(document: &Value, format: u64) -> Option<CollectionProof> {
    Some(CollectionProof {
        source: text(document, "source")?,
        target: text(document, "target")?,
        source_fold: fold(document, "source_records", "digest_source")?,
        target_fold: fold(document, "target_records", "digest_target")?,
        only_target: count(document, "only_target")?,
        wrong: count(document, "wrong")?,
        parked: count(document, "parked")?,
        open: match format {
            1 => 0,
            _ => count(document, "open")?,
        },
        hashed: match format {
            1 | 2 => None,
            _ => optional(document, "hashed")?,
        },
        rules: texts(document, "rules")?,
    })
}

/// Reads a text.
pub(crate) fn text(document: &Value, name: &str) -> Option<String> {
    Some(document.get(name)?.as_str()?.to_owned())
}

/// Reads a text that may be `null`.
fn optional(document: &Value, name: &str) -> Option<Option<String>> {
    match document.get(name)? {
        Value::Null => Some(None),
        text => Some(Some(text.as_str()?.to_owned())),
    }
}

/// Reads a list of texts.
pub(crate) fn texts(document: &Value, name: &str) -> Option<Vec<String>> {
    list(document, name, |entry| Some(entry.as_str()?.to_owned()))
}

/// Reads a list; `None` when any entry cannot be read.
pub(crate) fn list<T>(
    document: &Value,
    name: &str,
    read: impl FnMut(&Value) -> Option<T>,
) -> Option<Vec<T>> {
    document.get(name)?.as_array()?.iter().map(read).collect()
}

/// Reads a count.
pub(crate) fn count(document: &Value, name: &str) -> Option<u64> {
    document.get(name)?.as_u64()
}

/// Reads the count and digest of a set of records.
pub(crate) fn fold(document: &Value, records: &str, digest: &str) -> Option<Fold> {
    Some(Fold {
        sum: digest_from(document.get(digest)?.as_str()?)?,
        count: count(document, records)?,
    })
}

/// Reads the 32 hexadecimal digits of a digest, as it displays itself.
pub(crate) fn digest_from(digits: &str) -> Option<u128> {
    // Parsing alone would take a sign, and fewer digits.
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digits.len() == 32 && digits.bytes().all(plain))
        .then(|| u128::from_str_radix(digits, 16).ok())
        .flatten()
}
