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
