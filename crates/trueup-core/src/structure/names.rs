//! A structure in the target's names.

use super::{Index, Lost, Structure};
use crate::digest::Digest;
use std::collections::BTreeMap;

/// What a collection and its fields are called at the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// The collection's name.
    pub collection: String,
    /// The fields that the target gets from the source as they are: the source's name, and the target's.
    pub fields: BTreeMap<String, String>,
    /// Whether nothing identifies a record there: equal ones count, and nothing may be unique.
    pub bag: bool,
}

/// What all collections of a link are called at the target, by their names at the source.
pub type Names = BTreeMap<String, Naming>;

impl Naming {
    fn field(&self, name: &str) -> Option<&String> {
        self.fields.get(name)
    }

    fn all(&self, names: &[String]) -> Option<Vec<String>> {
        names.iter().map(|name| self.field(name).cloned()).collect()
    }
}

impl Structure {
    /// Returns the structure in the target's names. What names a field or a collection that the target does not get
    /// is lost, and so is a text in the engine's words whose fields are called otherwise.
    ///
    /// `fields` are all fields that the source has.
    pub fn named(&self, fields: &[String], names: &Names) -> Self {
        let nothing = Naming::default();
        let naming = names.get(&self.collection).unwrap_or(&nothing);
        let kept = fields.iter().all(|name| naming.field(name) == Some(name));
        let mut out = Self {
            engine: self.engine,
            collection: naming.collection.clone(),
            comment: self.comment.clone(),
            lost: self.lost.clone(),
            ..Self::default()
        };
        for extras in &self.fields {
            let Some(field) = naming.field(&extras.field) else {
                continue;
            };
            let mut extras = extras.clone();
            extras.field.clone_from(field);
            if !kept && extras.generated.take().is_some() {
                out.lose("generated field", field, OTHERWISE);
            }
            out.fields.push(extras);
        }
        for index in &self.indexes {
            match rename_index(index, naming, kept) {
                Ok(index) => out.indexes.push(index),
                Err(why) => out.lost.push(self.gone("index", &index.name, why)),
            }
        }
        for key in &self.references {
            let parent = names.get(&key.collection);
            let renamed = parent.and_then(|parent| {
                let mut key = key.clone();
                key.fields = naming.all(&key.fields)?;
                key.referred = parent.all(&key.referred)?;
                key.collection.clone_from(&parent.collection);
                Some(key)
            });
            match (renamed, parent) {
                (Some(key), _) => out.references.push(key),
                (None, Some(_)) => {
                    out.lost
                        .push(self.gone("foreign key", &key.name, LEFT_OUT.to_owned()));
                }
                (None, None) => {
                    let why = format!("{} is no part of the link", key.collection);
                    out.lost.push(self.gone("foreign key", &key.name, why));
                }
            }
        }
        for check in &self.checks {
            if kept {
                out.checks.push(check.clone());
            } else {
                out.lost
                    .push(self.gone("check", &check.name, OTHERWISE.to_owned()));
            }
        }
        out
    }

    fn gone(&self, kind: &str, name: &Option<String>, why: String) -> Lost {
        let name = name.as_deref().unwrap_or("(no name)");
        Lost::of(&self.collection, kind, name, why)
    }
}

const OTHERWISE: &str =
    "it is said in the source's own words, and not all fields are called there as they are here";
const LEFT_OUT: &str = "it names a field that the target does not get from the source";

fn rename_index(index: &Index, naming: &Naming, kept: bool) -> Result<Index, String> {
    if naming.bag && index.unique {
        return Err("nothing is unique where equal records are counted".to_owned());
    }
    let mut renamed = index.clone();
    if !kept {
        renamed.verbatim = None;
        if index.beyond.is_some() {
            return Err(OTHERWISE.to_owned());
        }
    }
    for field in &mut renamed.fields {
        let name = naming.field(&field.name).ok_or(LEFT_OUT)?;
        field.name.clone_from(name);
    }
    Ok(renamed)
}

/// Returns `name`, or one made from it and `collection` that `is_free` and has no more than `max` bytes. What is made is
/// the same at every run.
pub fn derived(name: &str, collection: &str, max: usize, is_free: impl Fn(&str) -> bool) -> String {
    let usable = |name: &str| !name.is_empty() && name.len() <= max && is_free(name);
    if usable(name) {
        return name.to_owned();
    }
    let long = format!("{collection}_{name}");
    if usable(&long) {
        return long;
    }
    (0_u32..)
        .map(|round| {
            let digest = Digest::of(format!("{long}\n{round}").as_bytes()).to_string();
            let tail: String = digest.chars().take(8).collect();
            let room = max.saturating_sub(tail.len() + 1);
            let cut = (0..=room.min(long.len())).rev();
            let cut = cut.into_iter().find(|&at| long.is_char_boundary(at));
            format!("{}_{tail}", long.get(..cut.unwrap_or(0)).unwrap_or(""))
        })
        .find(|name| is_free(name))
        .unwrap_or(long)
}
