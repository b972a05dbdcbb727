//! The shared shape: what pairs, what is refused, and what becomes of a value.

mod travel;
mod values;

use super::*;
use crate::error::Kind;
use crate::samples::{self, Owned, parse_type};
use crate::schema::Field;

/// A schema written as `name:type`, a key field with a star, a computed one with an equals sign, one without NULL with
/// an exclamation mark. Natives are `engine:type`.
fn schema(engine: &str, fields: &str) -> Schema {
    let mut schema = Schema {
        collection: "people".to_owned(),
        ..Schema::default()
    };
    for (index, field) in fields.split_whitespace().enumerate() {
        let (name, ty) = field.split_once(':').unwrap();
        let bare = ty.trim_end_matches(['*', '=', '!']);
        let mut field = Field::new(name, parse_type(bare), format!("{engine}:{bare}"));
        field.generated = ty.ends_with('=');
        field.nullable = !ty.ends_with(['*', '!']);
        if ty.ends_with('*') {
            schema.key.push(index);
        }
        schema.fields.push(field);
    }
    schema
}

fn built(a: &str, b: &str, rules: &Rules) -> Shared {
    Shared::build(&schema("a", a), &schema("b", b), rules).unwrap()
}

fn refused(a: &str, b: &str, rules: &Rules, expected: &str) {
    let error = Shared::build(&schema("a", a), &schema("b", b), rules).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    let text = format!("{error:?}");
    assert!(text.contains(expected), "{text} lacks {expected}");
}

fn renames(names: &[(&str, &str)]) -> Rules {
    let owned = |&(from, to): &(&str, &str)| (from.to_owned(), to.to_owned());
    Rules {
        rename: names.iter().map(owned).collect(),
        ..Rules::default()
    }
}

fn map(shared: &Shared, side: Side, values: &[Owned]) -> (Keyed, Vec<Parked>) {
    let (mut out, mut parked) = (Keyed::new(shared.types().len()), Vec::new());
    let mut scratch = b"left over".to_vec();
    shared.map(
        side,
        &samples::batch(values),
        &mut out,
        &mut parked,
        &mut scratch,
    );
    (out, parked)
}

#[test]
fn fields_pair_by_name_in_the_order_of_their_names() {
    let a = "name:text id:int64* born:timestamp";
    let shared = built(a, "id:int32* born:text name:text(10)", &Rules::default());
    assert_eq!(shared.names(Side::Source), ["born", "id", "name"]);
    assert_eq!(shared.names(Side::Target), ["born", "id", "name"]);
    assert_eq!(
        shared.types(),
        ["timestamp", "int32", "text(10)"].map(parse_type)
    );
    assert_eq!(shared.scan_types(Side::Target), shared.types());
    assert_eq!(shared.key(), [1]);
    assert_eq!(shared.fields(Side::Source), [2, 1, 0]);
    assert_eq!(shared.fields(Side::Target), [1, 0, 2]);
    assert!(shared.notes().is_empty());
}

#[test]
fn renamed_fields_keep_the_order_of_the_source_s_names() {
    let rules = renames(&[("id", "zid"), ("name", "id")]);
    let shared = built("id:int64* name:text", "id:text zid:int64*", &rules);
    assert_eq!(shared.names(Side::Source), ["id", "name"]);
    assert_eq!(shared.names(Side::Target), ["zid", "id"]);
    assert_eq!(shared.fields(Side::Target), [1, 0]);
    assert_eq!(shared.key(), [0]);
}

