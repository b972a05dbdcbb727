use super::*;

#[test]
fn the_state_is_where_the_contract_says() {
    for (given, xdg, home, expected) in [
        (Some("s.db"), Some("/x"), Some("/h"), Some("s.db")),
        (None, Some("/x"), Some("/h"), Some("/x/trueup/state.db")),
        (
            None,
            None,
            Some("/h"),
            Some("/h/.local/state/trueup/state.db"),
        ),
        (
            None,
            Some(""),
            Some("/h"),
            Some("/h/.local/state/trueup/state.db"),
        ),
        (
            None,
            Some("relative"),
            Some("/h"),
            Some("/h/.local/state/trueup/state.db"),
        ),
        (None, None, None, None),
    ] {
        let env = |name: &str| {
            let value = match name {
                "XDG_STATE_HOME" => xdg,
                "HOME" => home,
                _ => None,
            };
            value.map(str::to_owned)
        };
        let found = state_path(given.map(Path::new), &env).ok();
        assert_eq!(found.as_deref(), expected.map(Path::new));
    }
}

#[test]
fn failpoints_read() {
    for (text, expected) in [
        ("engine.applied", Some(("engine.applied", 1))),
        ("engine.applied:3", Some(("engine.applied", 3))),
        ("engine.applied:0", None),
        ("engine.applied:", None),
        (":3", None),
        ("", None),
    ] {
        let found = parse_failpoint(text).ok();
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_failpoint_elsewhere_does_nothing() {
    let armed = failpoints(Some("engine.applied:2")).unwrap();
    armed.pass("engine.claimed").unwrap();
    armed.pass("engine.applied").unwrap();
    failpoints(None).unwrap().pass("engine.applied").unwrap();
}

#[test]
fn an_incarnation_is_128_bits_and_never_the_same() {
    let (one, other) = (incarnation().unwrap(), incarnation().unwrap());
    assert_eq!(one.len(), 32);
    assert_ne!(one, other);
}

#[test]
fn a_missing_state_is_no_history_unless_it_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("state.db");
    let error = open_store_if_present(Some(&missing)).err().unwrap();
    assert_eq!(error.kind(), Kind::Config);
    assert!(!missing.exists());
}
