//! What the tests of every dialect's scripts ask: whether what a script says is what is stored afterwards.

use crate::conformance::{HELD, extremes};
use crate::owned::Owned;
use crate::records::{self, schema};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Endpoint, Op};
use trueup_core::schema::Schema;
use trueup_core::script::{Script, Statement};
use trueup_core::{Result, cast, encode};

/// Says one write of a whole record whose key is its first field.
///
/// # Errors
/// Those of [`Script::statement`].
pub fn say(script: &dyn Script, schema: &Schema, op: Op, record: &[Owned]) -> Result<String> {
    let mut batch = Batch::new(record.len());
    record.iter().for_each(|value| batch.push(value.value()));
    let fields: Vec<usize> = (0..record.len()).collect();
    script.statement(&Statement {
        schema,
        fields: &fields,
        key: &[0],
        op,
        changed: &fields[1..],
        record: batch.record(0),
    })
}

/// Has the extremes of every type said by one script, which `run` carries out, and reads them back: each must be what
/// it was, and more than `said_min` must have been said at all.
///
/// # Panics
/// When a value is another one afterwards, too few were said, or the endpoint fails.
pub fn extremes_are_said_exactly(
    endpoint: &mut dyn Endpoint,
    run: impl FnOnce(&str),
    said_min: usize,
) {
    let script = endpoint.script().expect("a dialect");
    let mut text = script.begin();
    let mut expected = Vec::new();
    let mut refused = 0;
    for (number, &ty) in HELD.iter().enumerate() {
        let name = format!("t{number}");
        let wanted = schema(&name).int("id").field("v", ty).key(["id"]).build();
        let Ok(design) = endpoint.design(&wanted) else {
            continue;
        };
        text.push_str(&format!("{};\n", design.statement));
        for (id, value) in (0_i64..).zip(extremes(ty)) {
            // A script says records that have passed the mapping, as a run does.
            let mut passed = Batch::new(1);
            if cast::push(value.value(), design.schema.fields[1].ty, &mut passed).is_err() {
                refused += 1;
                continue;
            }
            let value = Owned::from(passed.record(0).value(0));
            let record = [Owned::from(id), value.clone()];
            let null = [Owned::from(id), Owned::Null];
            let Ok(update) = say(script.as_ref(), &design.schema, Op::Update, &record) else {
                refused += 1;
                continue;
            };
            let insert = say(script.as_ref(), &design.schema, Op::Insert, &null);
            text.push_str(&insert.expect("NULL can be said"));
            text.push_str(&update);
            expected.push((name.clone(), id, value));
        }
    }
    text.push_str(&script.end());
    drop(script);
    run(&text);
    let said = expected.len();
    assert!(said > said_min, "{said} said, {refused} refused");
    for (name, id, value) in expected {
        let read = records::read(endpoint, &name).expect("it can be read");
        let found = read.iter().find(|record| record[0] == Owned::from(id));
        let found = &found.expect("it is there")[1];
        assert_eq!(canonical(found), canonical(&value), "{name} {id} {value:?}");
    }
}

fn canonical(value: &Owned) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::value(value.value(), &mut bytes);
    bytes
}
