//! The plan as a file: JSON Lines that one run writes and a later one carries out.
//!
//! Read aloud: a header, then per collection its head and its actions in the order of their keys, then an end. The
//! end is a line of its own, so that a file that was cut short is no plan. Of records it holds keys, digests and the
//! names of fields, no other value; what is written is read afresh from the source, and the digests say whether it is
//! still what was planned.
//!
//! Invariant: reading is strict where a person's edit could change what is done (order, digests, names), and ignores
//! what is there for people only (readable keys, names of fields, counts). Lines of actions may be taken out.

use super::{CollectionPlan, Decoded};
use crate::batch::Record;
use crate::digest::{ALGORITHM, Digest};
use crate::encode;
use crate::endpoint::Op;
use crate::error::{Error, Result};
use serde_json::{Map, Value as Json, json};

/// The version of the file.
const VERSION: u64 = 1;

/// What a plan is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The link's durable name.
    pub link: String,
    /// The link's name for people.
    pub name: String,
    /// When both sides were compared, for people.
    pub created: String,
    /// Whether records that only the target has are deleted.
    pub delete: bool,
}

/// What a plan says about a collection, before its actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The target's name for it.
    pub collection: String,
    /// Says in which terms keys and digests are to be understood.
    pub fingerprint: Digest,
    /// Whether the target has no such collection yet.
    pub create: bool,
}

/// One action of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The target's name for the collection.
    pub collection: String,
    /// What to do.
    pub op: Op,
    /// The canonical key.
    pub key: Vec<u8>,
    /// The digest of the target's record that is replaced or removed.
    pub before: Option<Digest>,
    /// The digest of the record that is written.
    pub after: Option<Digest>,
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first.
    Header(Header),
    /// The head of a collection.
    Head(Head),
    /// An action of the collection that was named last.
    Action(Planned),
    /// The last.
    End,
}

/// What the file tells people about one side of a collection.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Its records.
    pub records: u64,
    /// Their digest.
    pub digest: u128,
}

impl Header {
    /// Writes the line.
    pub fn write(&self) -> String {
        let Self {
            link,
            name,
            created,
            delete,
        } = self;
        let line = json!({
            "link": link,
            "name": name,
            "created": created,
            "delete": delete,
            "keys": encode::VERSION,
            "digests": ALGORITHM,
        })
        .to_string();
        // First, so that the first bytes say what the file is.
        format!("{{\"trueup_plan\":{VERSION},{}\n", &line[1..])
    }
}

/// Writes the head of a collection; `sides` are the source's and the target's records.
pub fn write_head(plan: &CollectionPlan, fingerprint: Digest, sides: [Told; 2]) -> String {
    let mut line = plan.header_json();
    let [source, target] = sides;
    let key: Vec<&str> = plan
        .key
        .iter()
        .map(|&at| plan.fields[at].as_str())
        .collect();
    let more = json!({
        "key": key,
        "fields": plan.fields,
        "fingerprint": fingerprint.to_string(),
        "source_records": source.records,
        "source_digest": Digest(source.digest).to_string(),
        "target_records": target.records,
        "target_digest": Digest(target.digest).to_string(),
    });
    if let (Json::Object(line), Json::Object(more)) = (&mut line, more) {
        // A plan in a file lists every record of a load.
        line.remove("load");
        line.remove("load_records");
        line.extend(more);
    }
    format!("{line}\n")
}

/// Writes an action; `key` is its canonical key.
pub fn write_action(
    plan: &CollectionPlan,
    action: &Decoded,
    record: Record<'_>,
    key: &[u8],
) -> String {
    let mut line = plan.action_json(action, record);
    let digest = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
    line["id"] = hex(key).into();
    line["before"] = digest(action.before).into();
    line["after"] = digest(action.after).into();
    format!("{line}\n")
}

/// Writes the end.
pub fn write_end() -> String {
    format!("{}\n", json!({ "end": true }))
}

