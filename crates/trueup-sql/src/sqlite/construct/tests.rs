use super::*;
use trueup_core::structure::{Check, Generated, Identity, IndexField, Rule};

fn wanted() -> Schema {
    let mut schema = Schema {
        collection: "items".to_owned(),
        fields: vec![
            Field::new("id", Type::INT, "postgres:bigint"),
            Field::new("shop", Type::INT, "postgres:bigint"),
            Field::new(
                "price",
                Type::Decimal { size: Some((6, 2)) },
                "postgres:numeric(6,2)",
            ),
            Field::new("sold", Type::Bool, "postgres:boolean"),
            Field::new("at", Type::Instant, "postgres:timestamptz"),
            Field::new("twice", Type::INT, "postgres:bigint"),
        ],
        key: vec![0],
        ..Schema::default()
    };
    if let Some(key) = schema.fields.first_mut() {
        key.nullable = false;
    }
    schema
}

fn extras(field: &str, default: DefaultValue) -> Extras {
    Extras {
        field: field.to_owned(),
        default: Some(default),
        ..Extras::default()
    }
}

fn structure(engine: &'static str) -> Structure {
    let index = |name: &str, unique, beyond: Option<&str>| Index {
        name: Some(name.to_owned()),
        fields: vec![
            IndexField::of("shop"),
            IndexField {
                descending: true,
                ..IndexField::of("at")
            },
        ],
        unique,
        verbatim: beyond.map(|_| "(shop) WHERE sold".to_owned()),
        beyond: beyond.map(str::to_owned),
        ..Index::default()
    };
    Structure {
        engine,
        collection: "items".to_owned(),
        fields: vec![
            Extras {
                field: "id".to_owned(),
                identity: Some(Identity {
                    always: false,
                    implied: false,
                    increment: 1,
                    next: Some(8),
                }),
                ..Extras::default()
            },
            extras(
                "price",
                DefaultValue::Literal(Literal::Number("9.50".to_owned())),
            ),
            extras("sold", DefaultValue::Literal(Literal::Bool(true))),
            extras("at", DefaultValue::Now),
            extras("shop", DefaultValue::Other("abs(-1)".to_owned())),
            Extras {
                field: "twice".to_owned(),
                generated: Some(Generated {
                    expression: "id * 2".to_owned(),
                    stored: true,
                }),
                comment: Some("a comment".to_owned()),
                ..Extras::default()
            },
        ],
        indexes: vec![
            index("by_shop", false, None),
            index("once", true, None),
            index("taken", false, None),
            index("some", false, Some("it is on some of the records only")),
        ],
        references: vec![ForeignKey {
            name: Some("of".to_owned()),
            fields: vec!["shop".to_owned()],
            collection: "shops".to_owned(),
            referred: vec!["id".to_owned()],
            on_delete: Rule::Cascade,
            deferrable: Some(true),
            ..ForeignKey::default()
        }],
        checks: vec![Check {
            name: Some("dear".to_owned()),
            expression: "price > 0".to_owned(),
        }],
        ..Structure::default()
    }
}

/// All that comes of it, one line each.
fn lines(engine: &'static str) -> String {
    let mut taken = BTreeSet::from(["taken".to_owned()]);
    let made = construct(None, &wanted(), &structure(engine), &mut taken).expect("it can be");
    let mut text = made.design.statement + "\n";
    for step in made.steps {
        text += &format!("{}: {}\n", step.kind.name(), step.statement);
    }
    for lost in made.lost {
        text += &format!("lost {} {}: {}\n", lost.kind, lost.name, lost.why);
    }
    text
}

const STEPS: &str = r#"next number: INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq) SELECT min(rowid), 'items', max(7, coalesce(max(seq), 0)) FROM sqlite_sequence WHERE name = 'items'
index: CREATE INDEX "by_shop" ON "items" ("shop", "at" DESC)
unique: CREATE UNIQUE INDEX "once" ON "items" ("shop", "at" DESC)
index: CREATE INDEX "items_taken" ON "items" ("shop", "at" DESC)
"#;

#[test]
fn what_another_engine_has_is_translated_or_told() {
    let expected = r#"CREATE TABLE "items" ("id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "shop" INTEGER, "price" DECIMAL_TEXT(6,2) DEFAULT '9.50', "sold" BOOLEAN DEFAULT 1, "at" TIMESTAMPTZ DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')), "twice" INTEGER, CONSTRAINT "of" FOREIGN KEY ("shop") REFERENCES "shops" ("id") ON DELETE CASCADE ON UPDATE NO ACTION DEFERRABLE INITIALLY DEFERRED)
"#.to_owned() + STEPS + r#"foreign key: PRAGMA foreign_key_check("items")
lost default items.shop: it is said in the words of postgres
lost generated field items.twice: it is said in the words of postgres; it is filled with the source's values
lost check items.dear: it is said in the words of postgres
lost index items.some: it is on some of the records only
lost comment items.twice: SQLite keeps no comments
"#;
    assert_eq!(lines("postgres"), expected);
}

#[test]
fn the_same_engine_keeps_its_own_words() {
    let expected = r#"CREATE TABLE "items" ("id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, "shop" INTEGER DEFAULT (abs(-1)), "price" DECIMAL_TEXT(6,2) DEFAULT 9.50, "sold" BOOLEAN DEFAULT 1, "at" TIMESTAMPTZ DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')), "twice" INTEGER GENERATED ALWAYS AS (id * 2) STORED, CONSTRAINT "dear" CHECK (price > 0), CONSTRAINT "of" FOREIGN KEY ("shop") REFERENCES "shops" ("id") ON DELETE CASCADE ON UPDATE NO ACTION DEFERRABLE INITIALLY DEFERRED)
"#.to_owned() + STEPS + r#"index: CREATE INDEX "some" ON "items" (shop) WHERE sold
foreign key: PRAGMA foreign_key_check("items")
lost comment items.twice: SQLite keeps no comments
"#;
    assert_eq!(lines("sqlite"), expected);
}
