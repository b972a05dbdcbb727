//! What a plan says besides writes: that the sides are joined, and the conflicts that a run would meet.
//!
//! Keys, names of fields and rules are shown, as in the plan itself; other values are for `conflicts show`. People are
//! shown the first of many; as JSON all of them stand, like all actions.

use super::super::answer::Answered;
use super::super::decide::{Before, Decided};
use super::super::prepare::Joint;
use super::super::summary;
use super::super::work::{Ruled, Work};
use super::Out;
use crate::state::ConflictId;
use trueup_core::Result;
use trueup_core::plan::{CollectionPlan, Form, Met};
use trueup_core::side::{Side, Sides};

/// How many open conflicts of a collection people are shown, and how many decided ones.
const CONFLICTS_SHOWN_MAX: u64 = 20;

/// Returns the conflicts on record for which the planned writes carry out what a person decided.
pub(super) fn answering(joint: &Joint, decided: &mut Decided) -> Result<Vec<ConflictId>> {
    let width = joint.shared.types().len();
    let mut found = Vec::new();
    for side in Side::BOTH {
        let planned = &mut decided.planned[side];
        for spool in [&mut planned.upserts, &mut planned.deletes] {
            let mut reader = spool.read()?;
            while let Some(entry) = reader.next()? {
                found.extend(Work::decode(entry, width)?.answers);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The conflicts of one collection on their way out.
struct Meeting<'a, 'o> {
    joint: &'a Joint,
    before: &'a Before<'a>,
    plan: CollectionPlan,
    form: Form,
    out: Out<'o>,
    text: String,
}

/// Prints the conflicts that a run would meet: those that stay open, those that a rule decides, then those that a person
/// has decided.
pub(super) fn print(
    joint: &Joint,
    before: &Before<'_>,
    decided: &mut Decided,
    answering: &[ConflictId],
    form: Form,
    out: Out<'_>,
) -> Result<()> {
    let (open, ruled) = (decided.open.len(), decided.ruled);
    let answered = answering.len() as u64;
    if open + ruled + answered == 0 {
        return Ok(());
    }
    let mut meeting = Meeting {
        joint,
        before,
        plan: summary::plan_of(joint, decided, joint.user[Side::Source]),
        form,
        out,
        text: String::new(),
    };
    meeting.header(open, ruled, answered)?;
    meeting.open(decided)?;
    if ruled > 0 {
        meeting.ruled(decided)?;
    }
    meeting.answered(answering)
}

impl Meeting<'_, '_> {
    fn header(&mut self, open: u64, ruled: u64, answered: u64) -> Result<()> {
        let name = &self.plan.target;
        self.text = match self.form {
            Form::Text => {
                let persons = match answered {
                    0 => String::new(),
                    answered => format!(", {answered} decided by a person"),
                };
                format!("conflicts: collection {name}: {open} open, {ruled} decided{persons}\n")
            }
            Form::Json => {
                let (conflicts, joins) = (open + ruled + answered, !self.before.complete);
                let header = serde_json::json!({
                    "collection": name,
                    "conflicts": conflicts,
                    "open_conflicts": open,
                    "answered": answered,
                    "joins": joins,
                });
                format!("{header}\n")
            }
        };
        (self.out)(&self.text)
    }

    /// Those that nobody decides.
    fn open(&mut self, decided: &mut Decided) -> Result<()> {
        let (width, mut shown) = (self.joint.shared.types().len(), 0);
        let mut reader = decided.open.read()?;
        while let Some(entry) = reader.next()? {
            if self.is_enough(shown) {
                break;
            }
            let (key, ruled) = Ruled::read_open(entry, width)?;
            self.one(&key, &ruled)?;
            shown += 1;
        }
        self.rest(decided.open.len() - shown, "open")
    }

    /// Those that the plan's writes decide.
    fn ruled(&mut self, decided: &mut Decided) -> Result<()> {
        let (width, mut shown) = (self.joint.shared.types().len(), 0);
        for side in Side::BOTH {
            let planned = &mut decided.planned[side];
            for spool in [&mut planned.upserts, &mut planned.deletes] {
                let mut reader = spool.read()?;
                while let Some(entry) = reader.next()? {
                    if self.is_enough(shown) {
                        break;
                    }
                    let work = Work::decode(entry, width)?;
                    if let Some(ruled) = &work.conflict {
                        self.one(&work.key, ruled)?;
                        shown += 1;
                    }
                }
            }
        }
        self.rest(decided.ruled - shown, "decided")
    }

    /// Those that a person has decided: the plan's writes carry that out.
    fn answered(&mut self, answered: &[ConflictId]) -> Result<()> {
        if self.form == Form::Json {
            return Ok(());
        }
        let shown = answered.iter().zip(0..CONFLICTS_SHOWN_MAX);
        for (id, _) in shown.clone() {
            (self.out)(&format!(
                "  conflict {id}: what a person decided is carried out\n"
            ))?;
        }
        self.rest(
            (answered.len() - shown.count()) as u64,
            "decided by a person",
        )
    }

    fn is_enough(&self, shown: u64) -> bool {
        self.form == Form::Text && shown == CONFLICTS_SHOWN_MAX
    }

    fn one(&mut self, key: &[u8], ruled: &Ruled) -> Result<()> {
        let records = &ruled.records;
        let Some(record) = records.source.as_ref().or(records.target.as_ref()) else {
            return Ok(());
        };
        let turned = self.joint.user[Side::Source] == Side::Target;
        let ruling = if turned {
            &ruled.ruling.mirrored()
        } else {
            &ruled.ruling
        };
        let met = Met {
            ruling,
            record: record.record(0),
            number: self.before.open.get(key).map(|id| id.0),
            reason: ruled.reason.as_deref(),
        };
        self.text.clear();
        match self.form {
            Form::Text => self.plan.write_conflict(&met, &mut self.text),
            Form::Json => self.text = format!("{}\n", self.plan.conflict_json(&met)),
        }
        (self.out)(&self.text)
    }

    fn rest(&mut self, more: u64, which: &str) -> Result<()> {
        if more == 0 || self.form == Form::Json {
            return Ok(());
        }
        (self.out)(&format!(
            "  ... and {more} more {which}; --json lists all\n"
        ))
    }
}

/// What the user should know of one collection: how sides are joined, and which answers lapse.
pub(super) fn notes(
    before: &Before<'_>,
    decided: &Decided,
    lapsed: &[(ConflictId, Answered)],
) -> Vec<String> {
    let mut notes = Vec::new();
    let held: Sides<bool> = Sides::by(|side| decided.totals[side].count > 0);
    if !before.complete && held.source && held.target {
        let why = match before.collection {
            None => "no run has brought them together yet",
            Some(_) => "what they agreed on is not known of every record",
        };
        notes.push(format!(
            "the sides are joined, because {why}: what only one side has goes to the other, equal records are agreed, \
             records that differ are conflicts, and nothing is deleted"
        ));
    }
    let all = decided.answered.iter().chain(lapsed);
    notes.extend(all.filter_map(|(id, became)| became.lapse(*id)));
    notes
}
