//! The schema for editors, and the documents' examples of configuration files.

use crate::support::{self, Trueup};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Where the schema lies for editors to fetch.
const SCHEMA: &str = "schema/trueup.schema.json";

fn printed() -> String {
    let folder = support::folder();
    let schema = Trueup::new(folder.path()).arguments(["schema"]);
    schema.run().expect(0).stdout
}

#[test]
fn the_schema_file_is_the_one_that_is_printed() {
    let path = support::root().join(SCHEMA);
    let printed = printed();
    if support::variable("TRUEUP_UPDATE_CASES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &printed).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == printed,
        "{SCHEMA} differs (TRUEUP_UPDATE_CASES=1 accepts what is printed)"
    );
}

/// The blocks of TOML in a document that are whole files: those that name an endpoint and a link.
fn files(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap_or(rest).to_owned());
    blocks
        .filter(|block| block.contains("[endpoint.") && block.contains("[link."))
        .collect()
}

#[test]
fn examples_in_the_documents_are_read() {
    let mut seen = 0;
    for folder in ["docs", "docs/guide", "."] {
        for entry in fs::read_dir(support::root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            for text in files(&path) {
                seen += 1;
                let folder = support::folder();
                fs::write(folder.path().join("trueup.toml"), &text).unwrap();
                // The file is read before the link is looked for.
                let output = Trueup::new(folder.path())
                    .env("SHOP_PASSWORD", "p")
                    .env("STOCK", "p")
                    .arguments(["run", "there-is-no-such-link"])
                    .run()
                    .expect(2);
                let read = output
                    .stderr
                    .contains("there is no link there-is-no-such-link");
                assert!(read, "{}\n{text}\n{output}", path.display());
            }
        }
    }
    assert!(seen > 0, "no example was found");
}

#[test]
fn the_guide_lists_every_key() {
    let guide = support::root().join("docs/guide/configuration.md");
    let guide = fs::read_to_string(guide).unwrap();
    let schema: Value = serde_json::from_str(&printed()).unwrap();
    let mut keys = Vec::new();
    collect(&schema, &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    for (key, about) in keys {
        let row = format!("| `{key}` |");
        let known = guide
            .lines()
            .any(|line| line.starts_with(&row) && line.contains(&about));
        assert!(
            known,
            "docs/guide/configuration.md has no row `{key}` with: {about}"
        );
    }
}

/// Every key of the schema, with what it is for.
fn collect(schema: &Value, keys: &mut Vec<(String, String)>) {
    match schema {
        Value::Object(object) => {
            for (name, value) in object {
                if name == "properties" {
                    for (key, value) in value.as_object().unwrap() {
                        let about = value["description"].as_str().unwrap();
                        let about = about.split("; default: ").next().unwrap();
                        keys.push((key.clone(), about.to_owned()));
                    }
                }
                collect(value, keys);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}
