//! Cases about names, schemas and creating collections.

use super::extremes::HELD;
use super::stage::{LINK, Stage, claim, create};
use super::{Case, Need};
use crate::owned::Owned;
use crate::record;
use crate::records::schema;
use trueup_core::endpoint::{Design, Endpoint};
use trueup_core::rights::Wanted;
use trueup_core::schema::Schema;
use trueup_core::types::Type;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "missing collection has no schema",
        needs: &[],
        run: missing_collection,
    },
    Case {
        name: "asking for rights changes nothing",
        needs: &[],
        run: rights_are_asked,
    },
    Case {
        name: "created names are reported",
        needs: &[],
        run: created_names,
    },
    Case {
        name: "created key is reported",
        needs: &[Need::Keys],
        run: created_key,
    },
    Case {
        name: "created types are reported",
        needs: &[Need::Typed],
        run: created_types,
    },
    Case {
        name: "create is repeatable",
        needs: &[],
        run: create_is_repeatable,
    },
    Case {
        name: "create in another shape is refused",
        needs: &[],
        run: create_other_shape,
    },
    Case {
        name: "create keeps the records",
        needs: &[],
        run: create_keeps_records,
    },
    Case {
        name: "control objects are no collections",
        needs: &[],
        run: no_control_objects,
    },
    Case {
        name: "hostile names",
        needs: &[],
        run: hostile_names,
    },
    Case {
        name: "names that differ in case",
        needs: &[Need::Transactional],
        run: similar_names,
    },
    Case {
        name: "many fields",
        needs: &[],
        run: many_fields,
    },
    Case {
        name: "about holds no secret",
        needs: &[],
        run: no_secret,
    },
];

/// The names that quoting is for. The longest is as long as the narrowest engine allows (63 bytes).
const HOSTILE: &[&str] = &[
    "select",
    "order",
    "user",
    "two words",
    " padded ",
    "Mixed Case",
    "it's",
    "say \"hi\"",
    "back`tick",
    "semi;colon--comment",
    "percent%s$1?",
    "back\\slash",
    "[bracket]",
    "a,b",
    "naïve",
    "日本語",
    "😀",
    "1st",
    "-",
    "x23456789012345678901234567890123456789012345678901234567890123",
];

fn names(schema: &Schema) -> Vec<&str> {
    schema
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect()
}

fn missing_collection(stage: &mut Stage<'_>) {
    let mut endpoint = stage.open();
    assert_eq!(
        endpoint.schema("nowhere").expect("looking is no error"),
        None
    );
    assert_eq!(
        endpoint.collections().expect("listing works"),
        Vec::<String>::new()
    );
}

/// Whoever connects here may do everything; asked before and after there is something.
fn rights_are_asked(stage: &mut Stage<'_>) {
    let name = || "orders".to_owned();
    let all = [
        Wanted::List,
        Wanted::Read(name()),
        Wanted::Write(name()),
        Wanted::Create(name()),
        Wanted::Control,
    ];
    let ask = |endpoint: &mut dyn Endpoint| {
        let rights = endpoint.rights(&all).expect("rights can be asked for");
        assert_eq!(rights.missing, []);
    };
    let mut endpoint = stage.open();
    ask(endpoint.as_mut());
    let none = endpoint.collections().expect("listing works");
    assert_eq!(none, Vec::<String>::new());
    assert!(matches!(endpoint.epoch(LINK), Ok(None | Some(0))));
    drop(endpoint);
    let mut made = stage.make(schema("orders").int("id").key(["id"]).build());
    ask(made.endpoint.as_mut());
    let names = made.endpoint.collections().expect("listing works");
    assert_eq!(names, ["orders"]);
}

fn created_names(stage: &mut Stage<'_>) {
    let mut made = stage.make(
        schema("orders")
            .text("note")
            .int("id")
            .text("place")
            .key(["id"]),
    );
    let found = made.schema();
    assert_eq!(found.collection, "orders");
    assert_eq!(names(&found), ["note", "id", "place"]);
    assert_eq!(
        made.endpoint.collections().expect("listing works"),
        ["orders"]
    );
    let mut other = stage.open();
    assert_eq!(
        other.schema("orders").expect("the schema can be read"),
        Some(found)
    );
}

