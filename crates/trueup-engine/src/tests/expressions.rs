//! Mappings and filters end to end: what is computed, renamed, fixed, cast or hidden arrives so at the target, whether it
//! has the collection already or not.

use super::{Pair, counts};
use crate::link::CollectionSpec;
use crate::report::Report;
use trueup_core::Kind;
use trueup_core::mapping::Rules;
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_testkit::records::schema;
use trueup_testkit::{Owned, record};

/// People at the source: number, names, a price, a status.
fn people() -> Schema {
    schema("people")
        .int("id")
        .text("first")
        .text("last")
        .field("price", Type::DECIMAL)
        .text("status")
        .key(["id"])
        .build()
}

fn records() -> Vec<Vec<Owned>> {
    vec![
        record![1, "Ann", "Lee", Owned::decimal("9.50"), "A"],
        record![2, "Bob", "Ray", Owned::decimal("1"), "B"],
        record![3, "Cas", Owned::Null, Owned::Null, "A"],
    ]
}

fn spec() -> CollectionSpec {
    CollectionSpec {
        source: "people".into(),
        target: "people".into(),
        ..CollectionSpec::default()
    }
}

fn computed(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let fields = fields.iter();
    fields.map(|&(to, text)| (to.into(), text.into())).collect()
}

fn names(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|&field| field.to_owned()).collect()
}

/// A source with people, and a target that has `target`, or nothing.
fn pair(spec: CollectionSpec, target: Option<Schema>) -> Pair {
    let mut pair = Pair::new();
    pair.source.create(people());
    pair.source.insert_all("people", &records());
    if let Some(target) = target {
        pair.target.create(target);
    }
    pair.specs = vec![spec];
    pair
}

/// Runs, asserts that it ended well and that a second run finds nothing to do, and returns what the target then holds.
#[track_caller]
fn settled(pair: &Pair) -> (Report, Vec<Vec<Owned>>) {
    let report = pair.run().unwrap();
    assert_eq!(report.exit_code(), 0, "{report:?}");
    assert!(report.certificate.as_ref().unwrap().is_clean());
    let log = pair.target.log().len();
    assert_eq!(pair.run().unwrap().exit_code(), 0);
    assert!(pair.written(log).is_empty());
    assert!(pair.diff().unwrap().equal);
    (report, pair.target.records("people"))
}

