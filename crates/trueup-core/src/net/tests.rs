use super::*;
use proptest::prelude::*;

/// A change of one of a few records with two values.
#[derive(Clone, Debug)]
enum Step {
    Put(u8, Option<i64>, Option<i64>),
    Delete(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = || proptest::option::weighted(0.7, 0i64..4);
    let step = prop_oneof![
        3 => (0u8..3, value(), value()).prop_map(|(key, a, b)| Step::Put(key, a, b)),
        1 => (0u8..3).prop_map(Step::Delete),
    ];
    proptest::collection::vec(step, 0..12)
}

type Table = BTreeMap<u8, (i64, i64)>;

fn value(value: Option<i64>) -> Value<'static> {
    value.map_or(Value::Unchanged, Value::Int)
}

/// Keeps the steps that a source can make: a record that is not there is put whole.
fn possible(table: &Table, steps: Vec<Step>) -> (Vec<Step>, Table) {
    let mut table = table.clone();
    let mut kept = Vec::new();
    for step in steps {
        match step {
            Step::Put(key, a, b) => {
                let before = table.get(&key).copied();
                let (Some(a), Some(b)) =
                    (a.or(before.map(|one| one.0)), b.or(before.map(|one| one.1)))
                else {
                    continue;
                };
                table.insert(key, (a, b));
            }
            Step::Delete(key) => {
                if table.remove(&key).is_none() {
                    continue;
                }
            }
        }
        kept.push(step);
    }
    (kept, table)
}

fn record(key: u8, a: Option<i64>, b: Option<i64>) -> Batch {
    let mut batch = Batch::new(3);
    batch.push(Value::Int(key.into()));
    batch.push(value(a));
    batch.push(value(b));
    batch
}

fn int(value: Value<'_>) -> i64 {
    match value {
        Value::Int(value) => value,
        other => panic!("a number was expected, not {}", other.class()),
    }
}

/// Writes the net effect as a target does.
fn write(net: &Net, table: &mut Table) {
    let key = |record: Record<'_>| u8::try_from(int(record.value(0))).unwrap();
    for record in net.deletes().records() {
        table.remove(&key(record));
    }
    for record in net.puts().records() {
        table.insert(key(record), (int(record.value(1)), int(record.value(2))));
    }
    for amended in net.amends() {
        for record in amended.records.records() {
            let there = table
                .get_mut(&key(record))
                .expect("an amended record is there");
            for (place, &field) in amended.fields.iter().enumerate() {
                match field {
                    1 => there.0 = int(record.value(place)),
                    2 => there.1 = int(record.value(place)),
                    _ => {}
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn the_net_effect_leads_to_the_same_records(
        before in proptest::collection::btree_map(0u8..3, (0i64..4, 0i64..4), 0..3),
        steps in steps(),
    ) {
        let (steps, expected) = possible(&before, steps);
        let mut net = Net::new(3);
        for step in &steps {
            match *step {
                Step::Put(key, a, b) => {
                    prop_assert!(net.put(&[key], record(key, a, b).record(0)));
                }
                Step::Delete(key) => net.delete(&[key], record(key, None, None).record(0)),
            }
        }
        prop_assert_eq!(net.changes(), steps.len());
        let mut table = before;
        write(&net, &mut table);
        prop_assert_eq!(table, expected);
    }
}

#[test]
fn what_is_told_in_part_over_a_version_that_was_not_written_is_not_written() {
    let mut net = Net::new(3);
    net.lose(&[1]);
    assert!(!net.put(&[1], record(1, Some(1), None).record(0)));
    net.delete(&[2], record(2, None, None).record(0));
    net.lose(&[2]);
    assert!(!net.put(&[2], record(2, None, Some(7)).record(0)));
    assert!(net.puts().is_empty() && net.amends().is_empty() && net.deletes().is_empty());
    assert!(net.put(&[1], record(1, Some(1), Some(2)).record(0)));
    assert_eq!(net.puts().len(), 1);
}

#[test]
fn a_cleared_net_has_no_effect() {
    let mut net = Net::new(3);
    net.put(&[1], record(1, Some(1), Some(2)).record(0));
    assert_eq!(net.known(&[1]).map(|one| int(one.value(2))), Some(2));
    net.clear();
    assert!(net.is_empty() && net.puts().is_empty() && net.known(&[1]).is_none());
}
