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
    let cases = [
        (None, None, true),
        (None, Some(Stage::Intended), true),
        (None, Some(Stage::Created), true),
        (Some(&designed), None, false),
        (Some(&designed), Some(Stage::Intended), true),
        (Some(&other), Some(Stage::Intended), false),
        (Some(&keyless), Some(Stage::Intended), false),
        (Some(&wider), Some(Stage::Intended), false),
        (Some(&other), Some(Stage::Created), true),
    ];
    for (found, stage, ours) in cases {
        assert_eq!(
            is_ours(&designed, found, stage),
            ours,
            "{found:?} {stage:?}"
        );
    }
}
