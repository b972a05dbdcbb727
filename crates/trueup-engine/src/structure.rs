//! What is built around the records: indexes, unique constraints, foreign keys, and what follows them.
//!
//! Only for collections that a run of this link creates. They are on record in the state store as under construction
//! before they are created, and until every step of every one of them was taken; so a run that dies in between is
//! followed by one that builds. Which steps there are is worked out anew by each run from the source, and the endpoint
//! looks whether what a step makes is there: nothing that could grow stale is kept.

mod codec;
#[cfg(test)]
mod tests;

pub(crate) use codec::{from_json, to_json};

use crate::connect::{Collection, Met};
use crate::link::Link;
use crate::state::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use trueup_core::Result;
use trueup_core::mapping::Rules;
use trueup_core::plan::Form;
use trueup_core::schema::{Field, Holds, Schema};
use trueup_core::structure::{
    Construction, Index, IndexField, Lost, Names, Naming, Step, Structure,
};
use trueup_core::types::Type;

/// A step that the target refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it makes: `unique`, `foreign key`.
    pub kind: String,
    /// The target's collection.
    pub collection: String,
    /// What it is called.
    pub name: String,
    /// Why; no values.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a run built around the records, or is to build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StructureReport {
    /// The steps that are to be taken; of a run that wrote, none.
    pub planned: Vec<Step>,
    /// How many were carried out.
    pub built: u64,
    /// How many were there already.
    pub there: u64,
    /// Those that the target refused. The next run tries them again.
    pub refused: Vec<Refused>,
    /// What the target does not get.
    pub lost: Vec<Lost>,
}

/// Works out constructions, one collection after the other.
pub(crate) struct Builder<'a> {
    names: Names,
    taken: BTreeSet<String>,
    pending: &'a BTreeMap<String, Stage>,
}

impl<'a> Builder<'a> {
    /// Knows what all collections are called; `pending` are those of the target that are under construction.
    pub(crate) fn new<'m>(
        met: impl Iterator<Item = &'m Met>,
        pending: &'a BTreeMap<String, Stage>,
    ) -> Self {
        let mut names = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for one in met {
            let target = &one.target;
            taken.insert(target.clone());
            taken.extend(target.rsplit('.').next().map(str::to_owned));
            names.insert(
                one.source.collection.clone(),
                naming(&one.source, &one.rules, target),
            );
        }
        Self {
            names,
            taken,
            pending,
        }
    }

    /// How far the target's collection has come; `None` when it is not under construction.
    pub(crate) fn stage(&self, target: &str) -> Option<Stage> {
        self.pending.get(target).copied()
    }

    /// Works out how the target's collection, called `wanted.collection` and there as `found`, comes to be.
    pub(crate) fn construct(
        &mut self,
        link: &mut Link,
        (source, rules): (&Schema, &Rules),
        wanted: &Schema,
        found: Option<&Schema>,
    ) -> Result<Construction> {
        let structure = link.source.structure(&source.collection);
        let structure = structure.map_err(|error| error.at("source"))?;
        if structure.engine.is_empty() {
            let design = link.target.design(wanted);
            return Ok(Construction {
                design: design.map_err(|error| error.at("target"))?,
                steps: Vec::new(),
                lost: Vec::new(),
            });
        }
        let fields: Vec<String> = source
            .fields
            .iter()
            .map(|field| field.name.clone())
            .collect();
        let mut named = structure.named(&fields, &self.names);
        self.own_key(source, wanted, &mut named);
        // Only a marker tells whether records came already, where nothing refuses them a second time.
        let marked = link.target.about().capabilities.marker;
        let created = self.stage(&wanted.collection) == Some(Stage::Created);
        named.key_after = marked && self.is_key_held(source, rules)
            || created && found.is_some_and(|found| found.key.is_empty());
        let construction = link.target.construct(wanted, &named, &mut self.taken);
        construction.map_err(|error| error.at("target"))
    }

    /// Whether no two records that come from the source share the link's key: the source sees to it, and the target gets
    /// each value of it as it is.
    fn is_key_held(&self, source: &Schema, rules: &Rules) -> bool {
        let Some(naming) = self.names.get(&source.collection).filter(|one| !one.bag) else {
            return false;
        };
        let names: Vec<&str> = match rules.key.as_slice() {
            [] => source.key_names(),
            named => named.iter().map(String::as_str).collect(),
        };
        let as_it_is = |name: &str| {
            let at = source.index_of(name)?;
            let field = &source.fields[at];
            let cast = rules.cast.iter().any(|(cast, _)| cast == name);
            let typed = field.holds == Holds::Typed && field.ty != Type::Any && !cast;
            (typed && naming.fields.contains_key(name)).then_some(at)
        };
        let places: Option<Vec<usize>> = names.into_iter().map(as_it_is).collect();
        places.is_some_and(|places| source.enforces(&places))
    }

    /// The source's own key stays unique where the link has another one.
    fn own_key(&self, source: &Schema, wanted: &Schema, named: &mut Structure) {
        let Some(naming) = self.names.get(&source.collection).filter(|one| !one.bag) else {
            return;
        };
        let own = source.key_names();
        let renamed = own.iter().map(|&name| naming.fields.get(name));
        let Some(renamed) = renamed.collect::<Option<Vec<&String>>>() else {
            return;
        };
        if renamed.is_empty() || renamed == wanted.key_names() {
            return;
        }
        let fields = renamed.into_iter().map(IndexField::of).collect();
        named.indexes.push(Index {
            fields,
            unique: true,
            constraint: true,
            ..Index::default()
        });
    }
}

