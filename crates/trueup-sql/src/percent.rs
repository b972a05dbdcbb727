//! Percent-encoding in addresses (RFC 3986).
//!
//! Says only what is wrong: what is taken apart may be a password, so the caller words the error without it.

/// Why a text does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// A percent sign that two hex digits do not follow.
    Escape,
    /// The bytes are not UTF-8.
    Utf8,
}

/// Undoes percent-encoding; nothing is guessed.
pub(crate) fn decode(text: &str) -> Result<String, Wrong> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let escaped = digit()
            .zip(digit())
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(escaped.ok_or(Wrong::Escape)?);
    }
    String::from_utf8(bytes).map_err(|_| Wrong::Utf8)
}

/// Percent-encodes these signs, spaces and control characters, so that [`decode`] gives the text back.
pub(crate) fn encode(text: &str, signs: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        if ch.is_ascii() && (signs.contains(ch) || ch == ' ' || ch.is_ascii_control()) {
            out.push_str(&format!("%{:02X}", u32::from(ch)));
        } else {
            out.push(ch);
        }
    }
    out
}
