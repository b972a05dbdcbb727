//! The JSON of the contract. Field names and their order are promised; see `docs/guide/command-line.md`.
//!
//! The engine's types derive no serialization: these mirrors are the format, and a golden test holds them.

pub(super) mod check;
pub(super) mod conflicts;
pub(super) mod diff;
pub(super) mod parked;
pub(super) mod status;
mod structure;

use super::text::moment;
use serde::Serialize;
use trueup_core::digest::Fold;
use trueup_core::plan::Counts;
use trueup_core::{Error, Result};
use trueup_engine::state::PastRun;
use trueup_engine::{
    Certificate, CollectionProof, CollectionReport, Hashed, Report, Selected, SideProof,
};

#[derive(Serialize)]
struct ReportJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    link: &'a str,
    equal: bool,
    collections: Vec<CollectionJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structure: Option<structure::StructureJson<'a>>,
    certificate: Option<CertificateJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Vec<serde_json::Value>>,
}

#[derive(Serialize)]
struct CollectionJson<'a> {
    name: &'a str,
    source_records: u64,
    target_records: u64,
    inserted: u64,
    updated: u64,
    deleted: u64,
    to_source: CountsJson,
    to_target: CountsJson,
    unchanged: u64,
    conflicts: u64,
    open_conflicts: u64,
    parked: u64,
    only_source: u64,
    only_target: u64,
    changed: u64,
    digest_source: Option<String>,
    digest_target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed: Option<HashedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<SelectedJson>,
}

#[derive(Serialize)]
struct HashedJson {
    buckets: u32,
    differing: u32,
    unread: u64,
}

#[derive(Serialize)]
struct SelectedJson {
    left: u64,
    changed_since: u64,
    settled: u64,
    changed_keys: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<String>,
}

#[derive(Serialize)]
struct CountsJson {
    inserted: u64,
    updated: u64,
    deleted: u64,
}

#[derive(Serialize)]
struct CertificateJson<'a> {
    link: &'a str,
    issued: String,
    version: &'a str,
    algorithm: &'a str,
    source: SideJson<'a>,
    target: SideJson<'a>,
    collections: Vec<ProofJson<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct SideJson<'a> {
    address: &'a str,
    position: &'a str,
}

#[derive(Serialize)]
struct ProofJson<'a> {
    source: &'a str,
    target: &'a str,
    source_records: u64,
    target_records: u64,
    digest_source: String,
    digest_target: String,
    only_target: u64,
    wrong: u64,
    parked: u64,
    open: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed: Option<&'a str>,
    rules: &'a [String],
}

#[derive(Serialize)]
struct RunJson<'a> {
    run: i64,
    link: &'a str,
    started: String,
    ended: Option<String>,
    exit: Option<u8>,
    error: Option<&'a str>,
    equal: Option<bool>,
    collections: Vec<CollectionJson<'a>>,
    certificate: Option<CertificateJson<'a>>,
}

#[derive(Serialize)]
struct FailureJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    error: ErrorJson<'a>,
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    kind: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<&'a str>,
}

/// One object for a run, a compare or a dry run; the last has a plan, given as one JSON object a line.
pub(super) fn report(report: &Report, plan: Option<&str>) -> Result<String> {
    a_report(None, report, plan)
}

/// The same with the link's name in its file before it.
pub(super) fn named_report(name: &str, report: &Report, plan: Option<&str>) -> Result<String> {
    a_report(Some(name), report, plan)
}

fn a_report(name: Option<&str>, report: &Report, plan: Option<&str>) -> Result<String> {
    let plan = plan.map(|lines| lines.lines().map(serde_json::from_str).collect());
    let plan = plan.transpose().map_err(|cause: serde_json::Error| {
        Error::bug("the plan is not one JSON object a line").cause(cause)
    })?;
    line(&ReportJson {
        name,
        link: &report.link,
        equal: report.equal,
        collections: report.collections.iter().map(collection).collect(),
        structure: report
            .structure
            .as_ref()
            .map(|one| structure::structure(one, false)),
        certificate: report.certificate.as_ref().map(mirror),
        plan,
    })
}

/// One object for a certificate.
pub(super) fn certificate(certificate: &Certificate) -> Result<String> {
    line(&mirror(certificate))
}

/// One array for the history.
pub(super) fn runs(runs: &[PastRun]) -> Result<String> {
    let runs: Vec<RunJson<'_>> = runs.iter().map(run).collect();
    line(&runs)
}

