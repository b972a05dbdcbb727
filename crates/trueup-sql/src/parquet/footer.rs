//! Looks at the schema in a footer before the library does, which descends into it without a limit and reserves room for as
//! many children as it claims.
//!
//! Invariant: what is passed here is read by the library byte for byte as it was read here. It takes most fields by their
//! number alone, whatever type stands before them; so every field has to be known, and of its own type.

use super::error::damaged;
use std::path::Path;
use trueup_core::{Error, Result};

/// How many levels a schema may have, its root included. A list takes three of them.
pub(super) const LEVELS_MAX: usize = 100;

/// What a field of the schema is (Thrift, compact form).
enum Kind {
    Number,
    Byte,
    Flag,
    Text,
    Parts(&'static [(u8, Self)]),
}

const NONE: Kind = Kind::Parts(&[]);
const UNIT: Kind = Kind::Parts(&[(1, NONE), (2, NONE), (3, NONE)]);
const TIME: Kind = Kind::Parts(&[(1, Kind::Flag), (2, UNIT)]);
/// The annotations of a column.
const LOGICAL: &[(u8, Kind)] = &[
    (1, NONE),
    (2, NONE),
    (3, NONE),
    (4, NONE),
    (5, Kind::Parts(&[(1, Kind::Number), (2, Kind::Number)])),
    (6, NONE),
    (7, TIME),
    (8, TIME),
    (10, Kind::Parts(&[(1, Kind::Byte), (2, Kind::Flag)])),
    (11, NONE),
    (12, NONE),
    (13, NONE),
    (14, NONE),
    (15, NONE),
    (16, Kind::Parts(&[(1, Kind::Byte)])),
    (17, Kind::Parts(&[(1, Kind::Text)])),
    (18, Kind::Parts(&[(1, Kind::Text), (2, Kind::Number)])),
    (19, NONE),
];
/// The field that says how many children an element has.
const CHILDREN: u8 = 5;
/// A column, or a group of them.
const ELEMENT: &[(u8, Kind)] = &[
    (1, Kind::Number),
    (2, Kind::Number),
    (3, Kind::Number),
    (4, Kind::Text),
    (CHILDREN, Kind::Number),
    (6, Kind::Number),
    (7, Kind::Number),
    (8, Kind::Number),
    (9, Kind::Number),
    (10, Kind::Parts(LOGICAL)),
];
/// The types of values in Thrift's compact form.
const BYTE: u8 = 3;
const I32: u8 = 5;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Checks the schema in a footer of the file `path`.
pub(super) fn check(footer: &[u8], path: &Path) -> Result<()> {
    let mut rest = Rest(footer);
    match levels(&mut rest) {
        None => Err(damaged(path, "its schema is not of the known form")),
        Some(levels) if levels > LEVELS_MAX => Err(Error::config(format!(
            "more nested levels than the limit limit={LEVELS_MAX} file={}",
            path.display()
        ))
        .hint("write the file again with columns that are nested less")),
        Some(_) => Ok(()),
    }
}

/// Counts the levels of the schema, up to one more than the limit; `None` when it is not one.
fn levels(rest: &mut Rest<'_>) -> Option<usize> {
    // The version, then the schema, as the format's numbers have them.
    (rest.byte()? == 0x10 | I32).then(|| rest.number())??;
    (rest.byte()? == 0x10 | LIST).then_some(())?;
    let header = rest.byte()?;
    (header & 0x0f == STRUCT).then_some(())?;
    let count = match header >> 4 {
        15 => rest.unsigned()?,
        few => few.into(),
    };
    // How many children of each open group are still to come.
    let mut open: Vec<u64> = Vec::new();
    let mut deepest = 0;
    for index in 0..count {
        if index > 0 {
            let due = open.last_mut()?;
            *due -= 1;
        }
        deepest = deepest.max(open.len() + 1);
        if deepest > LEVELS_MAX {
            return Some(deepest);
        }
        let children = u64::try_from(rest.element()?).ok()?;
        (children < count - index).then_some(())?;
        open.push(children);
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    open.is_empty().then_some(deepest)
}

/// The bytes that are still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn number(&mut self) -> Option<i32> {
        let number = i64::try_from(self.unsigned()?).ok()?;
        i32::try_from((number >> 1) ^ -(number & 1)).ok()
    }

    /// Reads an element, and returns how many children it has.
    fn element(&mut self) -> Option<i32> {
        let mut children = 0;
        self.parts(ELEMENT, &mut |field, number| {
            if field == CHILDREN {
                children = number;
            }
        })?;
        Some(children)
    }

    /// Reads a struct of these fields; tells the numbers in it, not those of its parts.
    fn parts(&mut self, known: &[(u8, Kind)], tell: &mut dyn FnMut(u8, i32)) -> Option<()> {
        let mut last = 0_u8;
        loop {
            let header = self.byte()?;
            let (step, ty) = (header >> 4, header & 0x0f);
            if ty == 0 {
                return Some(());
            }
            // A field that names its number in full is nothing that writers make of so few.
            (step > 0).then_some(())?;
            last = last.checked_add(step)?;
            let (_, kind) = known.iter().find(|(field, _)| *field == last)?;
            match (kind, ty) {
                (Kind::Number, I32) => tell(last, self.number()?),
                (Kind::Byte, BYTE) => self.byte().map(|_| ())?,
                (Kind::Flag, 1 | 2) => {}
                (Kind::Text, BINARY) => {
                    let bytes = usize::try_from(self.unsigned()?).ok()?;
                    self.0 = self.0.get(bytes..)?;
                }
                (Kind::Parts(inner), STRUCT) => self.parts(inner, &mut |_, _| ())?,
                _ => return None,
            }
        }
    }
}