/// Reads one line.
///
/// # Errors
/// `Config` when it is none of a plan, with the column where that can be told.
pub fn read(line: &str) -> Result<Line> {
    let json: Json = serde_json::from_str(line)
        .map_err(|cause| Error::config(format!("column={}: this is not JSON", cause.column())))?;
    let Json::Object(object) = &json else {
        return Err(Error::config("column=1: this is no JSON object"));
    };
    let fields = Fields(object);
    if object.contains_key("trueup_plan") {
        return header(&fields).map(Line::Header);
    }
    if object.contains_key("op") {
        return action(&fields).map(Line::Action);
    }
    if object.contains_key("fingerprint") {
        return head(&fields).map(Line::Head);
    }
    if object.get("end") == Some(&Json::Bool(true)) {
        return Ok(Line::End);
    }
    Err(Error::config("this is no line of a plan"))
}

fn header(fields: &Fields<'_>) -> Result<Header> {
    let version = fields.0.get("trueup_plan").and_then(Json::as_u64);
    if version != Some(VERSION) {
        return Err(
            Error::config(format!("this trueup reads plans of version={VERSION} only"))
                .hint("make the plan anew with --plan-out"),
        );
    }
    let terms = (
        fields.0.get("keys").and_then(Json::as_u64),
        fields.text("digests")?,
    );
    if terms != (Some(u64::from(encode::VERSION)), ALGORITHM) {
        return Err(Error::config(
            "the plan's keys or digests are those of another version of trueup",
        )
        .hint("make the plan anew with --plan-out"));
    }
    Ok(Header {
        link: fields.text("link")?.to_owned(),
        name: fields.text("name")?.to_owned(),
        created: fields.text("created")?.to_owned(),
        delete: match fields.0.get("delete") {
            Some(Json::Bool(delete)) => *delete,
            Some(_) | None => return Err(fields.wrong("delete")),
        },
    })
}

fn head(fields: &Fields<'_>) -> Result<Head> {
    Ok(Head {
        collection: fields.text("collection")?.to_owned(),
        fingerprint: fields
            .digest("fingerprint")?
            .ok_or_else(|| fields.wrong("fingerprint"))?,
        create: match fields.0.get("create") {
            Some(Json::Null) => false,
            Some(Json::String(_)) => true,
            Some(_) | None => return Err(fields.wrong("create")),
        },
    })
}

fn action(fields: &Fields<'_>) -> Result<Planned> {
    let op = match fields.text("op")? {
        "insert" => Op::Insert,
        "update" => Op::Update,
        "delete" => Op::Delete,
        _ => return Err(fields.wrong("op")),
    };
    let planned = Planned {
        collection: fields.text("collection")?.to_owned(),
        op,
        key: unhex(fields.text("id")?).ok_or_else(|| fields.wrong("id"))?,
        before: fields.digest("before")?,
        after: fields.digest("after")?,
    };
    let wanted = match op {
        Op::Insert => (false, true),
        Op::Update => (true, true),
        Op::Delete => (true, false),
    };
    if (planned.before.is_some(), planned.after.is_some()) != wanted {
        return Err(fields.wrong("before or after"));
    }
    Ok(planned)
}

/// The members of a line.
struct Fields<'a>(&'a Map<String, Json>);

impl Fields<'_> {
    fn text(&self, name: &str) -> Result<&str> {
        let found = self.0.get(name).and_then(Json::as_str);
        found.ok_or_else(|| self.wrong(name))
    }

    fn digest(&self, name: &str) -> Result<Option<Digest>> {
        match self.0.get(name) {
            Some(Json::Null) => Ok(None),
            Some(Json::String(text)) if text.len() == 32 && is_hex(text) => {
                let digest = u128::from_str_radix(text, 16).map_err(|_| self.wrong(name))?;
                Ok(Some(Digest(digest)))
            }
            Some(_) | None => Err(self.wrong(name)),
        }
    }

    fn wrong(&self, name: &str) -> Error {
        Error::config(format!("{name} is missing or does not read"))
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    let nibble = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    pairs.map(nibble).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !is_hex(text) {
        return None;
    }
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte - b'a' + 10,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(nibble(*high) << 4 | nibble(*low)),
        _ => None,
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests;