/// Every rule at once: drop, rename, constant, cast, computed fields of each kind.
fn all_rules() -> CollectionSpec {
    CollectionSpec {
        rules: Rules {
            drop: names(&["first", "last"]),
            rename: vec![("id".into(), "no".into())],
            constants: vec![("origin".into(), "crm".into())],
            cast: vec![("id".into(), Type::TEXT)],
            ..Rules::default()
        },
        computed: computed(&[
            ("name", r#"last == null ? first : first + " " + last"#),
            ("status", r#"status == "A" ? "active" : "gone""#),
            ("cents", "price * 100"),
            ("copy", "price"),
            ("label", "string(price)"),
            ("half", "1.5 / 3.0"),
        ]),
        ..spec()
    }
}

fn all_fields() -> Schema {
    schema("people")
        .text("no")
        .field("price", Type::DECIMAL)
        .text("status")
        .text("origin")
        .text("name")
        .field("cents", Type::DECIMAL)
        .field("copy", Type::DECIMAL)
        .text("label")
        .field("half", Type::FLOAT)
        .key(["no"])
        .build()
}

fn wanted() -> Vec<Vec<Owned>> {
    let one = |no: &str, price: Option<(&str, &str)>, status: &str, name: &str| {
        let decimal = |digits: Option<&str>| digits.map_or(Owned::Null, Owned::decimal);
        let (price, cents) = (price.map(|(price, _)| price), price.map(|(_, cents)| cents));
        record![
            no,
            decimal(price),
            status,
            "crm",
            name,
            decimal(cents),
            decimal(price),
            price.map_or(Owned::Null, Owned::from),
            0.5
        ]
    };
    vec![
        one("1", Some(("9.50", "950.00")), "active", "Ann Lee"),
        one("2", Some(("1", "100")), "gone", "Bob Ray"),
        one("3", None, "active", "Cas"),
    ]
}

#[test]
fn every_rule_arrives_at_a_target_that_is_there() {
    let (_, found) = settled(&pair(all_rules(), Some(all_fields())));
    assert_eq!(found, wanted());
}

#[test]
fn every_rule_shapes_a_target_that_is_made() {
    let pair = pair(all_rules(), None);
    let (_, found) = settled(&pair);
    assert_eq!(found, wanted());
    let made = pair.target.schema("people").unwrap();
    let shape = |schema: &Schema| -> Vec<(String, Type)> {
        let fields = schema.fields.iter();
        fields.map(|field| (field.name.clone(), field.ty)).collect()
    };
    assert_eq!(shape(&made), shape(&all_fields()));
    assert_eq!(made.key_names(), ["no"]);
}

#[test]
fn constants_are_of_the_target_s_type() {
    let target = |ty| schema("people").int("id").field("origin", ty).key(["id"]);
    let spec = |text: &str| CollectionSpec {
        rules: Rules {
            drop: names(&["first", "last", "price", "status"]),
            constants: vec![("origin".into(), text.into())],
            ..Rules::default()
        },
        ..spec()
    };
    for (text, ty, wanted) in [
        ("5", Type::INT, Owned::Int(5)),
        ("1.50", Type::DECIMAL, Owned::decimal("1.5")),
        ("2024-02-29", Type::Date, Owned::Date(19_782)),
        ("true", Type::Bool, Owned::Bool(true)),
        ("", Type::TEXT, Owned::from("")),
    ] {
        let (_, found) = settled(&pair(spec(text), Some(target(ty).build())));
        assert_eq!(found[0], record![1, wanted], "{text}");
    }
    let error = pair(spec("five"), Some(target(Type::INT).build()))
        .run()
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    let said = error.message();
    assert!(
        said.contains("collection=people: field=origin: the constant does not fit"),
        "{said}"
    );
    assert!(!said.contains("five"), "{said}");
}

#[test]
fn a_key_can_be_computed() {
    let spec = CollectionSpec {
        rules: Rules {
            key: names(&["code"]),
            drop: names(&["id", "first", "last", "price", "status"]),
            ..Rules::default()
        },
        computed: computed(&[("code", r#"status + "-" + string(10 - id)"#)]),
        ..spec()
    };
    let target = schema("people").text("code").key(["code"]).build();
    for target in [None, Some(target)] {
        let pair = pair(spec.clone(), target);
        let (_, found) = settled(&pair);
        assert_eq!(found, [record!["A-7"], record!["A-9"], record!["B-8"]]);
    }
}

#[test]
fn a_value_that_cannot_be_computed_parks_its_record() {
    let target = people();
    let mut spec = CollectionSpec {
        computed: computed(&[("status", "string(10 / (id - 2))")]),
        ..spec()
    };
    let parked = |report: &Report| {
        let one = &report.collections[0].parked;
        let one: Vec<_> = one
            .iter()
            .map(|p| (p.field.clone(), p.reason.clone()))
            .collect();
        one
    };
    let divided = pair(spec.clone(), Some(target.clone()));
    let report = divided.run().unwrap();
    assert_eq!(report.exit_code(), 1);
    assert_eq!(counts(&report.collections[0])[..5], [2, 0, 0, 0, 1]);
    let wanted = "the expression did not answer: division by zero";
    assert_eq!(parked(&report), [(Some("status".into()), wanted.into())]);
    // A record that was there stays as it is.
    divided.target.insert("people", &records()[1]);
    divided.run().unwrap();
    assert_eq!(
        divided.target.record("people", &record![2]),
        Some(records()[1].clone())
    );

    spec.computed = computed(&[("status", "int(last)")]);
    let report = pair(spec, Some(target)).run().unwrap();
    assert_eq!(counts(&report.collections[0])[4], 2);
    for (field, reason) in parked(&report) {
        assert_eq!(field.as_deref(), Some("status"));
        assert!(
            !reason.contains("Lee") && !reason.contains("Ray"),
            "{reason}"
        );
    }
}

#[test]
fn mistakes_name_the_collection_and_the_field() {
    let refused = |spec: CollectionSpec, wanted: &str| {
        for target in [None, Some(people())] {
            let error = pair(spec.clone(), target).run().unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            assert!(error.message().contains(wanted), "{error:?} lacks {wanted}");
        }
    };
    let field = |to: &str, text: &str| CollectionSpec {
        computed: computed(&[(to, text)]),
        ..spec()
    };
    refused(
        field("status", "frist + last"),
        "collection=people field=status: expression: no such field: field=\"frist\": line=1 column=1",
    );
    refused(
        CollectionSpec {
            filter: Some("id >".into()),
            ..spec()
        },
        "collection=people filter: expression: syntax error",
    );
    let rules = |rules: Rules| CollectionSpec { rules, ..spec() };
    for wrong in [
        Rules {
            drop: names(&["stauts"]),
            ..Rules::default()
        },
        Rules {
            rename: vec![("stauts".into(), "x".into())],
            ..Rules::default()
        },
        Rules {
            cast: vec![("stauts".into(), Type::INT)],
            ..Rules::default()
        },
    ] {
        refused(rules(wrong), "a rule names field=stauts");
    }
    refused(
        CollectionSpec {
            computed: computed(&[("status", "first")]),
            rules: Rules {
                constants: vec![("status".into(), "x".into())],
                ..Rules::default()
            },
            ..spec()
        },
        "two rules supply field=status",
    );
    // The result's type must fit the field.
    let error = pair(
        field(
            "id",
            "first.startsWith(\"A\") ? date(\"2024-01-01\") : null",
        ),
        Some(people()),
    );
    let error = error.run().unwrap_err();
    assert!(
        error
            .message()
            .contains("field=id: expression:date does not translate"),
        "{error:?}"
    );
}

#[test]
fn a_loss_must_be_agreed_to_and_names_a_field() {
    let spec = CollectionSpec {
        rules: Rules {
            lossy: names(&["nmae"]),
            ..Rules::default()
        },
        ..spec()
    };
    let error = pair(spec, Some(people())).run().unwrap_err();
    assert!(error.message().contains("field=nmae"), "{error:?}");
}

fn filtered(text: &str) -> CollectionSpec {
    CollectionSpec {
        filter: Some(text.into()),
        ..spec()
    }
}

/// By terms, and by an expression that means the same.
const ACTIVE: [&str; 2] = [r#"status == "A""#, r#"status in ["A"]"#];

#[test]
fn what_the_filter_hides_is_neither_written_nor_deleted() {
    for text in ACTIVE {
        let mut pair = pair(filtered(text), Some(people()));
        pair.mode.delete = true;
        let (report, found) = settled(&pair);
        assert_eq!(found, [records()[0].clone(), records()[2].clone()]);
        let certificate = report.certificate.unwrap();
        let proof = &certificate.collections[0];
        let said = format!("where {text}: 1 record hidden");
        assert!(proof.rules.contains(&said), "{:?}", proof.rules);
        assert!(report.collections[0].notes.contains(&said));
        assert_eq!((proof.source_fold.count, proof.target_fold.count), (2, 2));
        assert_eq!((proof.parked, proof.only_target, proof.wrong), (0, 0, 0));

        // One leaves the filter, one is gone: only the second is deleted.
        pair.source
            .update("people", &record![1], &[("status", "B".into())]);
        pair.source.delete("people", &record![3]);
        let (report, found) = settled(&pair);
        assert_eq!(found, [records()[0].clone()]);
        assert_eq!(counts(&report.collections[0]), [0, 0, 1, 0, 0, 1]);
        let certificate = report.certificate.unwrap();
        let proof = &certificate.collections[0];
        assert!(
            proof
                .rules
                .contains(&format!("where {text}: 2 records hidden"))
        );
        // The hidden one stands at the target and takes part on neither side.
        assert_eq!((proof.source_fold.count, proof.target_fold.count), (0, 0));

        // It comes back changed: it is updated, not inserted.
        pair.source.update(
            "people",
            &record![1],
            &[("status", "A".into()), ("last", "Moe".into())],
        );
        let (report, _) = settled(&pair);
        assert_eq!(counts(&report.collections[0])[..2], [0, 1]);
    }
}

#[test]
fn diff_counts_what_the_filter_lets_through() {
    for text in ACTIVE {
        let pair = pair(filtered(text), Some(people()));
        pair.target.insert("people", &records()[1]);
        pair.target
            .insert("people", &record![9, "Zoe", Owned::Null, Owned::Null, "A"]);
        let report = pair.diff().unwrap();
        let one = &report.collections[0];
        assert_eq!((one.only_source, one.only_target, one.changed), (2, 1, 0));
        assert!(
            one.notes
                .contains(&format!("where {text}: 1 record hidden"))
        );
        assert!(!report.equal);
    }
}

#[test]
fn hidden_records_do_not_count_against_the_guard_or_the_load() {
    for text in [r#"status == "none""#, r#"status in ["none"]"#] {
        let mut pair = pair(filtered(text), None);
        pair.mode.delete = true;
        let (report, found) = settled(&pair);
        assert!(found.is_empty());
        let said = format!("where {text}: 3 records hidden");
        assert!(report.collections[0].notes.contains(&said), "{report:?}");
        pair.target.insert_all("people", &records());
        let report = pair.run().unwrap();
        assert_eq!(report.exit_code(), 0, "{report:?}");
        assert_eq!(pair.target.records("people").len(), 3);
    }
}

#[test]
fn a_plan_of_a_load_says_what_is_hidden() {
    let pair = pair(filtered(ACTIVE[0]), None);
    let (_, report) = pair.plan().unwrap();
    let notes = &report.collections[0].notes;
    let said = format!("where {}: 1 record hidden", ACTIVE[0]);
    assert!(notes.contains(&said), "{notes:?}");
}

#[test]
fn an_expression_too_deep_for_a_thread_runs_on_a_stack_of_its_own() {
    let spec = CollectionSpec {
        computed: computed(&[("status", &format!("string({})", vec!["id"; 40].join("+")))]),
        filter: Some(format!("{} > 0", vec!["id"; 40].join("+"))),
        ..spec()
    };
    let (_, found) = settled(&pair(spec, Some(people())));
    assert_eq!(found[1][4], Owned::from("80"));
}

#[test]
fn a_link_that_goes_both_ways_refuses_what_has_no_way_back() {
    for (spec, wanted) in [
        (
            CollectionSpec {
                computed: computed(&[("status", "first")]),
                ..spec()
            },
            "collection=people: field=status is computed by an expression, and the link goes both ways",
        ),
        (
            filtered(ACTIVE[0]),
            "collection=people: only a part of the records is to take part, and the link goes both ways",
        ),
    ] {
        let mut pair = pair(spec, Some(people()));
        pair.two_way = Some(crate::two_way::TwoWay::default());
        let error = pair.run().unwrap_err();
        assert_eq!(error.message(), wanted);
        assert!(error.advice().unwrap().contains("one direction"));
    }
}
