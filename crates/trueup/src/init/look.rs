//! Looks at the records of a collection that has no key: which fields could be one.
//!
//! Reads the first records of one side and nothing else. What comes out are names of fields, never a value. A field that
//! is unique among the first records may have equal values further on: a run says so and stops, so this is advice.

use std::collections::HashSet;
use trueup_core::batch::{Batch, Record};
use trueup_core::digest::Digest;
use trueup_core::endpoint::{Endpoint, Order, ScanRequest};
use trueup_core::schema::Schema;
use trueup_core::side::Side;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Result, encode};
use trueup_engine::Link;
use trueup_engine::check::CollectionCheck;

/// How many records are read.
const RECORDS_MAX: usize = 10_000;
/// At how many bytes a batch is cut.
const BYTES_MAX: usize = 1 << 20;
/// How many fields are looked at: a key stands among the first ones.
const FIELDS_MAX: usize = 32;
/// Of how many fields pairs are tried.
const PAIRED_MAX: usize = 8;
/// Few are at most one record in so many.
const FEW_PER: usize = 20;
/// How many candidates are named.
const CANDIDATES_MAX: usize = 5;

/// What was seen of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The names of its fields.
    pub(super) fields: Vec<String>,
    /// Fields, or pairs of them, that are unique among the records that were read; the likeliest first.
    pub(super) candidates: Vec<Vec<String>>,
    /// The field that would be unique but for a few records, where none is, and how many these are.
    pub(super) nearly: Option<(String, usize)>,
    /// How many records were read.
    pub(super) records: usize,
}

impl Look {
    /// Returns the field that may well be the key. Two fields that are unique together may be so by chance, and would
    /// hide what is repeated in one of them: they are named, not proposed.
    pub(super) fn likely(&self) -> Option<&Vec<String>> {
        self.candidates.first().filter(|fields| fields.len() == 1)
    }
}

/// Looks at a collection on the side that has it, the source first. What cannot be read has no candidates: whatever is
/// wrong with it is said by the check.
pub(super) fn look(link: &mut Link, one: &CollectionCheck) -> Look {
    for side in Side::BOTH {
        let endpoint = match side {
            Side::Source => link.source.as_mut(),
            Side::Target => link.target.as_mut(),
        };
        let name = &one.names[side];
        if let Ok(Some(schema)) = endpoint.schema(name)
            && !schema.fields.is_empty()
        {
            let seen = read(endpoint, &schema).unwrap_or_default();
            return judge(name, &schema, &seen);
        }
    }
    Look::default()
}

/// A digest for each value of a record; `None` where it is NULL.
type Seen = Vec<Option<u128>>;

fn read(endpoint: &mut dyn Endpoint, schema: &Schema) -> Result<Vec<Seen>> {
    let fields: Vec<usize> = (0..schema.fields.len().min(FIELDS_MAX)).collect();
    let wanted: Vec<Type> = fields.iter().map(|&at| schema.fields[at].ty).collect();
    let request = ScanRequest {
        schema,
        fields: &fields,
        wanted: &wanted,
        order: Order::Natural,
        after: None,
        sieve: &[],
        batch_records_max: RECORDS_MAX,
        batch_bytes_max: BYTES_MAX,
    };
    let mut snapshot = endpoint.snapshot()?;
    let mut scan = snapshot.scan(&request)?;
    let (mut seen, mut scratch) = (Vec::new(), Vec::new());
    let mut batch = Batch::new(fields.len());
    while seen.len() < RECORDS_MAX && scan.next(&mut batch)? {
        let room = RECORDS_MAX - seen.len();
        let records = batch.records().take(room);
        seen.extend(records.map(|record| digests(record, &mut scratch)));
        batch.reset(fields.len());
    }
    Ok(seen)
}

fn digests(record: Record<'_>, scratch: &mut Vec<u8>) -> Seen {
    let digest = |value: Value<'_>| {
        if matches!(value, Value::Null) {
            return None;
        }
        scratch.clear();
        encode::value(value, scratch);
        Some(Digest::of(scratch).0)
    };
    record.values().map(digest).collect()
}

/// Names what could be the key, by what was seen.
fn judge(collection: &str, schema: &Schema, seen: &[Seen]) -> Look {
    let fields: Vec<String> = schema
        .fields
        .iter()
        .map(|field| field.name.clone())
        .collect();
    let looked = fields.len().min(FIELDS_MAX);
    let mut found: Vec<Vec<usize>> = (0..looked).map(|at| vec![at]).collect();
    found.retain(|fields| is_unique(seen, fields));
    let nearly = nearly_unique(seen, looked).filter(|_| found.is_empty());
    if found.is_empty() && nearly.is_none() {
        let last = looked.min(PAIRED_MAX);
        let pairs = (0..last).flat_map(|one| (one + 1..last).map(move |two| vec![one, two]));
        found = pairs.filter(|pair| is_unique(seen, pair)).collect();
    }
    let rank = |places: &Vec<usize>| match places.as_slice() {
        &[only] => rank(collection, &fields[only]),
        _ => usize::MAX,
    };
    found.sort_by_key(rank);
    found.truncate(CANDIDATES_MAX);
    let names = |places: &Vec<usize>| places.iter().map(|&at| fields[at].clone()).collect();
    Look {
        candidates: found.iter().map(names).collect(),
        nearly: nearly.map(|(at, few)| (fields[at].clone(), few)),
        records: seen.len(),
        fields,
    }
}

