use super::*;
use proptest::prelude::*;

#[test]
fn a_pattern_is_held_against_the_whole_name() {
    for (pattern, name, expected) in [
        ("orders*", "orders", 0),
        ("orders*", "orders_2024", 0),
        ("orders*", "old_orders", 4),
        ("*orders", "old_orders", 0),
        ("*", "", 0),
        ("*", "a", 0),
        ("?", "", 1),
        ("?", "ä", 0),
        ("?", "ab", 1),
        ("a*b*c", "a--b--c", 0),
        ("a*b*c", "acb", 1),
        ("Orders*", "orders_1", 1),
        ("ordrs*", "orders_1", 1),
        ("what?", "what?", 0),
        ("**a**", "a", 0),
        ("", "", 0),
        ("", "ab", 2),
    ] {
        assert_eq!(distance(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn words_are_told_apart() {
    for (text, expected) in [
        ("orders", Word::Name("orders")),
        ("or*", Word::Pattern("or*")),
        ("o?", Word::Pattern("o?")),
        ("!tmp", Word::Exclusion("tmp")),
        ("!tmp_*", Word::Exclusion("tmp_*")),
        ("!", Word::Exclusion("")),
        ("a!b", Word::Name("a!b")),
    ] {
        assert_eq!(Word::read(text), expected, "{text}");
    }
}

#[test]
fn patterns_meet_and_cover_each_other() {
    // Whether they meet, whether the first covers the second, and the other way round.
    for (one, other, expected) in [
        ("*", "a*", (true, true, false)),
        ("a*", "*b", (true, false, false)),
        ("a*", "b*", (false, false, false)),
        ("a?", "a*", (true, false, true)),
        ("a", "a", (true, true, true)),
        ("a*", "a*", (true, true, true)),
        ("tmp_*", "tmp_a?", (true, true, false)),
        ("?*", "*", (true, false, true)),
        ("a", "b", (false, false, false)),
        ("", "*", (true, false, true)),
    ] {
        let found = (meet(one, other), covers(one, other), covers(other, one));
        assert_eq!(found, expected, "{one} {other}");
    }
}

proptest! {
    /// What two patterns are to each other is what the names say that match them.
    #[test]
    fn names_agree(one in "[ab*?]{0,5}", other in "[ab*?]{0,5}", name in "[abc]{0,6}") {
        let (first, second) = (matches(&one, &name), matches(&other, &name));
        prop_assert!(!(first && second) || meet(&one, &other));
        prop_assert!(!covers(&one, &other) || !second || first);
        prop_assert_eq!(meet(&one, &other), meet(&other, &one));
    }

    /// A name without signs is a pattern that only itself matches.
    #[test]
    fn a_name_matches_itself(one in "[a-z_]{0,8}", other in "[a-z_]{0,8}") {
        prop_assert_eq!(matches(&one, &other), one == other);
        prop_assert_eq!(distance(&one, &other), strsim::levenshtein(&one, &other));
        prop_assert_eq!(meet(&one, &other), one == other);
    }
}