#[test]
fn fields_that_do_not_take_part() {
    let drop = |names: &[&str]| Rules {
        drop: names.iter().map(|&name| name.to_owned()).collect(),
        ..Rules::default()
    };
    let names = |a: &str, b: &str, rules: &Rules| {
        let shared = built(a, b, rules);
        let names = shared.names(Side::Source).join(" ");
        format!("{names}; {} notes", shared.notes().len())
    };
    let plain = Rules::default();
    assert_eq!(
        names("id:int64* n:text=", "id:int64*", &plain),
        "id; 1 notes"
    );
    assert_eq!(
        names("id:int64*", "id:int64* n:text=", &plain),
        "id; 1 notes"
    );
    assert_eq!(
        names("id:int64* n:text", "id:int64* n:text=", &plain),
        "id; 1 notes"
    );
    assert_eq!(
        names("id:int64* n:text=", "id:int64* n:text", &plain),
        "id; 1 notes"
    );
    assert_eq!(
        names("id:int64* n:text", "id:int64*", &drop(&["n"])),
        "id; 0 notes"
    );
    assert_eq!(
        names("id:int64*", "id:int64* n:text", &drop(&["n"])),
        "id; 0 notes"
    );
    assert_eq!(
        names("id:int64* n:text", "id:int64* n:date", &drop(&["n"])),
        "id; 0 notes"
    );
    // The target's name of a renamed field leaves out the pair; the source's own field of that name would come first.
    let mut rules = renames(&[("a", "n")]);
    rules.drop = vec!["n".to_owned()];
    assert_eq!(
        names("id:int64* a:text", "id:int64* n:text", &rules),
        "id; 0 notes"
    );
    assert_eq!(
        names("a:text id:int64* n:date", "id:int64* n:text", &rules),
        "a id; 0 notes"
    );
    assert_eq!(
        names("n:date id:int64* a:text", "id:int64* n:text", &rules),
        "a id; 0 notes"
    );
}

#[test]
fn what_cannot_be_shared_is_refused_with_the_field_s_name() {
    let plain = Rules::default();
    refused(
        "id:int64* phone:text",
        "id:int64*",
        &plain,
        "field=phone exists on one side only",
    );
    refused(
        "id:int64*",
        "id:int64* phone:text",
        &plain,
        "field=phone exists on one side only",
    );
    refused(
        "id:int64* n:date",
        "id:int64* n:uuid",
        &plain,
        "field=n: a:date does not translate to b:uuid",
    );
    refused(
        "id:int64* n:instant",
        "id:int64* n:date",
        &plain,
        "field=n: a:instant does not",
    );
    refused(
        "a:text n:text id:int64*",
        "n:text id:int64*",
        &renames(&[("a", "n")]),
        "two fields are mapped to field=n",
    );
    refused(
        "id:int64* n:text",
        "id:int64* n:text=",
        &Rules {
            key: vec!["n".into()],
            ..Rules::default()
        },
        "key field=n does not exist",
    );
    refused(
        "id:json*",
        "id:text*",
        &plain,
        "key field=id is a JSON text",
    );
}

#[test]
fn rules_without_a_way_back_are_refused() {
    let constant = Rules {
        constants: vec![("n".to_owned(), "x".to_owned())],
        ..Rules::default()
    };
    refused(
        "id:int64*",
        "id:int64*",
        &constant,
        "constant is not for two-way links yet",
    );
    let cast = Rules {
        cast: vec![("id".to_owned(), Type::INT)],
        ..Rules::default()
    };
    refused(
        "id:int64*",
        "id:int64*",
        &cast,
        "cast is not for two-way links yet",
    );
    let filter = Rules {
        filter: Some(crate::filter::Filter::Terms(String::new(), Vec::new())),
        ..Rules::default()
    };
    refused(
        "id:int64*",
        "id:int64*",
        &filter,
        "filter is not for two-way links yet",
    );
}

#[test]
fn the_key_must_be_one_on_both_sides() {
    let key = |names: &[&str]| Rules {
        key: names.iter().map(|&name| name.to_owned()).collect(),
        ..Rules::default()
    };
    let plain = Rules::default();
    refused(
        "id:int64 n:text",
        "id:int64 n:text",
        &plain,
        "--key people=",
    );
    refused(
        "id:int64* n:text",
        "id:int64 n:text*",
        &plain,
        "one side identifies records by n",
    );
    refused(
        "id:int64 n:text*",
        "id:int64 n:text*",
        &key(&["id"]),
        "one side identifies records by n",
    );
    refused(
        "id:int64 n:text*",
        "id:int64 n:text",
        &key(&["id"]),
        "one side identifies records by n",
    );
    refused(
        "id:int64 n:text",
        "id:int64 n:text",
        &key(&["id", "id"]),
        "names a field twice",
    );
    refused(
        "id:int64 n:text",
        "id:int64 n:text",
        &key(&["no"]),
        "key field=no does not exist",
    );
    assert_eq!(
        built("n:text id:int64*", "n:text id:int64", &plain).key(),
        [0]
    );
    assert_eq!(
        built("n:text id:int64", "n:text id:int64*", &plain).key(),
        [0]
    );
    assert_eq!(
        built("n:text* id:int64*", "n:text* id:int64*", &key(&["n", "id"])).key(),
        [1, 0]
    );
    let unique = |engine| Schema {
        uniques: vec![vec![1]],
        ..schema(engine, "id:int64* n:text")
    };
    let shared = Shared::build(&unique("a"), &unique("b"), &key(&["n"])).unwrap();
    assert_eq!(shared.key(), [1]);
}

