//! Values at the ends of a type that not every engine holds: a NaN, a date before the year 1, a zero byte in a text.
//!
//! Two engines may call a type by the same name and differ in these. A field says which of them it can hold; what the
//! source can hold and the target cannot is parked when it comes, and the [lattice](crate::lattice) says so before a
//! value moves. Invariant, held by the tests of pairs of engines: nothing else of a type that fits is parked.
//!
//! It deliberately says nothing of what a schema itself forbids (checks, references), nor of how long a value may be.

use crate::types::Type;
use std::ops::{BitAnd, BitOr, Sub};

/// A set of kinds of such values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extremes(u32);

impl Extremes {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// NaN.
    pub const NAN: Self = Self(1);
    /// The infinite numbers.
    pub const INFINITE: Self = Self(1 << 1);
    /// Texts with a zero byte.
    pub const ZERO_BYTES: Self = Self(1 << 2);
    /// Texts beyond those that a field's type takes: labels, addresses.
    pub const FREE_TEXTS: Self = Self(1 << 3);
    /// Days outside the years 1 to 9999, and the infinite ones.
    pub const FAR_DAYS: Self = Self(1 << 4);
    /// Moments outside the seconds of 32 bits, 1970 to 2038.
    pub const FAR_MOMENTS: Self = Self(1 << 5);
    /// The null of JSON, beside NULL.
    pub const JSON_NULLS: Self = Self(1 << 6);
    /// Bytes among values of any class.
    pub const LOOSE_BYTES: Self = Self(1 << 7);
    /// Moments after the year 294246, which 64 bits of microseconds since 1970 do not reach.
    pub const LAST_YEARS: Self = Self(1 << 8);
    /// Dates that no calendar has, of zeros.
    pub const NO_DAYS: Self = Self(1 << 9);
    /// Times below zero or beyond a day.
    pub const SPANS: Self = Self(1 << 10);
    /// Numbers other than 0 and 1 for truth values.
    pub const OTHER_TRUTHS: Self = Self(1 << 11);
    /// JSON with a name twice in one object, or nested too deep.
    pub const ODD_JSON: Self = Self(1 << 12);
    /// Values of other classes than the type's.
    pub const OTHER_CLASSES: Self = Self(1 << 13);
    /// Texts that are not valid UTF-8.
    pub const BROKEN_TEXTS: Self = Self(1 << 14);

    /// UUIDs of other variants than the usual one.
    pub const ODD_UUIDS: Self = Self(1 << 15);

    /// What any field may hold whose engine says nothing else.
    pub const COMMON: Self = Self(0xff | 1 << 15);

    /// What a file of JSON can spell: it has no such numbers, a null that is NULL, and no bytes that say what they are.
    pub const MARKED: Self = Self(
        Self::COMMON.0
            & !(Self::NAN.0 | Self::INFINITE.0 | Self::JSON_NULLS.0 | Self::LOOSE_BYTES.0),
    );

    /// Returns what fields of a type hold unless their engine says otherwise.
    pub const fn of(ty: Type) -> Self {
        match ty {
            Type::Any => Self::COMMON,
            Type::Float { .. } | Type::Decimal { size: None } => {
                Self(Self::NAN.0 | Self::INFINITE.0)
            }
            Type::Decimal { .. } => Self::NAN,
            Type::Text { .. } => Self(Self::ZERO_BYTES.0 | Self::FREE_TEXTS.0),
            Type::Date | Type::Timestamp => Self::FAR_DAYS,
            Type::Instant => Self(Self::FAR_DAYS.0 | Self::FAR_MOMENTS.0),
            Type::Json => Self(Self::JSON_NULLS.0 | Self::ZERO_BYTES.0),
            Type::Uuid => Self::ODD_UUIDS,
            Type::Bool | Type::Int { .. } | Type::Bytes { .. } | Type::Time => Self::NONE,
        }
    }