/// One object for an error.
pub(super) fn failure(
    kind: &str,
    message: &str,
    hint: Option<&str>,
    records: Option<&str>,
) -> String {
    a_failure(None, kind, message, hint, records)
}

/// The same for a link of a file.
pub(super) fn named_failure(
    name: &str,
    kind: &str,
    message: &str,
    hint: Option<&str>,
    records: Option<&str>,
) -> String {
    a_failure(Some(name), kind, message, hint, records)
}

fn a_failure(
    name: Option<&str>,
    kind: &str,
    message: &str,
    hint: Option<&str>,
    records: Option<&str>,
) -> String {
    let error = ErrorJson {
        kind,
        message,
        hint,
        records: records.unwrap_or_default().lines().collect(),
    };
    // Texts always serialize; if they did not, an object that says so is still an object.
    line(&FailureJson { name, error }).unwrap_or_else(|_| "{\"error\":null}\n".to_owned())
}

fn run(past: &PastRun) -> RunJson<'_> {
    let report = past.report.as_ref();
    let collections = report.map_or(&[][..], |report| &report.collections);
    RunJson {
        run: past.run.0,
        link: &past.link,
        started: moment(past.started_ms),
        ended: past.ended_ms.map(moment),
        exit: past.exit,
        error: past.error.as_deref(),
        equal: report.map(|report| report.equal),
        collections: collections.iter().map(collection).collect(),
        certificate: report.and_then(|report| report.certificate.as_ref().map(mirror)),
    }
}

fn collection(report: &CollectionReport) -> CollectionJson<'_> {
    let known = |fold: Fold| (report.unread == 0).then(|| digest(fold));
    CollectionJson {
        name: &report.source,
        source_records: report.source_fold.count,
        target_records: report.target_fold.count,
        inserted: report.inserted,
        updated: report.updated,
        deleted: report.deleted,
        to_source: counts(report.to_source),
        to_target: counts(report.to_target),
        unchanged: report.unchanged,
        conflicts: report.conflicts,
        open_conflicts: report.open_conflicts,
        parked: report.parked.len() as u64,
        only_source: report.only_source,
        only_target: report.only_target,
        changed: report.changed,
        digest_source: known(report.source_fold),
        digest_target: known(report.target_fold),
        hashed: report.hashed.as_ref().map(hashed),
        selected: report.selected.as_ref().map(selected),
    }
}

fn hashed(hashed: &Hashed) -> HashedJson {
    let Hashed {
        buckets,
        differing,
        unread,
    } = *hashed;
    HashedJson {
        buckets,
        differing,
        unread,
    }
}

fn selected(selected: &Selected) -> SelectedJson {
    SelectedJson {
        left: selected.left,
        changed_since: selected.changed,
        settled: selected.settled,
        changed_keys: selected
            .changed_keys
            .iter()
            .map(ToString::to_string)
            .collect(),
        changed: selected.changed_texts.clone(),
    }
}

fn counts(counts: Counts) -> CountsJson {
    CountsJson {
        inserted: counts.inserts,
        updated: counts.updates,
        deleted: counts.deletes,
    }
}

fn mirror(certificate: &Certificate) -> CertificateJson<'_> {
    CertificateJson {
        link: &certificate.link,
        issued: moment(certificate.issued_ms),
        version: &certificate.version,
        algorithm: &certificate.algorithm,
        source: side(&certificate.source),
        target: side(&certificate.target),
        collections: certificate.collections.iter().map(proof).collect(),
        notes: &certificate.notes,
    }
}

fn side(side: &SideProof) -> SideJson<'_> {
    SideJson {
        address: &side.address,
        position: &side.position,
    }
}

fn proof(proof: &CollectionProof) -> ProofJson<'_> {
    ProofJson {
        source: &proof.source,
        target: &proof.target,
        source_records: proof.source_fold.count,
        target_records: proof.target_fold.count,
        digest_source: digest(proof.source_fold),
        digest_target: digest(proof.target_fold),
        only_target: proof.only_target,
        wrong: proof.wrong,
        parked: proof.parked,
        open: proof.open,
        hashed: proof.hashed.as_deref(),
        rules: &proof.rules,
    }
}

fn digest(fold: Fold) -> String {
    fold.to_string()
}

fn line(value: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string(value)
        .map_err(|cause| Error::bug("a result does not serialize").cause(cause))?;
    text.push('\n');
    Ok(text)
}