fn created_key(stage: &mut Stage<'_>) {
    let wanted = schema("orders")
        .int("a")
        .text("v")
        .int("b")
        .int("c")
        .key(["c", "a"]);
    let mut made = stage.make(wanted.unique(["b"]).not_null(["b"]));
    let found = made.schema();
    assert_eq!(found.key_names(), ["c", "a"]);
    let nullable: Vec<bool> = found.fields.iter().map(|field| field.nullable).collect();
    assert_eq!(nullable, [false, true, false, false]);
    assert_eq!(found.uniques, [[2]]);
}

fn created_types(stage: &mut Stage<'_>) {
    let held: Vec<Type> = HELD
        .iter()
        .copied()
        .filter(|&ty| stage.fixture.holds(ty))
        .collect();
    let wanted = held
        .iter()
        .enumerate()
        .fold(schema("types").int("id"), |schema, (index, ty)| {
            schema.field(&format!("f{index}"), *ty)
        });
    let wanted = wanted.key(["id"]).build();
    let designed = stage
        .open()
        .design(&wanted)
        .expect("held types can be designed")
        .schema;
    let found = stage.make(wanted.clone()).schema();
    for (index, field) in wanted.fields.iter().enumerate() {
        assert_eq!(found.fields[index].ty, field.ty, "created type");
        assert_eq!(designed.fields[index].ty, field.ty, "designed type");
        assert_eq!(
            found.fields[index].native, designed.fields[index].native,
            "native name"
        );
        assert!(!found.fields[index].generated && !found.fields[index].inferred);
    }
}

fn create_is_repeatable(stage: &mut Stage<'_>) {
    let wanted = schema("orders")
        .int("id")
        .text("v")
        .key(["id"])
        .unique(["v"])
        .build();
    let mut made = stage.make(wanted.clone());
    let before = made.schema();
    create(made.endpoint.as_ref(), made.writer.as_mut(), &wanted);
    let mut later = stage.make(wanted);
    assert_eq!(later.schema(), before);
}

fn create_other_shape(stage: &mut Stage<'_>) {
    let mut made = stage.make(schema("orders").int("id").text("v").key(["id"]));
    let before = made.schema();
    let other = schema("orders").int("id").text("other").key(["id"]).build();
    let design = made
        .endpoint
        .design(&other)
        .expect("a design needs no free name");
    assert!(
        made.writer.create(&design).is_err(),
        "another shape is not taken for the same"
    );
    assert_eq!(made.schema(), before);
}

fn create_keeps_records(stage: &mut Stage<'_>) {
    let wanted = schema("orders").int("id").text("v").key(["id"]).build();
    let mut made = stage.make(wanted.clone());
    made.insert(1, &[record![1, "one"]]);
    let design: Design = made
        .endpoint
        .design(&wanted)
        .expect("the design is the same");
    // An endpoint that infers its types may see another shape now; what counts is that nothing is lost.
    drop(made.writer.create(&design));
    made.writer
        .finish("orders")
        .expect("what was created becomes durable");
    stage.expect(&wanted, &[record![1, "one"]]);
}

fn no_control_objects(stage: &mut Stage<'_>) {
    let mut made = stage.make(schema("b").int("id").key(["id"]));
    let other = schema("a").int("id").key(["id"]).build();
    create(made.endpoint.as_ref(), made.writer.as_mut(), &other);
    made.writer
        .finish("a")
        .expect("what was created becomes durable");
    made.insert(1, &[record![1]]);
    let first = made.endpoint.collections().expect("listing works");
    let again = stage.open().collections().expect("listing works");
    assert_eq!(first, again, "the order is stable");
    let mut found = first;
    found.sort();
    assert_eq!(found, ["a", "b"]);
}