/// Whether a collection is this link's to build upon. One that a run was about to create may have been created by
/// somebody else since; it is this link's when it looks as designed: without its key, where that follows.
pub(crate) fn is_ours(made: &Construction, found: Option<&Schema>, stage: Option<Stage>) -> bool {
    let Some(found) = found else {
        return true;
    };
    let designed = &made.design.schema;
    let keyless = found.key.is_empty() && made.key().is_some();
    let alike = |field: &Field| {
        let other = found.fields.iter().find(|other| other.name == field.name);
        other.is_some_and(|other| other.ty == field.ty && other.generated == field.generated)
    };
    match stage {
        None => false,
        Some(Stage::Created) => true,
        Some(Stage::Intended) => {
            designed.fields.len() == found.fields.len()
                && (designed.key_names() == found.key_names() || keyless)
                && designed.fields.iter().all(alike)
        }
    }
}

fn naming(source: &Schema, rules: &Rules, target: &str) -> Naming {
    let supplied = |name: &str| {
        let constants = rules.constants.iter().map(|(name, _)| name);
        let mut computed = rules.computed.iter().map(|(name, _)| name).chain(constants);
        computed.any(|known| known == name)
    };
    let mut fields = BTreeMap::new();
    for field in &source.fields {
        let rule = rules.rename.iter().find(|(from, _)| *from == field.name);
        let to = rule.map_or(&field.name, |(_, to)| to);
        if !rules.drop.contains(&field.name) && !supplied(to) {
            fields.insert(field.name.clone(), to.clone());
        }
    }
    Naming {
        collection: target.to_owned(),
        fields,
        bag: rules.bag,
    }
}

/// All that is to be built in a run.
#[derive(Debug, Default)]
pub(crate) struct Building {
    /// The target's collections that are built upon: those to be created are intended.
    pub(crate) collections: BTreeMap<String, Stage>,
    /// All of the target's collections that the run deals with.
    pub(crate) met: BTreeSet<String>,
    /// The steps, in the order in which they are taken.
    pub(crate) steps: Vec<Step>,
    pub(crate) lost: Vec<Lost>,
}

impl Building {
    /// Gathers what prepared collections ask for.
    pub(crate) fn gather(link: &mut Link, collections: &[Collection]) -> Result<Self> {
        let constructions = collections
            .iter()
            .filter_map(|one| one.construction.clone());
        let mut all = Self::of(link, constructions)?;
        for one in collections {
            let name = &one.target.collection;
            if let Some(stage) = all
                .collections
                .get_mut(name)
                .filter(|_| one.create.is_none())
            {
                *stage = Stage::Created;
            }
            all.met.insert(name.clone());
        }
        Ok(all)
    }

    /// Returns those of `pending` that are there and turned out to be somebody else's.
    pub(crate) fn foreign(&self, pending: &BTreeMap<String, Stage>) -> BTreeSet<String> {
        let met = pending.keys().filter(|name| self.met.contains(*name));
        met.filter(|name| !self.collections.contains_key(*name))
            .cloned()
            .collect()
    }

    /// Leaves out a collection that is not created after all.
    pub(crate) fn leave_out(&mut self, left: &Construction) {
        let name = &left.design.schema.collection;
        self.collections.remove(name);
        self.met.remove(name);
        self.steps.retain(|step| step.collection != *name);
        self.lost.retain(|lost| !left.lost.contains(lost));
    }

    /// Gathers what constructions ask for. What belongs to no collection is listed where all of the source goes.
    pub(crate) fn of(
        link: &mut Link,
        constructions: impl Iterator<Item = Construction>,
    ) -> Result<Self> {
        let mut all = Self::default();
        for one in constructions {
            let name = one.design.schema.collection;
            all.collections.insert(name, Stage::Intended);
            all.steps.extend(one.steps);
            all.lost.extend(one.lost);
        }
        let typed = link.target.about().capabilities.typed;
        if link.collections.is_empty() && typed && !all.collections.is_empty() {
            let apart = link.source.apart();
            all.lost.extend(apart.map_err(|error| error.at("source"))?);
        }
        all.steps.sort_by_key(|step| step.kind);
        all.lost.sort();
        Ok(all)
    }

    /// Returns it as what is still to be done; `None` where there is nothing to say.
    pub(crate) fn planned(self) -> Option<StructureReport> {
        let report = StructureReport {
            planned: self.steps,
            lost: self.lost,
            ..StructureReport::default()
        };
        (report != StructureReport::default()).then_some(report)
    }
}

impl StructureReport {
    /// Passes the steps and what is lost to `out`, as the lines of a plan.
    pub(crate) fn print(&self, form: Form, out: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let mut text = String::new();
        match form {
            Form::Json => {
                for step in &self.planned {
                    let json = serde_json::json!({
                        "build": step.kind.name(),
                        "collection": step.collection,
                        "name": step.name,
                        "statement": step.statement,
                    });
                    line(&mut text, format_args!("{json}"));
                }
                for lost in &self.lost {
                    let json = serde_json::json!({
                        "lost": lost.kind,
                        "name": lost.name,
                        "why": lost.why,
                    });
                    line(&mut text, format_args!("{json}"));
                }
            }
            Form::Text => {
                if !self.planned.is_empty() {
                    let count = self.planned.len();
                    line(&mut text, format_args!("build after the load: {count}"));
                }
                for step in &self.planned {
                    line(&mut text, format_args!("    {}", step.statement));
                }
                if !self.lost.is_empty() {
                    line(&mut text, format_args!("not carried: {}", self.lost.len()));
                }
                for Lost { kind, name, why } in &self.lost {
                    line(&mut text, format_args!("    {kind} {name}: {why}"));
                }
            }
        }
        out(&text)
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}
