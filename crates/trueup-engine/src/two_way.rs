//! What answers the conflicts of two-way links: expressions, merge programs, fresh keys; and the check against rings.

#![cfg_attr(not(test), expect(dead_code, reason = "the two-way journey calls it"))]

pub(crate) mod expression;
pub(crate) mod fresh_key;
pub(crate) mod merge_text;
pub(crate) mod ring;
