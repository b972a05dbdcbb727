//! Files and what becomes of them: the mistakes in `cases/config`, a whole file that has none, and files that nobody
//! would write.
//!
//! `TRUEUP_UPDATE_CASES=1` rewrites what stands below each `=>` of the case files.

use super::*;
use crate::two_way::policy;
use proptest::prelude::*;
use trueup_core::guard::Guard;
use trueup_core::policy::OnDelete;
use trueup_core::types::Type;

mod cases;

/// An environment for all files.
fn env(name: &str) -> Option<String> {
    let value = match name {
        "SET" => "canary",
        "B" => "b",
        "SECRET" => "canary:canary",
        "TORN" => "can@ary/x",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parsed(text: &str) -> Result<Config> {
    parse(text, Path::new("trueup.toml"), &env)
}

const WHOLE: &str = r#"
state = "state/${B}.db"

[endpoint.shop]
url = "postgres://app@db1/shop"
password = "env:SET"

[endpoint.stock]
url = "sqlite:stock.db"

[endpoint.archive]
url = "csv:out?delimiter=;"

[link.orders]
source = "shop"
target = "stock"
direction = "both"
when = "once"
verify = false
on_conflict = "newest"
on_delete = "wins"
stamp = "updated_at"
batch_records = 500
guard = { deletes_max = "5%" }

  [[link.orders.collections]]
  source = "orders"

  [[link.orders.collections]]
  source = "items"
  target = "order_items"
  key = ["order_id", "line"]
  rename = { qty = "quantity" }
  drop = ["note"]
  on_conflict = "source"
  on_conflict_fields = { price = "cel: source.price", qty = "max" }
  on_delete = "keep"
  stamp = "changed"
  guard = { deletes_max = 7 }

[link.archive]
source = "stock"
target = "archive"
delete = true
collections = [
  "orders",
  { source = "log", key = "all", where = "level > 2", constants = { origin = "shop" }, cast = { at = "text" }, lossy = ["n"], fields = { day = "date(at)" } },
]

[link.rest]
source = "shop"
target = "archive"
exclude = ["orders", "log"]
"#;

#[test]
fn a_whole_file_is_read() {
    let config = parse(WHOLE, Path::new("etc/trueup.toml"), &env).unwrap();
    assert_eq!(config.state, Some(PathBuf::from("etc/state/b.db")));
    let addresses: Vec<&str> = config
        .endpoints
        .iter()
        .map(|one| one.place.address.as_str())
        .collect();
    assert_eq!(
        addresses,
        [
            "postgres://app@db1/shop",
            "sqlite:etc/stock.db",
            "csv:etc/out?delimiter=;"
        ]
    );
    let names: Vec<&str> = config.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["orders", "archive", "rest"]);

    let spec = &config.link("orders").unwrap().spec;
    assert!(!spec.mode.verify && !spec.mode.delete && spec.mode.write);
    assert_eq!(spec.batch_records, 500);
    assert_eq!(spec.guard.deletes_percent_max, 5);
    let items = &spec.collections[1];
    assert_eq!(items.target.as_deref(), Some("order_items"));
    assert_eq!(items.rules.key, ["order_id", "line"]);
    assert_eq!(
        items.guard,
        Some(Guard {
            deletes_max: 7,
            deletes_percent_max: 0,
            ..Guard::default()
        })
    );
    let rules = spec.two_way.as_ref().unwrap().settle(&[]);
    assert_eq!(Some(&rules.default), policy("newest").as_ref());
    let shown = rules.rules.iter().map(|one| {
        let field = one.field.as_deref().unwrap_or("*");
        let collection = one.collection.as_deref().unwrap_or("*");
        format!("{collection}.{field}={:?}", one.policy)
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "items.*=Named(Source)",
            "items.price=Expression(\"source.price\")",
            "items.qty=Named(Max)"
        ]
    );
    let items = || Some("items".to_owned());
    assert_eq!(
        rules.on_delete,
        [(None, OnDelete::Wins), (items(), OnDelete::Keep)]
    );
    let stamps = [
        (None, "updated_at".to_owned()),
        (items(), "changed".to_owned()),
    ];
    assert_eq!(rules.stamps, stamps);
}

#[test]
fn a_link_that_goes_one_way_is_read() {
    let config = parsed(WHOLE).unwrap();
    let archive = &config.link("archive").unwrap().spec;
    assert!(archive.two_way.is_none() && archive.mode.delete && archive.mode.verify);
    let log = &archive.collections[1];
    assert!(log.rules.bag && log.rules.key.is_empty());
    assert_eq!(log.filter.as_deref(), Some("level > 2"));
    assert_eq!(log.rules.cast, [("at".to_owned(), Type::TEXT)]);
    assert_eq!(log.rules.lossy, ["n"]);
    let constant = ("origin".to_owned(), "shop".to_owned());
    assert_eq!(log.rules.constants, [constant]);
    assert_eq!(log.computed, [("day".to_owned(), "date(at)".to_owned())]);
    let rest = &config.link("rest").unwrap().spec;
    assert_eq!(rest.exclude, ["orders", "log"]);
    assert!(rest.collections.is_empty());
}

#[test]
fn a_password_is_for_its_endpoint_alone() {
    let config = parsed(WHOLE).unwrap();
    let base = trueup_core::endpoint::Context::empty();
    let password = |index: usize| {
        let place: &Place = &config.endpoints[index].place;
        (place.context(&base).env)("PGPASSWORD")
    };
    assert_eq!(password(0).as_deref(), Some("canary"));
    assert_eq!(password(1), None);
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn an_unknown_link_is_a_mistake() {
    let config = parsed(WHOLE).unwrap();
    let error = config.link("ordesr").unwrap_err();
    assert_eq!(error.advice(), Some("did you mean orders?"));
    let error = config.link("x").unwrap_err();
    assert_eq!(error.advice(), Some("its links are: orders, archive, rest"));
}

#[test]
fn at_most_twenty_mistakes_are_shown() {
    let text: String = (0..30).map(|n| format!("key{n} = 1\n")).collect();
    let error = parsed(&text).unwrap_err();
    assert_eq!(error.message().matches(" --> ").count(), 20);
    assert!(error.message().starts_with("there are 30 mistakes"));
    assert!(error.message().ends_with("... and 10 more"));
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parsed(&deep).is_err());
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    assert!(parsed(&dotted).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_nobody_would_write_does_no_harm(text in "(?s).{0,200}") {
        drop(parsed(&text));
    }

    #[test]
    fn a_file_with_bytes_changed_shows_no_secret(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..6, "(?s).{0,3}"), 0..4)
    ) {
        // The secrets stand where they must not, so that there is always a mistake.
        let mut text = WHOLE.replace("env:SET", "canary").replace("app@db1", "app:canary@db1");
        for (at, length, new) in changes {
            let at = mask::floor(&text, at.index(text.len() + 1));
            let end = mask::floor(&text, at + length).max(at);
            // A cut through a secret would only hide that it is shown, and without its colon it is the user's name.
            let colon = text[..at].ends_with("app") || text[at..end].contains("p:");
            if !colon && !text[at..end].contains(['c', 'n', 'r', 'y']) {
                text.replace_range(at..end, &new);
            }
        }
        if let Err(error) = parsed(&text) {
            prop_assert!(!error.message().contains("canary"), "{}\n---\n{}", error.message(), text);
        }
    }
}
