//! Keys that several records share, counted while all are merged, and the first few of them kept as examples.

use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::codec::Reader;
use trueup_core::digest::Digest;

/// How many keys are kept as examples.
const EXAMPLES_MAX: usize = 3;

/// Keys that several records share. Records whose content is not known count, and equal no other.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    /// How many keys.
    pub(crate) keys: u64,
    /// How many records have one of them.
    pub(crate) records: u64,
    /// How many of these repeat the first record of their key exactly.
    pub(crate) exact: u64,
    /// The first few keys.
    pub(crate) examples: Vec<Example>,
    /// The digest of the first record of the key at hand, and how many others there were so far.
    first: Option<Digest>,
    others: u64,
}

/// A key that several records share.
#[derive(Debug)]
pub(crate) struct Example {
    /// The canonical key.
    pub(crate) key: Vec<u8>,
    /// A record with it, where the content of one is known.
    pub(crate) record: Option<Batch>,
    /// How many records have it.
    pub(crate) records: u64,
    /// How many of these repeat the first one exactly.
    pub(crate) exact: u64,
}

impl Repeated {
    /// Takes note of the first record of a key.
    pub(super) fn next(&mut self, entry: &[u8]) -> Result<()> {
        let mut reader = Reader::new(entry);
        reader.bytes()?;
        self.first = digest(&mut reader)?;
        self.others = 0;
        Ok(())
    }

    /// Counts a further record of the key at hand.
    pub(super) fn again(&mut self, entry: &[u8], width: usize) -> Result<()> {
        let mut reader = Reader::new(entry);
        let key = reader.bytes()?;
        let digest = digest(&mut reader)?;
        let exact = u64::from(digest.is_some() && digest == self.first);
        self.exact += exact;
        self.records += 1;
        if self.others == 0 {
            self.keys += 1;
            self.records += 1;
            if self.examples.len() < EXAMPLES_MAX {
                self.examples.push(Example {
                    key: key.to_vec(),
                    record: None,
                    records: 1,
                    exact: 0,
                });
            }
        }
        self.others += 1;
        let shown = self.examples.last_mut();
        let Some(example) = shown.filter(|example| example.key == key) else {
            return Ok(());
        };
        example.records += 1;
        example.exact += exact;
        if example.record.is_none() && digest.is_some() {
            let mut record = Batch::new(width);
            reader.record(&mut record)?;
            example.record = Some(record);
        }
        Ok(())
    }
}

/// Reads the digest of an entry behind its key; `None` where its content is not known.
fn digest(reader: &mut Reader<'_>) -> Result<Option<Digest>> {
    if reader.byte()? != 1 {
        return Ok(None);
    }
    Ok(Some(Digest(u128::from_le_bytes(reader.array()?))))
}
