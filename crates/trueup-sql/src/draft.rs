//! A construction that is being worked out: what every engine gathers for it, and tells of what it leaves out.

use trueup_core::endpoint::Design;
use trueup_core::schema::Schema;
use trueup_core::structure::{Construction, Generated, Lost, Step, StepKind, Structure};

/// What has been gathered so far.
pub(crate) struct Draft<'a> {
    /// What is wanted.
    pub(crate) structure: &'a Structure,
    /// Whether it comes from an engine of the same kind, so that its own words mean the same here.
    pub(crate) same: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) lost: Vec<Lost>,
}

impl<'a> Draft<'a> {
    /// Begins with what the source itself knows to be lost. `engine` is the target's.
    pub(crate) fn new(structure: &'a Structure, engine: &str) -> Self {
        Self {
            structure,
            same: structure.engine == engine,
            steps: Vec::new(),
            lost: structure.lost.clone(),
        }
    }

    /// Tells that a part of the collection is lost.
    pub(crate) fn lose(&mut self, kind: &str, name: &str, why: impl Into<String>) {
        let lost = Lost::of(&self.structure.collection, kind, name, why);
        self.lost.push(lost);
    }

    /// Tells that a part is lost because only the source's engine knows what it means.
    pub(crate) fn lose_words(&mut self, kind: &str, name: &str) {
        self.lose(kind, name, self.foreign_words());
    }

    fn foreign_words(&self) -> String {
        format!("it is said in the words of {}", self.structure.engine)
    }

    /// Adds what is done after the load.
    pub(crate) fn step(&mut self, kind: StepKind, name: String, statement: String) {
        self.steps.push(Step {
            kind,
            collection: self.structure.collection.clone(),
            name,
            statement,
        });
    }

    /// What stands behind the type of a generated field. `None`, and told, where the target cannot compute it, and the
    /// source's values fill it; `stored` says whether it keeps them.
    pub(crate) fn generated(
        &mut self,
        field: &str,
        generated: &Generated,
        in_key: bool,
        stored: bool,
    ) -> Option<String> {
        if self.same && !in_key {
            let kept = if stored { "STORED" } else { "VIRTUAL" };
            let expression = &generated.expression;
            return Some(format!(" GENERATED ALWAYS AS ({expression}) {kept}"));
        }
        let why = if in_key {
            "it is part of the key, and filled with the source's values".to_owned()
        } else {
            let words = self.foreign_words();
            format!("{words}; it is filled with the source's values")
        };
        self.lose("generated field", field, why);
        None
    }

    /// Ends with the statement that creates the collection.
    pub(crate) fn finish(self, schema: Schema, statement: String) -> Construction {
        Construction {
            design: Design { schema, statement },
            steps: self.steps,
            lost: self.lost,
        }
    }
}
