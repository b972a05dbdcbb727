//! The one suite that every endpoint passes: the contract of [`trueup_core::endpoint`] as cases.
//!
//! An endpoint crate writes a [`Fixture`] (how to get an empty place, how to connect) and calls [`run`]. Which cases
//! run follows from what the endpoint declares about itself; a case that does not run is reported with the reason, so
//! that a capability cannot be lost quietly. Every case starts from an empty place and knows nothing of the others.
//!
//! It deliberately tests one endpoint alone: what two of them do together is the engine's business, what a server
//! does when it dies is the endpoint's own.

mod bags;
mod conditions;
mod extremes;
mod hashes;
mod markers;
mod reads;
mod same;
mod several;
mod shapes;
mod stage;
mod values;
mod writes;

#[cfg(test)]
mod tests;

pub use extremes::{HELD, extremes};
pub use stage::Stage;

use crate::owned::Owned;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use trueup_core::endpoint::{About, Class, Endpoint};
use trueup_core::types::Type;

/// How the suite meets one endpoint.
pub trait Fixture {
    /// Names the endpoint and its setting in the report: `postgres 15`.
    fn name(&self) -> &str;

    /// Makes a fresh, empty place, and forgets the one before.
    fn reset(&mut self);

    /// Connects to the place; each call is a new connection, as another engine or a restarted one would make it.
    fn open(&mut self) -> Box<dyn Endpoint>;

    /// Tells whether a collection created here with a field of this type holds every value of it exactly, and, where
    /// the endpoint is typed, reports that very type again.
    fn holds(&self, ty: Type) -> bool;

    /// Tells whether this value of a held type is beyond the endpoint (a NaN in SQLite). It must then be rejected,
    /// for that record alone.
    fn refuses(&self, _ty: Type, _value: &Owned) -> bool {
        false
    }

    /// Tells whether a collection may have a field of this name here. One that may not must be refused by the design.
    fn holds_name(&self, _name: &str) -> bool {
        true
    }

    /// Tells whether the endpoint reports the key of a collection that it created.
    fn reports_keys(&self) -> bool {
        true
    }

    /// Tells whether the endpoint makes hashes of its records itself.
    fn hashes(&self) -> bool {
        false
    }

    /// Reads a delivered value as one of `ty`, as the mapping would.
    fn cast(&self, ty: Type, value: &Owned) -> Owned {
        same::cast(ty, value)
    }

    /// Returns a secret that was used to connect and may show up nowhere.
    fn canary(&self) -> Option<&str> {
        None
    }

    /// Lists cases that cannot hold here, by name, with the reason. Names of no case are an error.
    fn skips(&self) -> &[(&str, &str)] {
        &[]
    }
}

/// What an endpoint must be able to do for a case to make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant is the capability or class of the same name"
)]
pub enum Need {
    Write,
    Create,
    Marker,
    Check,
    Ordered,
    Typed,
    Transactional,
    Keys,
    Hashes,
}

impl Need {
    fn met(self, about: &About, fixture: &dyn Fixture) -> bool {
        let can = about.capabilities;
        match self {
            Self::Write => can.write,
            Self::Create => can.create,
            Self::Marker => can.marker,
            Self::Check => can.check,
            Self::Ordered => can.ordered,
            Self::Typed => can.typed,
            Self::Transactional => about.class == Class::Transactional,
            Self::Keys => fixture.reports_keys(),
            Self::Hashes => fixture.hashes(),
        }
    }
}

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name, as it stands in reports and [`Fixture::skips`].
    pub name: &'static str,
    /// What the endpoint must be able to do, besides creating collections and writing to them.
    pub needs: &'static [Need],
    /// The case; panics when the contract is broken.
    pub run: fn(&mut Stage<'_>),
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish()
    }
}

/// What came of a run of the suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The fixture's name.
    pub fixture: String,
    /// The cases that passed.
    pub passed: Vec<&'static str>,
    /// The cases that did not run, and why.
    pub skipped: Vec<(&'static str, String)>,
    /// The cases that failed, and what they said.
    pub failed: Vec<(&'static str, String)>,
}

impl Report {
    /// Returns the cases that did not run for another reason than that the endpoint makes no hashes.
    pub fn skipped_but_hashes(&self) -> Vec<&'static str> {
        let why = format!("needs {:?}", Need::Hashes);
        let others = self.skipped.iter().filter(|(_, reason)| *reason != why);
        others.map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, skipped) = (self.passed.len(), self.skipped.len());
        let failed = self.failed.len();
        writeln!(
            f,
            "{}: passed={passed} skipped={skipped} failed={failed}",
            self.fixture
        )?;
        self.passed
            .iter()
            .try_for_each(|name| writeln!(f, "  passed  {name}"))?;
        self.skipped
            .iter()
            .try_for_each(|(name, why)| writeln!(f, "  skipped {name}: {why}"))?;
        self.failed
            .iter()
            .try_for_each(|(name, why)| writeln!(f, "  failed  {name}: {why}"))
    }
}

/// Lists every case of the suite.
pub fn cases() -> Vec<Case> {
    [
        shapes::CASES,
        values::CASES,
        reads::CASES,
        writes::CASES,
        markers::CASES,
        conditions::CASES,
        bags::CASES,
        hashes::CASES,
        several::CASES,
    ]
    .concat()
}

/// Runs every case that the endpoint's capabilities select, and returns what ran.
///
/// # Panics
/// When a case fails: with the report, which names all that failed.
pub fn run(fixture: &mut dyn Fixture) -> Report {
    let report = attempt(fixture);
    assert!(report.failed.is_empty(), "{report}");
    report
}

/// Runs the suite as [`run`] does, but returns failures in the report: for negative controls.
///
/// # Panics
/// When [`Fixture::skips`] names a case that does not exist.
pub fn attempt(fixture: &mut dyn Fixture) -> Report {
    let cases = cases();
    let known = |name: &str| cases.iter().any(|case| case.name == name);
    let unknown = fixture.skips().iter().find(|(name, _)| !known(name));
    assert_eq!(unknown, None, "a skip names a case");
    fixture.reset();
    let about = fixture.open().about();
    let mut report = Report {
        fixture: fixture.name().to_owned(),
        ..Report::default()
    };
    for case in cases {
        if let Some(reason) = reason_to_skip(&case, &about, fixture) {
            report.skipped.push((case.name, reason));
            continue;
        }
        fixture.reset();
        match catch_unwind(AssertUnwindSafe(|| (case.run)(&mut Stage::new(fixture)))) {
            Ok(()) => report.passed.push(case.name),
            Err(panic) => report.failed.push((case.name, message(panic.as_ref()))),
        }
    }
    report
}

fn reason_to_skip(case: &Case, about: &About, fixture: &dyn Fixture) -> Option<String> {
    if let Some((_, reason)) = fixture.skips().iter().find(|(name, _)| *name == case.name) {
        return Some((*reason).to_owned());
    }
    let needs = [Need::Write, Need::Create].iter().chain(case.needs);
    let unmet = needs.copied().find(|need| !need.met(about, fixture))?;
    Some(format!("needs {unmet:?}"))
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked".into())
}