fn hostile_names(stage: &mut Stage<'_>) {
    let (held, refused): (Vec<&str>, Vec<&str>) = HOSTILE
        .iter()
        .partition(|name| stage.fixture.holds_name(name));
    for name in refused {
        let wanted = schema("plain").int("id").text(name).key(["id"]).build();
        let design = stage.open().design(&wanted);
        assert!(design.is_err(), "a field of this name is refused: {name}");
    }
    for name in HOSTILE {
        stage.fixture.reset();
        let fields = held
            .iter()
            .fold(schema(name).int("id"), |schema, field| schema.text(field));
        let wanted = fields.key(["id", held[0]]).build();
        let mut endpoint = stage.open();
        // A name may be refused, but only as a whole and before anything is created.
        if endpoint.design(&wanted).is_err() {
            assert_eq!(
                endpoint.collections().expect("listing works"),
                Vec::<String>::new()
            );
            assert!(
                endpoint.design(&plain(&wanted)).is_ok(),
                "field names are held: {name}"
            );
            continue;
        }
        let mut made = stage.make(wanted.clone());
        assert_eq!(names(&made.schema()), names(&wanted), "collection {name:?}");
        assert_eq!(made.endpoint.collections().expect("listing works"), [*name]);
        let mut record = record![1];
        record.extend(held.iter().map(|field| Owned::from(*field)));
        made.insert(1, &[record.clone()]);
        record[2] = "changed".into();
        let update = made.writing(2).update(&record);
        made.apply_all(&update);
        stage.expect(&wanted, &[record.clone()]);
        let delete = made.writing(3).delete(&record[..2]);
        made.apply_all(&delete);
        stage.expect(&wanted, &[]);
    }
}

fn plain(wanted: &Schema) -> Schema {
    Schema {
        collection: "plain".to_owned(),
        ..wanted.clone()
    }
}

fn similar_names(stage: &mut Stage<'_>) {
    let wanted = schema("Orders").int("Id").text("V").key(["Id"]).build();
    let mut made = stage.make(wanted.clone());
    made.insert(1, &[record![1, "one"]]);
    assert_eq!(made.schema().collection, "Orders");
    assert_eq!(names(&made.schema()), ["Id", "V"]);
    stage.expect(&wanted, &[record![1, "one"]]);
}

fn many_fields(stage: &mut Stage<'_>) {
    let fields = (0..199).fold(schema("wide").int("id"), |schema, index| {
        if index % 2 == 0 {
            schema.int(&format!("f{index}"))
        } else {
            schema.text(&format!("f{index}"))
        }
    });
    let wanted = fields.key(["id"]).build();
    let mut made = stage.make(wanted.clone());
    let wide = |id: i64| {
        let value = |index: i64| {
            if index % 2 == 0 {
                Owned::Int(id * index)
            } else {
                Owned::from(format!("{id}-{index}"))
            }
        };
        let mut record = vec![Owned::Int(id)];
        record.extend((0..199).map(value));
        record
    };
    let mut records: Vec<Vec<Owned>> = (0..300).map(wide).collect();
    made.insert(1, &records);
    records[7][150] = "changed".into();
    let update = made.writing(2).update(&records[7]);
    made.apply_all(&update);
    stage.expect(&wanted, &records);
}

fn no_secret(stage: &mut Stage<'_>) {
    let Some(canary) = stage.fixture.canary().map(str::to_owned) else {
        return;
    };
    let mut endpoint = stage.open();
    assert!(
        !format!("{:?}", endpoint.about()).contains(&canary),
        "about shows the secret"
    );
    let snapshot = endpoint.snapshot().expect("a snapshot opens");
    assert!(
        !snapshot.position().0.contains(&canary),
        "a position shows the secret"
    );
    let writer = endpoint
        .writer(&claim(LINK))
        .expect("a writer can be claimed");
    drop((snapshot, writer));
    assert!(
        !format!("{:?}", endpoint.about()).contains(&canary),
        "about shows the secret"
    );
}
