use super::*;
use crate::types::Type;
use std::collections::BTreeMap;

fn naming(collection: &str, fields: &[(&str, &str)]) -> Naming {
    Naming {
        collection: collection.to_owned(),
        fields: fields
            .iter()
            .map(|&(from, to)| (from.to_owned(), to.to_owned()))
            .collect(),
        bag: false,
    }
}

fn sample() -> Structure {
    Structure {
        engine: "postgres",
        collection: "items".to_owned(),
        indexes: vec![
            Index {
                name: Some("by_shop".to_owned()),
                fields: vec![IndexField::of("shop"), IndexField::of("name")],
                unique: true,
                verbatim: Some("btree (shop, name)".to_owned()),
                ..Index::default()
            },
            Index {
                name: Some("lower_name".to_owned()),
                verbatim: Some("btree (lower(name))".to_owned()),
                beyond: Some("it is on an expression".to_owned()),
                ..Index::default()
            },
        ],
        references: vec![ForeignKey {
            name: Some("of_shop".to_owned()),
            fields: vec!["shop".to_owned()],
            collection: "shops".to_owned(),
            referred: vec!["id".to_owned()],
            ..ForeignKey::default()
        }],
        checks: vec![Check {
            name: Some("named".to_owned()),
            expression: "name <> ''".to_owned(),
        }],
        ..Structure::default()
    }
}

/// What is kept and what is lost of the sample, by name.
fn outcome(items: &Naming, shops: Option<&Naming>) -> (Vec<String>, Vec<String>) {
    let fields = ["id", "shop", "name"].map(str::to_owned);
    let mut names: Names = BTreeMap::from([("items".to_owned(), items.clone())]);
    if let Some(shops) = shops {
        names.insert("shops".to_owned(), shops.clone());
    }
    let named = sample().named(&fields, &names);
    let indexes = named.indexes.iter().map(|one| one.name.clone());
    let references = named.references.iter().map(|one| one.name.clone());
    let checks = named.checks.iter().map(|one| one.name.clone());
    let kept = indexes.chain(references).chain(checks).flatten().collect();
    let lost = named.lost.iter().map(|one| one.name.clone()).collect();
    (kept, lost)
}

#[test]
fn what_is_kept_depends_on_the_names_that_the_target_gets() {
    let same = naming("items", &[("id", "id"), ("shop", "shop"), ("name", "name")]);
    let renamed = naming(
        "articles",
        &[("id", "id"), ("shop", "shop_id"), ("name", "name")],
    );
    let dropped = naming("items", &[("id", "id"), ("shop", "shop")]);
    let bag = Naming {
        bag: true,
        ..same.clone()
    };
    let shops = naming("shops", &[("id", "number")]);
    for (items, shops, kept, lost) in [
        (
            &same,
            Some(&shops),
            &["by_shop", "lower_name", "of_shop", "named"][..],
            &[][..],
        ),
        (
            &same,
            None,
            &["by_shop", "lower_name", "named"],
            &["items.of_shop"],
        ),
        (
            &renamed,
            Some(&shops),
            &["by_shop", "of_shop"],
            &["items.lower_name", "items.named"],
        ),
        (
            &dropped,
            Some(&shops),
            &["of_shop"],
            &["items.by_shop", "items.lower_name", "items.named"],
        ),
        (
            &bag,
            Some(&shops),
            &["lower_name", "of_shop", "named"],
            &["items.by_shop"],
        ),
    ] {
        let (found_kept, found_lost) = outcome(items, shops);
        let lists = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (found_kept, found_lost),
            (lists(kept), lists(lost)),
            "{items:?}"
        );
    }
}

#[test]
fn fields_are_renamed_on_both_ends_of_a_foreign_key() {
    let items = naming("articles", &[("shop", "shop_id")]);
    let shops = naming("stores", &[("id", "number")]);
    let names = BTreeMap::from([("items".to_owned(), items), ("shops".to_owned(), shops)]);
    let named = sample().named(&["shop".to_owned()], &names);
    let key = named.references.first().expect("it is kept");
    assert_eq!(key.fields, ["shop_id"]);
    assert_eq!(
        (key.collection.as_str(), &*key.referred),
        ("stores", &["number".to_owned()][..])
    );
}

#[test]
fn a_name_is_kept_where_it_is_free_and_short_enough() {
    let taken = ["a", "t_b", "b"];
    for (name, max, expected) in [
        ("c", 63, "c"),
        ("a", 63, "t_a"),
        ("b", 63, "t_b_"),
        ("long_name_of_an_index", 12, "t_l_"),
    ] {
        let found = derived(name, "t", max, |name| !taken.contains(&name));
        assert!(found.starts_with(expected), "{name} {found}");
        assert!(
            found.len() <= max && !taken.contains(&found.as_str()),
            "{found}"
        );
        assert_eq!(
            found,
            derived(name, "t", max, |name| !taken.contains(&name))
        );
    }
}

#[test]
fn literals_become_what_the_target_holds() {
    let number = |text: &str| Literal::Number(text.to_owned());
    let text = |text: &str| Literal::Text(text.to_owned());
    let bool = Type::Bool;
    let int = Type::INT;
    let money = Type::Decimal { size: Some((5, 2)) };
    for (literal, ty, expected) in [
        (number("5"), int, Some(Plain::Number("5".to_owned()))),
        (
            number("-1"),
            Type::Decimal { size: None },
            Some(Plain::Number("-1".to_owned())),
        ),
        (number("1"), bool, Some(Plain::Bool(true))),
        (Literal::Bool(false), bool, Some(Plain::Bool(false))),
        (number("5"), Type::TEXT, Some(Plain::Text("5".to_owned()))),
        (number("1.5"), int, None),
        (number("100000"), money, None),
        (text("2024-02-30"), Type::Date, None),
        (
            text("2024-02-29"),
            Type::Date,
            Some(Plain::Text("2024-02-29".to_owned())),
        ),
        (text("new"), Type::TEXT, Some(Plain::Text("new".to_owned()))),
        (text("new"), Type::Any, Some(Plain::Text("new".to_owned()))),
    ] {
        assert_eq!(plain(&literal, ty), expected, "{literal:?} {ty}");
    }
}
