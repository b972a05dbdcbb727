//! Says which records share a key that should be one record's alone.
//!
//! The error itself names counts, fields and places in a file; the values of a few of the keys stand in its report.
//! The file is read once more for the places: it is an error, and whoever mends it has to find the records.

use super::{Reading, Translation};
use crate::sort::{Example, Repeated};
use trueup_core::batch::Batch;
use trueup_core::diff::not_unique;
use trueup_core::endpoint::{Order, ScanRequest, Snapshot};
use trueup_core::mapping::key_digest;
use trueup_core::park::Place;
use trueup_core::{Error, Kind, Result, cast, encode};

/// How many places are named of one key.
const PLACES_SHOWN_MAX: usize = 5;

impl Reading<'_> {
    /// The error for keys that several records share; the caller says where.
    pub(super) fn not_unique(
        &self,
        repeated: &Repeated,
        snapshot: &mut (dyn Snapshot + 'static),
    ) -> Error {
        let Some(first) = repeated.examples.first() else {
            return not_unique(&[]);
        };
        // What cannot be read any more is named without its places: this is about something else.
        let places = self.places_of(&repeated.examples, snapshot);
        let places = places.unwrap_or_else(|_| vec![Vec::new(); repeated.examples.len()]);
        let key = self.key_names();
        let Repeated {
            keys,
            records,
            exact,
            ..
        } = repeated;
        let mut message =
            format!("the key is not unique: key={key} shared_keys={keys} records={records}");
        message.push_str(&format!(" exact_repeats={exact}"));
        match places.first().map(Vec::as_slice) {
            Some([place, ..]) => {
                let lines = lines(&places[0], first.records);
                message.push_str(&format!(" file={} lines={lines}", place.file));
            }
            Some([]) | None => {
                message.push_str(&format!(" digest={}", key_digest(&first.key)));
            }
        }
        Error::new(Kind::Config, message)
            .hint(self.advice(&key))
            .report(self.examples(repeated, &places))
    }

    fn advice(&self, key: &str) -> String {
        let name = self.title;
        let more = format!("take more fields into the key: --key {name}={key},FIELD");
        match self.translation {
            Translation::OneWay(..) => {
                format!("{more}; or count equal records: --key {name}=all")
            }
            Translation::Shared(..) => more,
        }
    }

    /// A few of the keys, for the user's report.
    fn examples(&self, repeated: &Repeated, places: &[Vec<Place>]) -> String {
        let mut out = "keys that several records share:\n".to_owned();
        for (example, places) in repeated.examples.iter().zip(places) {
            let digest = || format!("key={}", key_digest(&example.key));
            let key = example.record.as_ref();
            let key = key.and_then(|record| self.translation.key_text(record.record(0)));
            let alike = if example.exact + 1 == example.records {
                "equal in the fields that take part"
            } else {
                "they differ"
            };
            let (key, records) = (key.unwrap_or_else(digest), example.records);
            out.push_str(&format!(
                "  {} {key}: {records} records, {alike}",
                self.title
            ));
            if !places.is_empty() {
                out.push_str(&format!(", lines {}", lines(places, example.records)));
            }
            out.push('\n');
        }
        let more = repeated.keys.saturating_sub(repeated.examples.len() as u64);
        if more > 0 {
            out.push_str(&format!("  ... and {more} more\n"));
        }
        out
    }

    /// The key's fields as this side calls them.
    fn key_names(&self) -> String {
        let scanned = self.translation.fields();
        let names = |key: Vec<usize>| {
            let names = key
                .into_iter()
                .map(|at| self.schema.fields[scanned[at]].name.as_str());
            names.collect::<Vec<_>>().join(",")
        };
        self.translation
            .key()
            .map_or_else(|| "FIELD".to_owned(), names)
    }

    /// Finds where the first records of some keys stand, if they are in a file and their key is read as it stands there.
    fn places_of(
        &self,
        examples: &[Example],
        snapshot: &mut (dyn Snapshot + 'static),
    ) -> Result<Vec<Vec<Place>>> {
        let mut places = vec![Vec::new(); examples.len()];
        let Some(key) = self.translation.key().filter(|_| snapshot.keeps_order()) else {
            return Ok(places);
        };
        let types = self.translation.key_types();
        let scanned = self.translation.fields();
        let fields: Vec<usize> = key.iter().map(|&position| scanned[position]).collect();
        let request = ScanRequest {
            fields: &fields,
            wanted: &types,
            ..self.whole(Order::Natural)
        };
        let mut scan = snapshot.scan(&request)?;
        let (mut raw, mut cast) = (Batch::new(fields.len()), Batch::new(types.len()));
        let mut canonical = Vec::new();
        while scan.next(&mut raw)? {
            self.world.check_stop()?;
            for (index, record) in raw.records().enumerate() {
                cast.reset(types.len());
                let mut values = record.values().zip(&types);
                if values.any(|(value, &ty)| cast::push(value, ty, &mut cast).is_err()) {
                    continue;
                }
                canonical.clear();
                for value in cast.record(0).values() {
                    encode::key(value, &mut canonical);
                }
                let of = examples.iter().position(|one| one.key == canonical);
                if let (Some(of), Some(place)) = (of, raw.place(index))
                    && places[of].len() < PLACES_SHOWN_MAX
                {
                    places[of].push(place);
                }
            }
            raw.reset(fields.len());
        }
        Ok(places)
    }
}

/// The lines of some places, and whether there are more.
fn lines(places: &[Place], records: u64) -> String {
    let shown: Vec<String> = places.iter().map(|place| place.line.to_string()).collect();
    let more = if records > places.len() as u64 {
        ",..."
    } else {
        ""
    };
    format!("{}{more}", shown.join(","))
}
