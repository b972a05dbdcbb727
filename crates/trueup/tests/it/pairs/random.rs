//! Generated values, in a spelling that all engines read.

use crate::support::Dice;

/// Whole numbers between two bounds, more of them near the ends and near nothing.
pub(super) fn int(dice: &mut Dice, low: i128, high: i128) -> String {
    let span = u64::try_from(high - low).unwrap_or(u64::MAX);
    let at = match dice.below(8) {
        0 => low + i128::from(dice.below(span.min(3))),
        1 => high - i128::from(dice.below(span.min(3))),
        2 => i128::from(dice.below(10)),
        // The magnitudes are dealt evenly.
        _ => {
            let bits = u32::try_from(dice.below(64)).unwrap_or(0);
            let size = i128::from(dice.below(u64::MAX) >> bits);
            if low < 0 && dice.below(2) == 0 {
                -size
            } else {
                size
            }
        }
    };
    at.clamp(low, high).to_string()
}

/// A decimal of so many digits, some of them behind the point.
pub(super) fn decimal(dice: &mut Dice, digits_max: u64, scale_max: u64) -> String {
    let digits = 1 + dice.below(digits_max);
    let scale = dice.below(scale_max.min(digits) + 1);
    let mut text = String::new();
    if dice.below(2) == 0 {
        text.push('-');
    }
    let whole = digits - scale;
    if whole == 0 {
        text.push('0');
    }
    for at in 0..digits {
        if at == whole {
            text.push('.');
        }
        let all = [b'0', b'9', b'1' + u8::try_from(dice.below(9)).unwrap_or(0)];
        let first = at == 0 && whole > 1;
        let digit = if first { 2 } else { dice.below(3) };
        text.push(char::from(all[usize::try_from(digit).unwrap_or(2)]));
    }
    text
}

/// Any finite double, and often one with few digits.
pub(super) fn float(dice: &mut Dice) -> String {
    loop {
        let value = match dice.below(3) {
            0 => (dice.below(2_000_000) as f64 - 1_000_000.0) / 100.0,
            1 => dice.below(u64::MAX) as f64,
            _ => f64::from_bits(dice.below(u64::MAX)),
        };
        if value.is_finite() {
            return format!("{value:e}");
        }
    }
}

/// Any finite float of 32 bits.
pub(super) fn narrow(dice: &mut Dice) -> String {
    loop {
        let value = match dice.below(2) {
            0 => (dice.below(2_000_000) as f32 - 1_000_000.0) / 100.0,
            _ => f32::from_bits(u32::try_from(dice.below(1 << 32)).unwrap_or(0)),
        };
        if value.is_finite() {
            return format!("{value:e}");
        }
    }
}

/// What a text may be made of: what delimits, escapes, folds, combines, sorts or counts otherwise somewhere.
const PIECES: [&str; 44] = [
    "a",
    "A",
    "á",
    "a\u{301}",
    "ß",
    "ss",
    "İ",
    "ı",
    "Σ",
    "ς",
    "日本",
    "😀",
    "👨\u{200d}👩\u{200d}👧",
    "\u{feff}",
    "\u{200b}",
    "\u{fffd}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{7f}",
    "\u{1}",
    "\u{1b}",
    "\u{85}",
    "\u{2028}",
    " ",
    "  ",
    "\u{a0}",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\\",
    "\\N",
    "\\.",
    "'",
    "''",
    "\"",
    "\"\"",
    ",",
    ";",
    "|",
    "NULL",
    "0",
    "-",
    "%s $1 ? :a",
];

/// A text of at most so many characters.
pub(super) fn text(dice: &mut Dice, chars_max: usize) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(12) {
        let piece = PIECES[usize::try_from(dice.below(PIECES.len() as u64)).unwrap_or(0)];
        text.push_str(piece);
    }
    text.chars().take(chars_max).collect()
}

/// As [`text`], of characters that one byte holds.
pub(super) fn latin(dice: &mut Dice, chars_max: usize) -> String {
    let text = text(dice, chars_max);
    text.chars()
        .filter(|&c| c < '\u{7f}' || ('\u{a0}'..'\u{100}').contains(&c))
        .collect()
}

pub(super) fn bytes(dice: &mut Dice, bytes_max: u64) -> Vec<u8> {
    let odd = [0, 0x0a, 0x0d, 0x1a, 0x22, 0x27, 0x5c, 0x80, 0xff];
    (0..dice.below(bytes_max + 1))
        .map(|_| match dice.below(2) {
            0 => odd[usize::try_from(dice.below(9)).unwrap_or(0)],
            _ => u8::try_from(dice.below(256)).unwrap_or(0),
        })
        .collect()
}

pub(super) fn date(dice: &mut Dice) -> String {
    let year = match dice.below(4) {
        0 => 1 + dice.below(9999),
        _ => 1900 + dice.below(200),
    };
    let (month, day) = (1 + dice.below(12), 1 + dice.below(28));
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time of day with a fraction of so many digits.
pub(super) fn time(dice: &mut Dice, digits: usize) -> String {
    let (hour, minute, second) = (dice.below(24), dice.below(60), dice.below(60));
    let micros = match dice.below(3) {
        0 => 0,
        1 => dice.below(1000) * 1000,
        _ => dice.below(1_000_000),
    };
    let fraction = format!("{micros:06}");
    let point = if digits > 0 { "." } else { "" };
    format!(
        "{hour:02}:{minute:02}:{second:02}{point}{}",
        &fraction[..digits]
    )
}

pub(super) fn timestamp(dice: &mut Dice, digits: usize) -> String {
    format!("{} {}", date(dice), time(dice, digits))
}

pub(super) fn uuid(dice: &mut Dice) -> String {
    let (a, b) = (dice.below(u64::MAX), dice.below(u64::MAX));
    let all = format!("{a:016x}{b:016x}");
    let parts = [
        &all[..8],
        &all[8..12],
        &all[12..16],
        &all[16..20],
        &all[20..],
    ];
    parts.join("-")
}

/// A JSON text without a name twice and, unless `odd`, without `\u0000`.
pub(super) fn json(dice: &mut Dice, depth: u64) -> String {
    match dice.below(if depth == 0 { 5 } else { 7 }) {
        0 => ["null", "true", "false"][usize::try_from(dice.below(3)).unwrap_or(0)].to_owned(),
        1 => int(dice, i128::from(i64::MIN), i128::from(u64::MAX)),
        2 => decimal(dice, 30, 15),
        3 => float(dice),
        4 => serde_json::to_string(&text(dice, 20)).unwrap(),
        5 => {
            let list: Vec<String> = (0..dice.below(4)).map(|_| json(dice, depth - 1)).collect();
            format!("[{}]", list.join(", "))
        }
        _ => {
            let member = |at, dice: &mut Dice| {
                let name = serde_json::to_string(&format!("{}{at}", text(dice, 5))).unwrap();
                format!("{name}: {}", json(dice, depth - 1))
            };
            let members: Vec<String> = (0..dice.below(4)).map(|at| member(at, dice)).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}
