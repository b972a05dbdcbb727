//! What the two sides hold, and the rules under which they meet: tables of facts, the same for editor and reference.

use crate::support::Dice;
use serde_json::{Map, Value, json};

/// The systems of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Sqlite,
    Postgres,
}

impl System {
    pub(super) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// What the values of a field are. A note and a count are never written twice, so that each tells who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Serial,
    Code,
    Place,
    Note,
    Count,
    Text,
    Decimal,
    Moment,
    Instant,
    Date,
    Bool,
    Float,
    Set,
}

/// A collection, which lies at both sides from the beginning, or at one of them.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) name: &'static str,
    pub(super) key: &'static [(&'static str, Kind)],
    pub(super) fields: &'static [(&'static str, Kind)],
    pub(super) only: Option<System>,
}

const NOTE: (&str, Kind) = ("note", Kind::Note);
const QTY: (&str, Kind) = ("qty", Kind::Count);
/// The fields whose values tell who wrote them.
pub(super) const TRACED: [&str; 2] = ["note", "qty"];

pub(super) const COLLECTIONS: [Collection; 5] = [
    Collection {
        name: "items",
        key: &[("id", Kind::Serial)],
        fields: &[
            NOTE,
            QTY,
            ("name", Kind::Text),
            ("price", Kind::Decimal),
            ("seen", Kind::Moment),
            ("tags", Kind::Set),
            ("active", Kind::Bool),
        ],
        only: None,
    },
    Collection {
        name: "people",
        key: &[("code", Kind::Code)],
        fields: &[
            ("changed", Kind::Moment),
            ("name", Kind::Text),
            NOTE,
            ("born", Kind::Date),
            ("score", Kind::Float),
            QTY,
        ],
        only: None,
    },
    Collection {
        name: "stock",
        key: &[("warehouse", Kind::Place), ("sku", Kind::Serial)],
        fields: &[QTY, ("moved", Kind::Instant), NOTE],
        only: None,
    },
    Collection {
        name: "made",
        key: &[("id", Kind::Serial)],
        fields: &[NOTE, ("price", Kind::Decimal), QTY],
        only: Some(System::Postgres),
    },
    Collection {
        name: "kept",
        key: &[("id", Kind::Serial)],
        fields: &[QTY, ("active", Kind::Bool), NOTE],
        only: Some(System::Sqlite),
    },
];

/// Texts that something on the way might trip over.
const TEXTS: [&str; 14] = [
    "plain",
    "",
    " ",
    "it's",
    "\"quoted\"",
    "back\\slash",
    "line\nbreak\r\n",
    "tab\t",
    "\\N",
    "NULL",
    "Grüße, 漢字 🙂",
    "e\u{301} is not \u{e9}",
    "'; DROP TABLE items; --",
    "a|b,c",
];
const CODES: [&str; 6] = ["a", "A", "ä", "o'b", "z\\", " "];
const DECIMALS: [&str; 8] = [
    "0",
    "1.10",
    "1.1",
    "-0.01",
    "100",
    "99999999.99",
    "12.5",
    "-7",
];
const MOMENTS: [&str; 6] = [
    "2024-03-01 10:00:00",
    "2024-03-01 10:00:00.5",
    "2024-03-01 10:00:00.000001",
    "2024-02-29 23:59:59.999999",
    "1969-12-31 00:00:00",
    "2030-01-01 00:00:00",
];
const DATES: [&str; 4] = ["2024-02-29", "1900-01-01", "1969-12-31", "2099-12-31"];
const FLOATS: [&str; 6] = [
    "0.1",
    "-2.5",
    "1e20",
    "1e-7",
    "12345.678",
    "0.30000000000000004",
];
const SETS: [&str; 7] = [
    "[]",
    "[1]",
    "[1, 2]",
    "[\"a\", 1]",
    "[2, \"it's\"]",
    "[\"ä\", [1], 2]",
    "{\"a\": 1}",
];

