//! How a record is named that cannot be taken further: by the digest of its key, and by its text for people.

use super::key_digest;
use crate::batch::Batch;
use crate::digest::Digest;
use crate::encode;
use crate::park::write_key_field;
use crate::value::Value;

/// The digest that names a parked record, and the text that does so for people: of its mapped key, with the raw values
/// where `push` gives those back. A value of the key that is computed from several is not said.
pub(super) fn name_misfit<'a>(
    key: impl IntoIterator<Item = (usize, &'a str)>,
    scratch: &mut Vec<u8>,
    mut push: impl FnMut(usize, &mut Batch) -> Result<(), Vec<Value<'a>>>,
) -> (Digest, String) {
    scratch.clear();
    let mut text = String::new();
    for (position, name) in key {
        let mut probe = Batch::new(1);
        match push(position, &mut probe) {
            Ok(()) => {
                let value = probe.record(0).value(0);
                encode::key(value, scratch);
                write_key_field(name, Some(value), &mut text);
            }
            Err(raw) => {
                let only = if let [only] = raw[..] {
                    Some(only)
                } else {
                    None
                };
                write_key_field(name, only, &mut text);
                raw.into_iter().for_each(|raw| encode::key(raw, scratch));
            }
        }
    }
    (key_digest(scratch), text)
}