#[test]
fn the_shape_is_the_same_from_both_ends() {
    let (a, b) = (
        "n:text id:int64* at:timestamp",
        "id:int32* at:text n:text(9)",
    );
    let plain = Rules::default();
    let shape = built(a, b, &plain).shape();
    assert_eq!(
        shape,
        r#"v1 "at":timestamp "id":int32 "n":text(9) key "id""#
    );
    assert_eq!(shape, built(b, a, &plain).shape());
    let others = [
        built(a, b.replace("text(9)", "text(8)").as_str(), &plain),
        built(
            a,
            "id:int32* at:text n:text(9) more:text",
            &Rules {
                drop: vec!["more".into(), "n".into()],
                ..plain.clone()
            },
        ),
        built("N:text id:int64* at:timestamp", b, &renames(&[("N", "n")])),
        built(
            "n:text id:int64 at:timestamp",
            "id:int32 at:text n:text(9)",
            &Rules {
                key: vec!["at".into()],
                ..plain.clone()
            },
        ),
    ];
    for other in others {
        assert_ne!(other.shape(), shape);
    }
    // Values that pass unread mean what the engine means by them.
    let same = schema("sqlite", "id:int64*");
    let shape = Shared::build(&same, &same, &plain).unwrap().shape();
    assert_eq!(shape, r#"v1 "id":any("sqlite:int64") key "id""#);
    let decimals = schema("sqlite", "id:int64* d:decimal(5,2)");
    let shared = Shared::build(&decimals, &decimals, &plain).unwrap();
    assert_eq!(shared.types(), [Type::Any; 2]);
    assert_eq!(shared.meaning(0), parse_type("decimal(5,2)"));
    assert_eq!(built(a, b, &plain).meaning(2), parse_type("text(9)"));
    let mut odd = schema("sqlite", "id:int64*");
    odd.fields[0].name = "a\nb\" key".to_owned();
    let shape = Shared::build(&odd, &odd, &plain).unwrap().shape();
    assert_eq!(shape.lines().count(), 1, "{shape}");
}

#[test]
fn a_key_is_written_in_one_spelling() {
    let shared = built("f:decimal*", "f:text*", &Rules::default());
    let record = samples::batch(&[Owned::Decimal("1.50".to_owned())]);
    let mut into = Batch::new(1);
    shared
        .write(Side::Target, samples::only(&record), &mut into)
        .unwrap();
    assert_eq!(samples::only(&into).value(0), Value::Text("1.5"));
}

#[test]
fn a_record_is_written_whole_or_not_at_all() {
    let shared = built(
        "f:int64 id:int64*",
        "f:text(3) id:int32*",
        &Rules::default(),
    );
    let record = samples::batch(&[Owned::Int(1234), Owned::Int(1)]);
    let mut into = samples::batch(&[Owned::Int(5), Owned::Int(6)]);
    let misfit = shared
        .write(Side::Target, samples::only(&record), &mut into)
        .unwrap_err();
    assert_eq!(misfit.0, "f");
    assert!(!misfit.1.contains("1234"), "{}", misfit.1);
    let deleted = samples::batch(&[Owned::Null, Owned::Int(9)]);
    shared
        .write(Side::Target, samples::only(&deleted), &mut into)
        .unwrap();
    assert_eq!(into.len(), 2);
    assert_eq!(into.record(1).value(0), Value::Null);
    assert_eq!(into.record(1).value(1), Value::Int(9));
    let beyond = samples::batch(&[Owned::Null, Owned::Int(5_000_000_000)]);
    let misfit = shared
        .write(Side::Target, samples::only(&beyond), &mut into)
        .unwrap_err();
    assert_eq!(misfit.0, "id");
    assert_eq!(into.len(), 2);
}
