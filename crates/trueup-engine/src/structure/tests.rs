use super::*;
use trueup_core::endpoint::Design;
use trueup_core::structure::StepKind;
use trueup_core::types::Type;

fn schema(name: &str, ty: Type) -> Schema {
    Schema {
        collection: name.to_owned(),
        fields: vec![Field::new("a", ty, "of the engine")],
        key: vec![0],
        ..Schema::default()
    }
}

fn construction(name: &str) -> Construction {
    Construction {
        design: Design {
            schema: schema(name, Type::TEXT),
            statement: String::new(),
        },
        steps: vec![Step {
            kind: StepKind::Index,
            collection: name.to_owned(),
            name: format!("{name}_index"),
            statement: String::new(),
        }],
        lost: vec![Lost::new("view", name, "write it anew")],
    }
}

fn building(names: &[&str]) -> Building {
    let mut all = Building::default();
    for &name in names {
        let one = construction(name);
        all.collections.insert(name.to_owned(), Stage::Intended);
        all.met.insert(name.to_owned());
        all.steps.extend(one.steps);
        all.lost.extend(one.lost);
    }
    all
}

#[test]
fn nothing_is_built_upon_a_collection_that_is_left_out() {
    let mut all = building(&["customers", "orders"]);
    all.leave_out(&construction("orders"));
    assert_eq!(
        format!("{all:?}"),
        format!("{:?}", building(&["customers"]))
    );
}

#[test]
fn what_is_met_and_not_built_upon_is_somebody_else_s() {
    let mut all = building(&["customers"]);
    all.met.insert("orders".to_owned());
    let pending = ["customers", "elsewhere", "orders"];
    let pending = pending.map(|name| (name.to_owned(), Stage::Intended));
    let foreign = all.foreign(&BTreeMap::from(pending));
    assert_eq!(foreign, BTreeSet::from(["orders".to_owned()]));
}

#[test]
fn what_a_run_was_about_to_create_is_its_own_only_in_the_designed_shape() {
    let designed = schema("orders", Type::TEXT);
    let other = schema("orders", Type::Date);
    let keyless = Schema {
        key: Vec::new(),
        ..designed.clone()
    };
    let wider = Schema {
        fields: [designed.fields.clone(), other.fields.clone()].concat(),
        ..designed.clone()
    };
    let key = Step {
        kind: StepKind::Key,
        ..construction("orders").steps.remove(0)
    };
    let mut follows = construction("orders");
    follows.steps.push(key);
    let made = construction("orders");
    let cases = [
        (&made, None, None, true),
        (&made, None, Some(Stage::Intended), true),
        (&made, None, Some(Stage::Created), true),
        (&made, Some(&designed), None, false),
        (&made, Some(&designed), Some(Stage::Intended), true),
        (&made, Some(&other), Some(Stage::Intended), false),
        (&made, Some(&keyless), Some(Stage::Intended), false),
        (&made, Some(&wider), Some(Stage::Intended), false),
        (&made, Some(&other), Some(Stage::Created), true),
        (&follows, Some(&keyless), Some(Stage::Intended), true),
        (&follows, Some(&designed), Some(Stage::Intended), true),
        (&follows, Some(&wider), Some(Stage::Intended), false),
    ];
    for (made, found, stage, ours) in cases {
        assert_eq!(is_ours(made, found, stage), ours, "{found:?} {stage:?}");
    }
}

#[test]
fn a_key_may_follow_the_records_where_the_source_keeps_it_and_the_target_gets_it_as_it_is() {
    let strict = |change: &dyn Fn(&mut Schema, &mut Rules)| {
        let mut source = schema("orders", Type::TEXT);
        source.fields[0].nullable = false;
        source
            .fields
            .push(Field::new("b", Type::INT, "of the engine"));
        source.uniques = vec![vec![1]];
        let mut rules = Rules::default();
        change(&mut source, &mut rules);
        let pending = BTreeMap::new();
        let mut builder = Builder::new(std::iter::empty(), &pending);
        let names = naming(&source, &rules, "target");
        builder.names.insert("orders".to_owned(), names);
        builder.is_key_held(&source, &rules)
    };
    let key = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let renamed = |rules: &mut Rules| rules.rename.push(("a".to_owned(), "c".to_owned()));
    assert!(strict(&|_, _| {}), "the source's own key");
    assert!(strict(&|_, rules| renamed(rules)), "under another name");
    assert!(strict(&|_, rules| rules.key = key(&["a"])), "named");
    assert!(
        strict(&|source, rules| {
            source.fields[1].nullable = false;
            rules.key = key(&["b"]);
        }),
        "a unique constraint"
    );
    for (why, held) in [
        (
            "NULL comes often",
            strict(&|_, rules| rules.key = key(&["b"])),
        ),
        (
            "more fields",
            strict(&|_, rules| rules.key = key(&["a", "b"])),
        ),
        ("no key", strict(&|source, _| source.key.clear())),
        ("a bag", strict(&|_, rules| rules.bag = true)),
        ("left out", strict(&|_, rules| rules.drop = key(&["a"]))),
        (
            "read as another type",
            strict(&|_, rules| rules.cast = vec![("a".to_owned(), Type::INT)]),
        ),
        (
            "supplied",
            strict(&|_, rules| rules.constants = vec![("a".to_owned(), "1".to_owned())]),
        ),
        (
            "values of any class",
            strict(&|source, _| source.fields[0].holds = Holds::Mixed),
        ),
        (
            "of no type",
            strict(&|source, _| source.fields[0].ty = Type::Any),
        ),
        (
            "a guess",
            strict(&|source, _| source.fields[0].inferred = true),
        ),
    ] {
        assert!(!held, "{why}");
    }
}