/// Finds the field with the fewest records that keep it from being unique, if these are few: at most one in twenty.
fn nearly_unique(seen: &[Seen], looked: usize) -> Option<(usize, usize)> {
    let wrong = |at: usize| {
        let mut met = HashSet::new();
        let is_new = |record: &&Seen| {
            record
                .get(at)
                .copied()
                .flatten()
                .is_some_and(|value| met.insert(value))
        };
        seen.len() - seen.iter().filter(is_new).count()
    };
    let all = (0..looked).map(|at| (at, wrong(at)));
    all.min_by_key(|(_, wrong)| *wrong)
        .filter(|(_, wrong)| *wrong > 0 && wrong * FEW_PER <= seen.len())
}

fn is_unique(seen: &[Seen], fields: &[usize]) -> bool {
    let mut met = HashSet::new();
    let mut key = |record: &Seen| {
        let values: Option<Vec<u128>> = fields.iter().map(|&at| *record.get(at)?).collect();
        values.is_some_and(|values| met.insert(values))
    };
    !seen.is_empty() && seen.iter().all(&mut key)
}

/// Where a name stands among those that keys usually have.
pub(super) fn rank(collection: &str, field: &str) -> usize {
    let (collection, field) = (collection.to_lowercase(), field.to_lowercase());
    let singular = collection.strip_suffix('s').unwrap_or(&collection);
    let usual = [
        "id".to_owned(),
        format!("{singular}_id"),
        format!("{collection}_id"),
        format!("{singular}id"),
        "uuid".to_owned(),
        "key".to_owned(),
        "code".to_owned(),
        "number".to_owned(),
    ];
    let place = usual.iter().position(|usual| *usual == field);
    place.unwrap_or(usual.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trueup_core::schema::Field;

    fn looked(collection: &str, fields: &[&str], records: &[&[u128]]) -> Vec<String> {
        let field = |name: &&str| Field::new(*name, Type::TEXT, "text");
        let schema = Schema {
            fields: fields.iter().map(field).collect(),
            ..Schema::default()
        };
        // 0 stands for NULL.
        let value = |value: &u128| Some(*value).filter(|value| *value > 0);
        let record = |record: &&[u128]| record.iter().map(value).collect();
        let seen: Vec<Seen> = records.iter().map(record).collect();
        let look = judge(collection, &schema, &seen);
        assert_eq!(look.records, records.len());
        let joined = look.candidates.iter().map(|names| names.join(","));
        joined.collect()
    }

    #[test]
    fn what_is_unique_so_far_is_a_candidate_and_the_usual_names_come_first() {
        for (case, fields, records, expected) in [
            (
                "usual name",
                &["a", "id"][..],
                &[&[1, 1][..], &[2, 2]][..],
                &["id", "a"][..],
            ),
            (
                "the collection's",
                &["a", "Order_ID"],
                &[&[1, 1], &[2, 2]],
                &["Order_ID", "a"],
            ),
            ("equal values", &["id", "b"], &[&[1, 1], &[1, 2]], &["b"]),
            ("null", &["id", "b"], &[&[0, 1], &[1, 2]], &["b"]),
            (
                "pairs",
                &["a", "b", "c"],
                &[&[1, 1, 0], &[1, 2, 1], &[2, 2, 2]],
                &["a,b"],
            ),
            ("neither", &["a", "b"], &[&[1, 1], &[1, 1]], &[]),
            ("no record", &["id"], &[], &[]),
        ] {
            assert_eq!(looked("orders", fields, records), expected, "{case}");
        }
    }

    #[test]
    fn a_field_that_is_unique_but_for_a_few_is_told_and_no_pair_hides_them() {
        let field = |name: &str| Field::new(name, Type::TEXT, "text");
        let schema = Schema {
            fields: vec![field("id"), field("n")],
            ..Schema::default()
        };
        for (case, repeated, expected) in [
            ("one of forty", &[7][..], Some(("id".to_owned(), 1))),
            ("two of forty", &[7, 8], Some(("id".to_owned(), 2))),
            ("three of forty are not few", &[7, 8, 9], None),
        ] {
            let id = |at: u128| Some(if repeated.contains(&at) { 1 } else { at });
            let seen: Vec<Seen> = (1..=40).map(|at| vec![id(at), Some(at % 5)]).collect();
            let look = judge("orders", &schema, &seen);
            assert_eq!(look.nearly, expected, "{case}");
            assert_eq!(look.likely(), None, "{case}");
            assert!(expected.is_none() || look.candidates.is_empty(), "{case}");
        }
    }

    #[test]
    fn few_are_named() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "id"];
        let first = [1_u128; 8];
        let found = looked("x", &names, &[&first]);
        assert_eq!(found, ["id", "a", "b", "c", "d"]);
    }
}
