//! What was built around the records, and what was not, for scripts.

use serde::Serialize;
use trueup_core::structure::{Lost, Step};
use trueup_engine::{Refused, StructureReport};

#[derive(Serialize)]
pub(super) struct StructureJson<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    planned: Vec<StepJson<'a>>,
    built: u64,
    there: u64,
    refused: Vec<RefusedJson<'a>>,
    lost: Vec<LostJson<'a>>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    kind: &'a str,
    collection: &'a str,
    name: &'a str,
    statement: &'a str,
}

#[derive(Serialize)]
struct RefusedJson<'a> {
    kind: &'a str,
    collection: &'a str,
    name: &'a str,
    reason: &'a str,
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct LostJson<'a> {
    kind: &'a str,
    name: &'a str,
    why: &'a str,
}

/// The object that stands for a structure report. The steps of a dry run stand in its plan, those of a check here.
pub(super) fn structure(report: &StructureReport, steps: bool) -> StructureJson<'_> {
    let planned = report.planned.iter().filter(|_| steps);
    StructureJson {
        planned: planned.map(step).collect(),
        built: report.built,
        there: report.there,
        refused: report.refused.iter().map(refused).collect(),
        lost: report.lost.iter().map(lost).collect(),
    }
}

fn step(step: &Step) -> StepJson<'_> {
    StepJson {
        kind: step.kind.name(),
        collection: &step.collection,
        name: &step.name,
        statement: &step.statement,
    }
}

fn refused(refused: &Refused) -> RefusedJson<'_> {
    RefusedJson {
        kind: &refused.kind,
        collection: &refused.collection,
        name: &refused.name,
        reason: &refused.reason,
        hint: refused.hint.as_deref(),
    }
}

fn lost(lost: &Lost) -> LostJson<'_> {
    LostJson {
        kind: &lost.kind,
        name: &lost.name,
        why: &lost.why,
    }
}
