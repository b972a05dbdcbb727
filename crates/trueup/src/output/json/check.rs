//! What a check found, for scripts.

use super::line;
use super::structure::{StructureJson, structure};
use crate::output::text::check::standing;
use serde::Serialize;
use std::borrow::Cow;
use trueup_core::Result;
use trueup_core::endpoint::Capabilities;
use trueup_core::rights::{Missing, Remedy};
use trueup_engine::check::{
    CheckReport, CollectionCheck, EndCheck, FieldCheck, Held, Problem, Promise,
};

#[derive(Serialize)]
struct LinkJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    link: &'a str,
    ready: bool,
    two_way: bool,
    source: EndJson<'a>,
    target: Option<EndJson<'a>>,
    guarantees: Vec<PromiseJson<'a>>,
    collections: Vec<CollectionJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structure: Option<StructureJson<'a>>,
    problems: Vec<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct EndJson<'a> {
    address: &'a str,
    engine: &'a str,
    version: &'a str,
    class: &'a str,
    capabilities: AbleJson,
    missing: Vec<MissingJson<'a>>,
    weaker: Vec<MissingJson<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct AbleJson {
    write: bool,
    create: bool,
    marker: bool,
    check: bool,
    ordered: bool,
    typed: bool,
}

#[derive(Serialize)]
struct MissingJson<'a> {
    wanted: String,
    right: &'a str,
    statement: Option<&'a str>,
    advice: Option<&'a str>,
}

#[derive(Serialize)]
struct PromiseJson<'a> {
    id: &'a str,
    text: &'a str,
    standing: &'a str,
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct CollectionJson<'a> {
    source: &'a str,
    target: &'a str,
    key: &'a [String],
    source_key: Option<&'a [String]>,
    target_key: Option<&'a [String]>,
    create: Option<CreateJson<'a>>,
    fields: Vec<FieldJson<'a>>,
    notes: &'a [String],
    problems: Vec<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct CreateJson<'a> {
    side: &'a str,
    statement: &'a str,
}

#[derive(Serialize)]
struct FieldJson<'a> {
    source: Option<HeldJson<'a>>,
    target: Option<HeldJson<'a>>,
    fit: Option<FitJson>,
    back: Option<FitJson>,
    note: Option<&'a str>,
    problem: Option<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct HeldJson<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    native: &'a str,
}

#[derive(Serialize)]
struct FitJson {
    fit: &'static str,
    note: Option<Cow<'static, str>>,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    message: &'a str,
    hint: Option<&'a str>,
}

/// One object for a link; with the name that a configuration file gives it.
pub(in crate::output) fn link(report: &CheckReport, name: Option<&str>) -> Result<String> {
    line(&mirror(report, name))
}

fn mirror<'a>(report: &'a CheckReport, name: Option<&'a str>) -> LinkJson<'a> {
    LinkJson {
        name,
        link: &report.link,
        ready: report.exit_code() == 0,
        two_way: report.two_way,
        source: end(&report.source),
        target: report.target.as_ref().map(end),
        guarantees: report.promises.iter().map(promise).collect(),
        collections: report.collections.iter().map(collection).collect(),
        structure: report.structure.as_ref().map(|one| structure(one, true)),
        problems: report.problems.iter().map(problem).collect(),
    }
}

fn end(end: &EndCheck) -> EndJson<'_> {
    let Capabilities {
        write,
        create,
        marker,
        check,
        ordered,
        typed,
    } = end.about.capabilities;
    EndJson {
        address: &end.about.address,
        engine: end.about.engine,
        version: &end.about.version,
        class: end.about.class.letter(),
        capabilities: AbleJson {
            write,
            create,
            marker,
            check,
            ordered,
            typed,
        },
        missing: end.missing.iter().map(missing).collect(),
        weaker: end.weaker.iter().map(missing).collect(),
        notes: &end.notes,
    }
}

fn missing(one: &Missing) -> MissingJson<'_> {
    let (statement, advice) = match &one.remedy {
        Remedy::Statement(sql) => (Some(sql.as_str()), None),
        Remedy::Advice(advice) => (None, Some(advice.as_str())),
    };
    MissingJson {
        wanted: one.wanted.to_string(),
        right: &one.right,
        statement,
        advice,
    }
}

fn promise(promise: &Promise) -> PromiseJson<'_> {
    let (word, reason) = standing(promise.standing);
    PromiseJson {
        id: promise.id,
        text: promise.text,
        standing: word,
        reason,
    }
}

fn collection(one: &CollectionCheck) -> CollectionJson<'_> {
    CollectionJson {
        source: &one.names.source,
        target: &one.names.target,
        key: &one.key,
        source_key: one.keys.source.as_deref(),
        target_key: one.keys.target.as_deref(),
        create: one.create.as_ref().map(|(side, statement)| CreateJson {
            side: side.name(),
            statement,
        }),
        fields: one.fields.iter().map(field).collect(),
        notes: &one.notes,
        problems: one.problems.iter().map(problem).collect(),
    }
}

fn field(field: &FieldCheck) -> FieldJson<'_> {
    FieldJson {
        source: field.held.source.as_ref().map(name_and_type),
        target: field.held.target.as_ref().map(name_and_type),
        fit: field.fit.map(fit),
        back: field.back.map(fit),
        note: field.note.as_deref(),
        problem: field.problem.as_ref().map(problem),
    }
}

fn name_and_type(held: &Held) -> HeldJson<'_> {
    HeldJson {
        name: &held.name,
        native: &held.native,
    }
}

fn fit(fit: trueup_core::lattice::Fit) -> FitJson {
    FitJson {
        fit: fit.name(),
        note: fit.note(),
    }
}

fn problem(problem: &Problem) -> ProblemJson<'_> {
    ProblemJson {
        message: &problem.message,
        hint: problem.hint.as_deref(),
    }
}
