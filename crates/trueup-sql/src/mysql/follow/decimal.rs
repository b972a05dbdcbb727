//! The server's packed decimals.
//!
//! Nine digits take four bytes, fewer take as many as they need; the first bit says the sign, and a negative number has
//! all its bits the other way round. Invariant: the text is the one that the server prints.

use crate::mysql::decode::misfit;
use std::fmt::Write as _;
use std::io;

/// How many bytes so many digits take.
const PART_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/// The length of a decimal of so many digits, and of those behind the point.
pub(super) fn bytes(digits: usize, scale: usize) -> Option<usize> {
    let part = |digits: usize| Some(digits / 9 * 4 + PART_BYTES.get(digits % 9)?);
    Some(part(digits.checked_sub(scale)?)? + part(scale)?)
}

/// Writes a decimal as the server would.
pub(super) fn push(packed: &[u8], digits: usize, scale: usize, out: &mut String) -> io::Result<()> {
    let first = *packed.first().ok_or_else(misfit)?;
    let negative = first & 0x80 == 0;
    let flip = if negative { 0xff } else { 0 };
    let mut at = 0;
    let mut part = |count: usize| -> io::Result<u64> {
        let len = *PART_BYTES.get(count).ok_or_else(misfit)?;
        let bytes = packed.get(at..at + len).ok_or_else(misfit)?;
        let number = bytes.iter().enumerate().fold(0_u64, |sum, (n, &byte)| {
            let sign = if at + n == 0 { 0x80 } else { 0 };
            sum << 8 | u64::from(byte ^ flip ^ sign)
        });
        at += len;
        Ok(number)
    };
    let whole = digits.checked_sub(scale).ok_or_else(misfit)?;
    let mut text = String::new();
    for count in [whole % 9].into_iter().chain(vec![9; whole / 9]) {
        if count > 0 {
            write!(text, "{:0count$}", part(count)?).map_err(|_| misfit())?;
        }
    }
    let text = text.trim_start_matches('0');
    if negative {
        out.push('-');
    }
    out.push_str(if text.is_empty() { "0" } else { text });
    if scale > 0 {
        out.push('.');
    }
    for count in vec![9; scale / 9].into_iter().chain([scale % 9]) {
        if count > 0 {
            write!(out, "{:0count$}", part(count)?).map_err(|_| misfit())?;
        }
    }
    Ok(())
}
