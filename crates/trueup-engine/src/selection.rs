//! Which actions of a fresh plan are carried out, where it is not all of them.
//!
//! A run that carries out a plan file, or tries parked records again, compares like any other run and then leaves out
//! what was not chosen. So nothing is ever written that the present state of both sides does not ask for. What is
//! left out is counted, and its keys are kept for verify: those records may differ, and no others.

use crate::actions::Actions;
use crate::compare::Compared;
use crate::connect::Collection;
use crate::link::World;
use crate::spool::Spool;
use trueup_core::digest::Digest;
use trueup_core::endpoint::Op;
use trueup_core::mapping::key_digest;
use trueup_core::plan::{Counts, Decoded};
use trueup_core::{Result, encode};

/// How many keys of records that changed since are named in a report.
pub(crate) const CHANGED_NAMED_MAX: usize = 100;

/// How many records may be left out for verify to know them: 16 bytes each are in memory.
const WITHHELD_MAX: usize = 1_000_000;

/// What becomes of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It is carried out.
    Take,
    /// It was not chosen.
    Leave,
    /// It was chosen when its record was another one.
    Changed,
}

/// What is chosen, over all collections.
pub(crate) trait Selection {
    /// Starts a collection; `None` when nothing of it is chosen, not even that it is created.
    fn open<'a>(&'a mut self, collection: &Collection) -> Result<Option<Box<dyn Chooser + 'a>>>;

    /// Tells whether a difference that is left makes the sides differ for this run.
    fn is_complete(&self) -> bool;

    /// Checks what can be checked once all collections were met.
    fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// What is chosen in one collection.
pub(crate) trait Chooser {
    /// Decides about the next action. Keys ascend.
    fn choose(&mut self, key: &[u8], action: &Decoded) -> Result<Choice>;

    /// Returns how many chosen actions there is no need for any more.
    fn end(&mut self) -> Result<u64>;
}

/// What was chosen of a collection's plan, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Differences that were left because nobody chose them.
    pub left: u64,
    /// Chosen records that were left because they changed since.
    pub changed: u64,
    /// Chosen actions that nothing asks for any more: the sides agree about these records.
    pub settled: u64,
    /// The digests of the keys of records that changed since, the first hundred.
    pub changed_keys: Vec<Digest>,
    /// The same keys by their values, as a plan shows them; empty texts in a bag. The history does not keep them.
    pub changed_texts: Vec<String>,
}

impl Selected {
    /// Returns how many differences stayed.
    pub fn stayed(&self) -> u64 {
        self.left + self.changed
    }
}

/// The keys of the records that were left out; `None` when there are too many to keep.
pub(crate) type Withheld = Option<Vec<Digest>>;

/// Leaves out of `compared` what `selection` does not choose.
pub(crate) fn select(
    compared: &mut [Compared],
    selection: &mut dyn Selection,
    world: &World<'_>,
) -> Result<()> {
    for one in compared.iter_mut() {
        let mut chooser = selection.open(&one.collection)?;
        select_one(one, chooser.as_deref_mut(), world)?;
    }
    selection.close()
}

fn select_one(
    one: &mut Compared,
    mut chooser: Option<&mut (dyn Chooser + '_)>,
    world: &World<'_>,
) -> Result<()> {
    if chooser.is_none() {
        one.plan.create = None;
    }
    let mut selected = Selected::default();
    let mut withheld: Withheld = Some(Vec::new());
    let mut counts = Counts::default();
    let mut upserts = Spool::new(&world.spool_folder);
    let mut deletes = Spool::new(&world.spool_folder);
    let plan = one.plan.clone();
    let mut actions = Actions::read(one)?;
    while let Some(next) = actions.next()? {
        let choice = match &mut chooser {
            Some(chooser) => chooser.choose(next.key, next.action)?,
            None => Choice::Leave,
        };
        if choice == Choice::Take {
            let spool = match next.action.op {
                Op::Insert | Op::Update => &mut upserts,
                Op::Delete => &mut deletes,
            };
            spool.push(next.bytes)?;
            counts.add(next.action.op);
            continue;
        }
        let key = key_digest(next.key);
        if choice == Choice::Changed {
            selected.changed += 1;
            if selected.changed_keys.len() < CHANGED_NAMED_MAX {
                selected.changed_keys.push(key);
                let mut text = String::new();
                plan.write_key(next.record, &mut text);
                selected.changed_texts.push(text);
            }
        } else {
            selected.left += 1;
        }
        withheld = withheld.filter(|keys| keys.len() < WITHHELD_MAX);
        if let Some(keys) = &mut withheld {
            keys.push(key);
        }
    }
    if let Some(chooser) = chooser {
        selected.settled = chooser.end()?;
    }
    one.plan.counts = counts;
    (one.upserts, one.deletes) = (upserts.finish()?, deletes.finish()?);
    (one.selected, one.withheld) = (Some(selected), withheld);
    Ok(())
}

/// Names the terms in which a collection's keys and digests are meant. What a field's value is made of is not part of
/// it: another rule for a value makes another digest, and that is noticed record by record.
pub(crate) fn fingerprint(collection: &Collection) -> Digest {
    let mapping = &collection.mapping;
    let mut terms = vec![
        format!("encoding {}", encode::VERSION),
        collection.source.collection.clone(),
        collection.target.collection.clone(),
    ];
    terms.extend(
        mapping
            .fields()
            .iter()
            .map(|field| format!("{} {}", field.ty, field.name)),
    );
    terms.extend(mapping.key().iter().map(ToString::to_string));
    // The length first: no two lists of terms give the same bytes.
    let framed: String = terms
        .iter()
        .map(|term| format!("{}:{term}", term.len()))
        .collect();
    Digest::of(framed.as_bytes())
}
