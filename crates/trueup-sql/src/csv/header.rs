//! What stands in the first line of a file.

use super::config::Options;
use super::read::Reader;
use crate::file::error;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use trueup_core::Result;

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The columns' names; `c1`, `c2` and so on where the file has none.
    pub(super) names: Vec<String>,
    /// The bytes before the first record, as they stand in the file.
    pub(super) raw: Vec<u8>,
    /// The line end that the first line has.
    pub(super) line_end: &'static str,
}

/// Reads the header and checks it.
pub(super) fn header<R: Read>(
    reader: &mut Reader<R>,
    path: &Path,
    options: &Options,
) -> Result<Header> {
    let file = path.display().to_string();
    let mut raw = if reader.bom() {
        b"\xef\xbb\xbf".to_vec()
    } else {
        Vec::new()
    };
    let Some(row) = reader.next_row()? else {
        return Err(error::malformed(&file, 1, "the file is empty: it has not even a header")
            .hint("an emptied or cut file is not taken for an empty collection; write the header, or remove the file"));
    };
    let line_end = if row.raw().ends_with("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let names: Vec<String> = if options.header {
        raw.extend_from_slice(row.raw().as_bytes());
        (0..row.len())
            .map(|index| row.field(index).0.to_owned())
            .collect()
    } else {
        (1..=row.len()).map(|number| format!("c{number}")).collect()
    };
    let mut seen = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let number = index + 1;
        if name.is_empty() {
            return Err(error::malformed(
                &file,
                1,
                format_args!("empty name in the header column={number}"),
            )
            .hint("name the column; or the file has no header: ?header=false"));
        }
        if name.contains('\r') {
            return Err(error::malformed(
                &file,
                1,
                format_args!("carriage return in the header column={number}"),
            )
            .hint("lines must end in LF or CRLF; convert a file of CR line ends first"));
        }
        if let Some(first) = seen.insert(name.as_str(), number) {
            return Err(error::malformed(
                &file,
                1,
                format_args!("duplicate name in the header name={name} columns={first},{number}"),
            )
            .hint("rename one of the columns; or the file has no header: ?header=false"));
        }
    }
    reader.set_width(names.len());
    if !options.header {
        reader.unread();
    }
    Ok(Header {
        names,
        raw,
        line_end,
    })
}
