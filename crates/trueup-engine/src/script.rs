//! Says a plan as a script in the target's language: inserts and updates parents first, deletes children first, then what
//! is built around the records of a collection that it creates.

use crate::compare::Compared;
use crate::link::Link;
use crate::spool::Spooled;
use trueup_core::batch::Batch;
use trueup_core::plan::{self, Counts};
use trueup_core::script::{Script, Statement};
use trueup_core::structure::{Construction, Step};
use trueup_core::{Error, Result};

/// Refuses a target that has no language to say writes in.
pub(crate) fn refuse_speechless(link: &Link) -> Result<()> {
    speech(link).map(|_| ())
}

fn speech(link: &Link) -> Result<Box<dyn Script + '_>> {
    link.target.script().ok_or_else(|| {
        Error::config(format!(
            "{} has no language for a script",
            link.target.about().address
        ))
        .hint("--sql names the side that the script changes: a SQLite, PostgreSQL or MySQL/MariaDB database")
    })
}

/// Passes the script to `out`, piece by piece.
pub(crate) fn write(
    link: &Link,
    compared: &mut [Compared],
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let script = speech(link)?;
    out(&script.comment(&format!(
        "trueup: makes {} agree with",
        link.target.about().address
    )))?;
    out(&script.comment(&link.source.about().address))?;
    for one in compared.iter() {
        let Counts {
            inserts,
            updates,
            deletes,
        } = one.plan.counts;
        out(&script.comment(&format!(
            "{}: {inserts} to insert, {updates} to update, {deletes} to delete",
            one.plan.target
        )))?;
        if !one.parked.is_empty() {
            out(&script.comment(&format!(
                "{}: NOT IN THIS SCRIPT: {} records of the other side that do not fit",
                one.plan.target,
                one.parked.len()
            )))?;
        }
    }
    for lost in compared.iter().filter_map(made).flat_map(|one| &one.lost) {
        out(&script.comment(&format!(
            "NOT IN THIS SCRIPT: {} {}: {}",
            lost.kind, lost.name, lost.why
        )))?;
    }
    out(&script.begin())?;
    for one in compared.iter() {
        if let Some(design) = &one.plan.create {
            if design.statement.is_empty() {
                let name = &one.plan.target;
                return Err(Error::config(format!(
                    "collection={name}: there is no statement that creates it"
                ))
                .hint("let a sync create it, or create it yourself first"));
            }
            out(&ended(&design.statement))?;
        }
    }
    for one in compared.iter_mut() {
        statements(script.as_ref(), one, true, out)?;
    }
    for one in compared.iter_mut().rev() {
        statements(script.as_ref(), one, false, out)?;
    }
    let mut steps: Vec<&Step> = compared
        .iter()
        .filter_map(made)
        .flat_map(|one| &one.steps)
        .collect();
    steps.sort_by_key(|step| step.kind);
    for step in steps {
        out(&ended(&step.statement))?;
    }
    out(&script.end())
}

/// How a collection comes to be that the script creates.
fn made(one: &Compared) -> Option<&Construction> {
    let create = one.plan.create.as_ref();
    create.and(one.collection.construction.as_ref())
}

/// A statement with its end.
fn ended(statement: &str) -> String {
    format!("{};\n", statement.trim_end().trim_end_matches(';'))
}

fn statements(
    script: &dyn Script,
    one: &mut Compared,
    upserts: bool,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let Compared {
        collection,
        upserts: up,
        deletes,
        ..
    } = one;
    let mapping = &collection.mapping;
    let spool: &mut Spooled = if upserts { up } else { deletes };
    let mut reader = spool.read()?;
    let mut record = Batch::new(mapping.fields().len());
    while let Some(entry) = reader.next()? {
        record.reset(record.width());
        let action = plan::decode(entry, &mut record)?;
        out(&script.statement(&Statement {
            schema: &collection.target,
            fields: mapping.target_fields(),
            key: mapping.key(),
            op: action.op,
            changed: &action.changed,
            record: record.record(0),
        })?)?;
    }
    Ok(())
}
