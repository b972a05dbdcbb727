use super::*;

fn link(id: &str, name: &str) -> Standing {
    Standing {
        id: id.to_owned(),
        name: name.to_owned(),
        two_way: name.contains("<->"),
        labels: Vec::new(),
        last: None,
        succeeded: true,
        kept: false,
        collections: Vec::new(),
        open: 0,
        answers: 0,
        answered_open: 0,
        parked: 0,
        following: None,
    }
}

#[test]
fn a_link_is_found_by_its_name_either_way_round_or_by_its_id() {
    let links = [
        link("01", "a <-> b"),
        link("02", "a -> b"),
        // The file behind an address was made anew: two links, one name.
        link("03", "c <-> d"),
        link("04", "d <-> c"),
        link("05", "sqlite:/x/a.db -> csv:/y"),
        Standing {
            labels: vec!["o".to_owned(), "p".to_owned()],
            ..link("06", "e -> f")
        },
    ];
    for (wanted, expected) in [
        ("a <-> b", Ok("01")),
        ("b <-> a", Ok("01")),
        ("01", Ok("01")),
        ("03", Ok("03")),
        ("04", Ok("04")),
        ("c <-> d", Err("2 links have this name")),
        ("a -> b", Ok("02")),
        ("b -> a", Err("there is no such link in the state")),
        ("02", Ok("02")),
        ("o", Ok("06")),
        ("[p]", Ok("06")),
        ("sqlite:/x/a.db -> csv:/y", Ok("05")),
        (
            "postgres://u:secret@h/db <-> b",
            Err("there is no such link in the state"),
        ),
        ("", Err("there is no such link in the state")),
    ] {
        let found = find(&links, wanted);
        let found = found
            .as_ref()
            .map(|link| link.id.as_str())
            .map_err(Error::message);
        assert_eq!(found, expected, "{wanted}");
    }
    let hint = find(&links, "c <-> d").unwrap_err();
    assert_eq!(hint.advice(), Some("name one by its id: 03, 04"));
}

#[test]
fn a_path_may_be_written_as_it_was_given_to_the_run() {
    let here = std::env::current_dir().unwrap();
    let here = here.display();
    let both = format!("sqlite:{here}/b.db <-> sqlite:{here}/a.db");
    let links = [link("01", &both)];
    assert_eq!(find(&links, "a.db <-> sqlite:b.db").unwrap().id, "01");
}
