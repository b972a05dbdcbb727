//! The server's days and moments, which begin in 2000, as ours, which begin in 1970.

use trueup_core::calendar;
use trueup_core::value::Value;

/// Microseconds and days from 1970-01-01 to 2000-01-01, PostgreSQL's own beginning.
pub(in crate::postgres) const EPOCH_US: i64 = 946_684_800_000_000;
pub(in crate::postgres) const EPOCH_DAYS: i32 = 10_957;
/// The calendar repeats itself after 400 years, to the day.
pub(in crate::postgres) const ERA_US: i64 = 146_097 * 86_400 * 1_000_000;

/// Days since 2000 to days since 1970; the infinities are the ends of both ranges.
pub(super) fn date(days: i32) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        _ => days
            .checked_add(EPOCH_DAYS)
            .filter(|&days| days != i32::MAX),
    }
}

/// Microseconds since 2000 to microseconds since 1970; the infinities are the ends of both ranges.
pub(in crate::postgres) fn micros(us: i64) -> Option<i64> {
    match us {
        i64::MIN | i64::MAX => Some(us),
        _ => us.checked_add(EPOCH_US).filter(|&us| us != i64::MAX),
    }
}

/// A timestamp, or the text of one that is too late.
pub(in crate::postgres) fn moment(server: i64, zoned: bool, scratch: &mut String) -> Value<'_> {
    match micros(server) {
        Some(us) if zoned => Value::Instant(us),
        Some(us) => Value::Timestamp(us),
        None => {
            too_late(server, zoned, scratch);
            Value::Text(scratch)
        }
    }
}

/// Spells a timestamp of the server's last 29 years, which lie beyond what 64 bits of microseconds since 1970 reach: a
/// text is what is left, and whoever needs a timestamp puts the record aside.
fn too_late(server: i64, zoned: bool, out: &mut String) {
    let earlier = server - ERA_US + EPOCH_US;
    let mut text = String::new();
    if zoned {
        calendar::format_instant(earlier, &mut text);
    } else {
        calendar::format_timestamp(earlier, &mut text);
    }
    out.clear();
    let (year, rest) = text.split_once('-').unwrap_or((&text, ""));
    let year: i64 = year.parse().unwrap_or_default();
    out.push_str(&format!("{}-{rest}", year + 400));
}