impl Kind {
    /// Returns the type that a table has for it.
    pub(super) fn declared(self, system: System) -> &'static str {
        let (sqlite, postgres) = match self {
            Self::Serial | Self::Count => ("BIGINT", "bigint"),
            Self::Code | Self::Place | Self::Note | Self::Text => ("TEXT", "text"),
            Self::Decimal => ("DECIMAL_TEXT(12,2)", "numeric(12,2)"),
            Self::Moment => ("TIMESTAMP", "timestamp"),
            Self::Instant => ("TIMESTAMPTZ", "timestamptz"),
            Self::Date => ("DATE", "date"),
            Self::Bool => ("BOOLEAN", "boolean"),
            Self::Float => ("REAL", "double precision"),
            Self::Set => ("JSON_TEXT", "jsonb"),
        };
        match system {
            System::Sqlite => sqlite,
            System::Postgres => postgres,
        }
    }

    /// Returns what the reference calls it.
    fn normal(self) -> &'static str {
        match self {
            Self::Serial | Self::Count | Self::Decimal => "number",
            Self::Code | Self::Place | Self::Note | Self::Text => "text",
            Self::Moment | Self::Instant => "moment",
            Self::Date => "date",
            Self::Bool => "bool",
            Self::Float => "float",
            Self::Set => "json",
        }
    }

    /// Makes a value, as SQL that both systems read. `token` is new each time.
    pub(super) fn literal(self, dice: &mut Dice, token: u64) -> String {
        let key = matches!(self, Self::Serial | Self::Code | Self::Place);
        if !key && dice.below(9) == 0 {
            return "NULL".to_owned();
        }
        let at = dice.below(u64::from(u16::MAX)) as usize;
        let one = |all: &[&str]| all[at % all.len()].to_owned();
        match self {
            Self::Serial => (1 + dice.below(18)).to_string(),
            Self::Count => token.to_string(),
            Self::Code => {
                let number = dice.below(3);
                quoted(&format!("{}{number}", one(&CODES)))
            }
            Self::Place => quoted(&one(&CODES[2..5])),
            Self::Note => quoted(&format!("{} #{token}", one(&TEXTS))),
            Self::Text => quoted(&one(&TEXTS)),
            Self::Decimal => quoted(&one(&DECIMALS)),
            Self::Moment => quoted(&one(&MOMENTS)),
            Self::Instant => quoted(&format!("{}+00:00", one(&MOMENTS))),
            Self::Date => quoted(&one(&DATES)),
            Self::Bool => one(&["TRUE", "FALSE"]),
            Self::Float => one(&FLOATS),
            Self::Set => quoted(&one(&SETS)),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Collection {
    /// Key and other fields, in the order of the table.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.key.iter().chain(self.fields).copied()
    }

    /// Returns the statement that makes its table.
    pub(super) fn table(&self, system: System) -> String {
        let fields = self.all().map(|(name, kind)| {
            let key = self.key.iter().any(|(of_key, _)| *of_key == name);
            let null = if key { " NOT NULL" } else { "" };
            format!("{name} {}{null}", kind.declared(system))
        });
        let fields: Vec<String> = fields.collect();
        let key: Vec<&str> = self.key.iter().map(|(name, _)| *name).collect();
        format!(
            "CREATE TABLE {} ({}, PRIMARY KEY ({}));\n",
            self.name,
            fields.join(", "),
            key.join(", ")
        )
    }
}

/// What the reference is told about the collections.
pub(super) fn described() -> Value {
    let one = |collection: &Collection| {
        let fields = collection
            .all()
            .map(|(name, kind)| (name.to_owned(), json!(kind.normal())));
        let key: Vec<&str> = collection.key.iter().map(|(name, _)| *name).collect();
        let described = json!({"key": key, "fields": fields.collect::<Map<_, _>>()});
        (collection.name.to_owned(), described)
    };
    COLLECTIONS.iter().map(one).collect::<Map<_, _>>().into()
}

/// Rules for conflicts: what is told to the tool as options, and to the reference as data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    default: &'static str,
    collections: &'static [(&'static str, &'static str)],
    fields: &'static [(&'static str, &'static str)],
    /// For all collections where the name is empty.
    on_delete: &'static [(&'static str, &'static str)],
    stamp: &'static [(&'static str, &'static str)],
}

const NOTHING: &[(&str, &str)] = &[];

/// Nobody decides.
pub(super) const MANUAL: Rules = Rules {
    default: "manual",
    collections: NOTHING,
    fields: NOTHING,
    on_delete: NOTHING,
    stamp: NOTHING,
};

/// The source decides.
pub(super) const SOURCE: Rules = Rules {
    default: "source",
    ..MANUAL
};

pub(super) const RULES: [Rules; 7] = [
    MANUAL,
    SOURCE,
    Rules {
        default: "target",
        fields: &[("items.tags", "set-union"), ("stock.qty", "manual")],
        on_delete: &[("", "wins"), ("items", "keep")],
        ..MANUAL
    },
    Rules {
        default: "max",
        collections: &[("people", "newest"), ("made", "min")],
        fields: &[
            ("items.tags", "set-union"),
            ("people.score", "max"),
            ("items.note", "target"),
        ],
        on_delete: &[("stock", "wins")],
        stamp: &[("people", "changed")],
    },
    Rules {
        default: "source",
        collections: &[("items", "min"), ("people", "manual")],
        fields: &[
            ("items.tags", "set-union"),
            ("items.qty", "max"),
            ("people.qty", "target"),
            ("stock.note", "target"),
        ],
        ..MANUAL
    },
    Rules {
        default: "target",
        collections: &[(
            "kept",
            "cel:source.qty > target.qty ? \"source\" : \"target\"",
        )],
        fields: &[("items.name", "cel:source_value + \" / \" + target_value")],
        ..MANUAL
    },
    Rules {
        default: "keep-both",
        fields: &[("items.tags", "set-union"), ("stock.note", "target")],
        ..MANUAL
    },
];

impl Rules {
    /// Returns them as options of the command line.
    pub(super) fn options(&self) -> Vec<String> {
        let mut options = vec!["--on-conflict".to_owned(), self.default.to_owned()];
        let mut add = |option: &str, rules: &[(&str, &str)]| {
            for (name, rule) in rules {
                let equals = if name.is_empty() { "" } else { "=" };
                options.extend([option.to_owned(), format!("{name}{equals}{rule}")]);
            }
        };
        add("--on-conflict", self.collections);
        add("--on-conflict", self.fields);
        add("--on-delete", self.on_delete);
        add("--stamp", self.stamp);
        options
    }

    /// Returns them as the reference reads them.
    pub(super) fn described(&self) -> Value {
        let pairs = |pairs: &[(&str, &str)]| -> Value {
            let pairs = pairs
                .iter()
                .map(|(name, rule)| ((*name).to_owned(), json!(rule)));
            pairs.collect::<Map<_, _>>().into()
        };
        json!({
            "default": self.default,
            "collections": pairs(self.collections),
            "fields": pairs(self.fields),
            "on_delete": pairs(self.on_delete),
            "stamp": pairs(self.stamp),
        })
    }
}
