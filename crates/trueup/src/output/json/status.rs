//! The standing of links as JSON.

use super::{line, moment};
use crate::status::{Base, Listed, Standing};
use serde::Serialize;
use trueup_core::Result;
use trueup_engine::state::{FollowStanding, PastRun};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    following: Option<FollowingJson<'a>>,
    needs_person: bool,
}

/// How far a link is that follows a log.
#[derive(Serialize)]
struct FollowingJson<'a> {
    position: Option<&'a str>,
    /// When the last transaction was committed at the source that is written.
    last_commit: Option<String>,
    /// When all that the log had told was durable at the target.
    level: Option<String>,
    /// As of when all this is.
    heard: Option<String>,
    transactions: u64,
    changes: u64,
    kept_bytes: Option<u64>,
    untold_bytes: Option<u64>,
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
        following: link.following.as_ref().map(following),
        needs_person: !link.needs().is_empty(),
    }
}

fn following(standing: &FollowStanding) -> FollowingJson<'_> {
    FollowingJson {
        position: standing.position.as_deref(),
        last_commit: standing.at_us.map(|us| moment(us.div_euclid(1_000))),
        level: standing.level_ms.map(moment),
        heard: standing.heard_ms.map(moment),
        transactions: standing.transactions,
        changes: standing.changes,
        kept_bytes: standing.kept_bytes,
        untold_bytes: standing.untold_bytes,
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
