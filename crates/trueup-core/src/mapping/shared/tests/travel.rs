//! No value changes by travelling there and back: over all pairs of types.

use super::*;
use crate::lattice::tests::all_types;
use crate::lattice::{self, Fit};
use proptest::prelude::*;

/// How many values each side of each pair of types is tried with.
const VALUES: u32 = 8;

/// What a field is tried as.
const ROLES: [&str; 2] = ["", "*"];

/// Checks one value of one side of a pair of types; tells whether it was parked.
fn travels(shared: &Shared, side: Side, from: Type, owned: &Owned) -> Result<bool, String> {
    let values = [owned.clone(), Owned::Int(1)];
    let (out, parked) = map(shared, side, &values);
    if !parked.is_empty() {
        return Ok(true);
    }
    let entry = out.entry(0);
    let mut kept = Batch::new(2);
    for end in Side::BOTH {
        let mut written = Batch::new(2);
        shared
            .write(end, entry.record, &mut written)
            .map_err(|misfit| format!("{end}: {misfit:?}"))?;
        let (mut again, mut parked) = (Keyed::new(2), Vec::new());
        shared.map(end, &written, &mut again, &mut parked, &mut Vec::new());
        if !parked.is_empty() {
            return Err(format!("{end}: {parked:?}"));
        }
        let read = again.entry(0);
        if (read.key, read.standing) != (entry.key, entry.standing) {
            return Err(format!("{end}: read as {:?}", read.record.value(0)));
        }
        if end == side {
            kept = written;
        }
    }
    // A key that is written finds what it was read from.
    let found = samples::encoded(kept.record(0).value(0)) == samples::encoded(owned.value());
    if shared.key().contains(&0) && from != Type::Any && !found {
        return Err(format!("{side}: written as {:?}", kept.record(0).value(0)));
    }
    Ok(false)
}

fn check(a: Type, b: Type, role: &str) -> Result<u32, String> {
    let fields = [a, b].map(|ty| format!("f:{ty}{role} id:int64*"));
    let [one, other] = [schema("a", &fields[0]), schema("b", &fields[1])];
    let there = Shared::build(&one, &other, &Rules::default());
    let back = Shared::build(&other, &one, &Rules::default());
    let refused = |from, to| matches!(lattice::types(from, to), Fit::Refused(_));
    let (Ok(there), Ok(back)) = (there, back) else {
        let spellings = !role.is_empty() && (a == Type::Json || b == Type::Json);
        assert!(
            spellings || refused(a, b) || refused(b, a),
            "refused for nothing"
        );
        return Ok(0);
    };
    assert!(!refused(a, b) && !refused(b, a), "not refused");
    assert_eq!(there.shape(), back.shape());
    for (side, from, to) in [(Side::Source, a, b), (Side::Target, b, a)] {
        let exact = there.types()[0] == from && lattice::types(from, to) == Fit::Exact;
        let sound = |owned: Owned| {
            let parked = travels(&there, side, from, &owned).map_err(TestCaseError::fail)?;
            let mirrored = travels(&back, side.other(), from, &owned);
            prop_assert_eq!(mirrored, Ok(parked));
            let null_key = !role.is_empty() && owned == Owned::Null;
            prop_assert!(!(parked && exact && !null_key), "parked: {:?}", owned);
            Ok(())
        };
        samples::try_values(from, VALUES, sound).map_err(|failure| format!("{side}: {failure}"))?;
    }
    Ok(1)
}

#[test]
fn no_value_changes_by_travelling_there_and_back() {
    let mut pairs = 0;
    for a in all_types() {
        for b in all_types() {
            for role in ROLES {
                match check(a, b, role) {
                    Ok(tried) => pairs += tried,
                    Err(failure) => panic!("{a}{role} and {b}{role}: {failure}"),
                }
            }
        }
    }
    assert!(pairs > 500, "{pairs}");
}
