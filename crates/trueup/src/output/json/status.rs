//! The standing of links as JSON.

use super::{line, moment};
use crate::status::{Base, Listed, Standing};
use serde::Serialize;
use trueup_core::Result;
use trueup_engine::state::PastRun;

#[derive(Serialize)]
struct LinkJson<'a> {
    link: &'a str,
    names: &'a [String],
    id: &'a str,
    kind: &'static str,
    last_run: Option<LastJson<'a>>,
    collections: Vec<CollectionJson<'a>>,
    open_conflicts: u64,
    answers_waiting: u64,
    parked: u64,
    needs_person: bool,
}

#[derive(Serialize)]
struct LastJson<'a> {
    run: i64,
    started: String,
    ended: Option<String>,
    exit: Option<u8>,
    error: Option<&'a str>,
    hint: Option<&'a str>,
    /// It began and did not say how it ended: it is still under way, or was killed.
    interrupted: bool,
}

#[derive(Serialize)]
struct CollectionJson<'a> {
    source: &'a str,
    target: &'a str,
    base: Option<&'static str>,
}

/// One array for all links that are wanted, and of the others those that need a person.
pub(in crate::output) fn links(listed: &Listed) -> Result<String> {
    let others = listed.others.iter().filter(|one| one.needs_person());
    let links = listed.links.iter().chain(others);
    line(&links.map(link).collect::<Vec<_>>())
}

fn link(link: &Standing) -> LinkJson<'_> {
    LinkJson {
        link: &link.name,
        names: &link.labels,
        id: &link.id,
        kind: link.kind(),
        last_run: link.last.as_ref().map(last),
        collections: link
            .collections
            .iter()
            .map(|one| CollectionJson {
                source: &one.names.source,
                target: &one.names.target,
                base: one.base.map(Base::name),
            })
            .collect(),
        open_conflicts: link.open,
        answers_waiting: link.answers,
        parked: link.parked,
        needs_person: !link.needs().is_empty(),
    }
}

fn last(run: &PastRun) -> LastJson<'_> {
    LastJson {
        run: run.run.0,
        started: moment(run.started_ms),
        ended: run.ended_ms.map(moment),
        exit: run.exit,
        error: run.error.as_deref(),
        hint: run.hint.as_deref(),
        interrupted: run.ended_ms.is_none(),
    }
}
