//! What the source decides of a link's filter, and when it is asked to.
//!
//! A record that the source holds back is not seen, and so not told from one that is gone, where one that we hide is
//! known to be there. Invariant: a sieve changes no result. A comparison that is left with a record that only the target
//! has is begun anew without one, and so is every look into what differs; and it is used only where the source itself
//! keeps two records from sharing a key, which a hidden one could.

use crate::connect::Collection;
use crate::link::World;
use crate::scan::Role;
use trueup_core::filter::{Filter, Term};
use trueup_core::mapping::Rules;
use trueup_core::schema::Schema;
use trueup_core::sieve::{decided, fields};

/// What is known of the records that a filter hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// They have not been read.
    Unread,
    /// There are so many.
    Counted(u64),
    /// The source held some back, by this part of the filter.
    HeldBack(String),
}

impl Collection {
    /// Says which part of the filter the source decides; `None` where it decides none.
    pub(crate) fn sieve(&self, world: &World<'_>) -> Option<String> {
        let part = decides(self.mapping.sieve(), &self.source)?;
        let enforced = self.reading(Role::Source, None, world).key_is_enforced();
        enforced.then_some(part)
    }
}

/// Says what `source` will decide of a collection that is only checked.
pub(crate) fn outlook(source: &Schema, rules: &Rules) -> Option<String> {
    let Some(Filter::Terms(_, terms)) = rules.filter.as_ref().filter(|_| !rules.bag) else {
        return None;
    };
    let key = rules.key.iter().map(|name| source.index_of(name));
    let key = key.collect::<Option<Vec<usize>>>()?;
    let key = if key.is_empty() { &source.key } else { &key };
    let part = decides(terms, source)?;
    let enforced = source.enforces(key);
    enforced.then(|| format!("where: the source decides {part}, and sends no other records"))
}

/// Says which of `terms` the source decides, by their fields.
fn decides(terms: &[Term], source: &Schema) -> Option<String> {
    let decides = decided(terms, source);
    if decides.is_empty() {
        return None;
    }
    if decides.len() == terms.len() {
        return Some("all of it".to_owned());
    }
    let decides: Vec<_> = decides.into_iter().cloned().collect();
    let names = fields(&decides, source).into_iter();
    let names = names.map(|field| source.fields[field].name.as_str());
    Some(format!("of {}", names.collect::<Vec<_>>().join(", ")))
}

/// Says that only a part of the source takes part, and what is known of the rest.
pub(crate) fn filtered(filter: &str, hidden: &Hidden) -> String {
    let filter = filter.split_whitespace().collect::<Vec<_>>().join(" ");
    match hidden {
        Hidden::Unread => format!("where {filter}"),
        Hidden::Counted(1) => format!("where {filter}: 1 record hidden"),
        Hidden::Counted(hidden) => format!("where {filter}: {hidden} records hidden"),
        Hidden::HeldBack(part) => {
            format!("where {filter}: the source decides {part}; what is hidden is not counted")
        }
    }
}