    /// Returns those that a field compared in this type would have to hold.
    pub(crate) fn that_matter(ty: Type) -> Self {
        let own = match ty {
            Type::Any => return Self::NAN | Self::INFINITE | Self::LOOSE_BYTES | Self::JSON_NULLS,
            Type::Float { .. } | Type::Decimal { .. } => Self::NAN | Self::INFINITE,
            Type::Text { .. } => {
                Self::ZERO_BYTES | Self::FREE_TEXTS | Self::BROKEN_TEXTS | Self::ODD_JSON
            }
            Type::Date => Self::FAR_DAYS | Self::NO_DAYS,
            Type::Timestamp => Self::FAR_DAYS | Self::NO_DAYS | Self::LAST_YEARS,
            Type::Instant => Self::FAR_DAYS | Self::NO_DAYS | Self::LAST_YEARS | Self::FAR_MOMENTS,
            Type::Time => Self::SPANS,
            Type::Bool => Self::OTHER_TRUTHS,
            Type::Json => Self::JSON_NULLS | Self::ODD_JSON | Self::ZERO_BYTES,
            Type::Uuid => Self::ODD_UUIDS,
            Type::Int { .. } | Type::Bytes { .. } => Self::NONE,
        };
        own | Self::OTHER_CLASSES
    }

    /// Tells whether there are none.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Says which values fit where these do not.
    pub fn note(self) -> String {
        let mut left = self;
        let mut said = Vec::new();
        for &(kinds, note) in NOTES {
            if !(kinds & left).is_none() && (kinds - self).is_none() {
                said.push(note);
                left = left - kinds;
            }
        }
        said.join("; ")
    }
}

/// What is left without these; those that say more stand first.
const NOTES: &[(Extremes, &str)] = &[
    (Extremes(1 << 13 | 1 << 14), "values of the declared type"),
    (Extremes::OTHER_CLASSES, "values of the declared type"),
    (Extremes(0b1100), "texts that the type takes"),
    (Extremes(0b11), "finite numbers"),
    (Extremes::NAN, "numbers but NaN"),
    (Extremes::INFINITE, "numbers but the infinite ones"),
    (Extremes(0b1_0011_0000), "moments from 1970 to 2038"),
    (Extremes(0b11_0000), "moments from 1970 to 2038"),
    (Extremes::FAR_MOMENTS, "moments from 1970 to 2038"),
    (Extremes(0b1_0001_0000), "days of the years 1 to 9999"),
    (Extremes::FAR_DAYS, "days of the years 1 to 9999"),
    (Extremes::LAST_YEARS, "moments before the year 294247"),
    (Extremes::NO_DAYS, "days that the calendar has"),
    (Extremes::SPANS, "times of a day"),
    (Extremes::OTHER_TRUTHS, "the numbers 0 and 1"),
    (Extremes::FREE_TEXTS, "texts that the type takes"),
    (Extremes::ZERO_BYTES, "texts without a zero byte"),
    (Extremes::BROKEN_TEXTS, "texts in UTF-8"),
    (
        Extremes::ODD_JSON,
        "JSON without a name twice in one object, not nested too deep",
    ),
    (Extremes::JSON_NULLS, "JSON but its null"),
    (Extremes::LOOSE_BYTES, "values but bytes"),
    (Extremes::ODD_UUIDS, "UUIDs that the type takes"),
];

impl BitOr for Extremes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Extremes {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Extremes {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Extremes;

    #[test]
    fn what_fits_is_said_once() {
        for (missing, said) in [
            (Extremes::NAN | Extremes::INFINITE, "finite numbers"),
            (Extremes::NAN, "numbers but NaN"),
            (
                Extremes::FAR_DAYS | Extremes::FAR_MOMENTS | Extremes::LAST_YEARS,
                "moments from 1970 to 2038",
            ),
            (
                Extremes::OTHER_CLASSES | Extremes::FAR_DAYS,
                "values of the declared type; days of the years 1 to 9999",
            ),
            (
                Extremes::OTHER_CLASSES
                    | Extremes::BROKEN_TEXTS
                    | Extremes::FREE_TEXTS
                    | Extremes::ZERO_BYTES,
                "values of the declared type; texts that the type takes",
            ),
        ] {
            assert_eq!(missing.note(), said);
        }
        for bit in 0..16 {
            assert!(!Extremes(1 << bit).note().is_empty(), "{bit}");
        }
    }
}
