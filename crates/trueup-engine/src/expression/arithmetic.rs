//! `+`, `-`, `*`, `/` and `%`: never rounded but between doubles, and never without bound.
//!
//! Decimals add and multiply exactly, with whole numbers and doubles too (a double is the shortest decimal that reads back
//! as it, so that `price * 1.19` means what it says); they do not divide, because most quotients have no end. `double(x)`
//! says that digits may be lost.

use super::convert;
use super::exact::Exact;
use super::functions::{Evaluated, mismatch};
use cel::ExecutionError;
use cel::common::types::{CelBytes, CelDouble, CelInt, CelList, CelString, CelUInt};
use cel::common::value::{CowVal, Val};
use std::cmp::Ordering;
use trueup_core::batch::Batch;
use trueup_core::decimal;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// The most bytes of text that one operation makes.
pub(super) const SUM_MAX: usize = 32 << 20;
/// The most elements that a list may have after a `+`.
const ELEMENTS_MAX: usize = 100_000;
/// The most digits that a decimal may have to be calculated with: a product takes time with their square.
const DIGITS_MAX: usize = 2_000;

/// `+`, as long as the sum is not too large.
pub(super) fn add<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [a, b] = args else {
        return Err(mismatch("+", args));
    };
    if let Some(sum) = exactly("+", a, b, Number::plus) {
        return sum;
    }
    let size = |value: &CowVal<'_, '_>| {
        let text = value.downcast_ref::<CelString<'_>>();
        let bytes = value.downcast_ref::<CelBytes<'_>>();
        let list = value.downcast_ref::<CelList<'_>>();
        let text = text.map(|text| text.inner().len());
        (
            text.or(bytes.map(|bytes| bytes.inner().len())).unwrap_or(0),
            list.map_or(0, |list| list.inner().len()),
        )
    };
    let ((bytes_a, list_a), (bytes_b, list_b)) = (size(a), size(b));
    if bytes_a + bytes_b > SUM_MAX || list_a + list_b > ELEMENTS_MAX {
        return Err(ExecutionError::function_error("+ (too large a sum)", ""));
    }
    finish("+", args, a.as_adder().map(|adder| adder.add(b.as_ref())))
}

pub(super) fn subtract<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [a, b] = args else {
        return Err(mismatch("-", args));
    };
    if let Some(difference) = exactly("-", a, b, |a, b| a.plus(b.negated())) {
        return difference;
    }
    finish("-", args, a.as_subtractor().map(|by| by.sub(b.as_ref())))
}

pub(super) fn multiply<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [a, b] = args else {
        return Err(mismatch("*", args));
    };
    if let Some(product) = exactly("*", a, b, |a, b| a.times(&b)) {
        return product;
    }
    finish("*", args, a.as_multiplier().map(|by| by.mul(b.as_ref())))
}

pub(super) fn divide<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [a, b] = args else {
        return Err(mismatch("/", args));
    };
    finish("/", args, a.as_divider().map(|by| by.div(b.as_ref())))
}

pub(super) fn remainder<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [a, b] = args else {
        return Err(mismatch("%", args));
    };
    finish("%", args, a.as_modder().map(|by| by.modulo(b.as_ref())))
}

pub(super) fn negate<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [a] = args else {
        return Err(mismatch("-", args));
    };
    if a.downcast_ref::<Exact>().is_some() {
        let Some(number) = Number::of(a.as_ref()) else {
            return Err(mismatch("-", args));
        };
        return Ok(CowVal::owned(number.negated().exact()));
    }
    let Some(negator) = a.as_negator() else {
        return Err(mismatch("-", args));
    };
    match negator.negate() {
        Ok(value) => Ok(CowVal::Owned(value)),
        Err(error @ ExecutionError::Overflow(..)) => Err(error),
        Err(_) => Err(mismatch("-", args)),
    }
}

/// The interpreter's errors about types hold values; these do not.
fn finish<'b, 'v>(
    operator: &str,
    args: &[CowVal<'b, 'v>],
    result: Option<Evaluated<'_, 'v>>,
) -> Evaluated<'b, 'v> {
    match result {
        Some(Ok(value)) => Ok(CowVal::Owned(value.into_owned())),
        Some(Err(
            error @ (ExecutionError::Overflow(..)
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)),
        )) => Err(error),
        _ => Err(mismatch(operator, args)),
    }
}

/// Calculates with decimals; `None` when neither is one.
fn exactly<'b, 'v>(
    operator: &str,
    a: &CowVal<'_, '_>,
    b: &CowVal<'_, '_>,
    calculate: impl FnOnce(Number, Number) -> Number,
) -> Option<Evaluated<'b, 'v>> {
    let is_decimal =
        |value: &CowVal<'_, '_>| matches!(value.downcast_ref::<Exact>(), Some(Exact::Decimal(_)));
    if !is_decimal(a) && !is_decimal(b) {
        return None;
    }
    let (Some(x), Some(y)) = (Number::of(a.as_ref()), Number::of(b.as_ref())) else {
        return Some(Err(mismatch(operator, &[a.clone(), b.clone()])));
    };
    if x.digits.len() > DIGITS_MAX || y.digits.len() > DIGITS_MAX {
        let what = format!("{operator} (too many digits)");
        return Some(Err(ExecutionError::function_error(&what, "")));
    }
    Some(Ok(CowVal::owned(calculate(x, y).exact())))
}

/// A decimal as digits, the last one first.
struct Number {
    negative: bool,
    digits: Vec<u8>,
    /// Digits behind the point.
    scale: usize,
}

impl Number {
    fn of(value: &dyn Val) -> Option<Self> {
        let spelled: String;
        let text: &str = if let Some(Exact::Decimal(text)) = value.downcast_ref::<Exact>() {
            text
        } else if let Some(int) = value.downcast_ref::<CelInt>() {
            spelled = int.inner().to_string();
            &spelled
        } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
            spelled = uint.inner().to_string();
            &spelled
        } else if value.downcast_ref::<CelDouble>().is_some() {
            let mut batch = Batch::new(1);
            convert::push(value, Type::DECIMAL, &mut batch).ok()?;
            let Value::Decimal(text) = batch.record(0).value(0) else {
                return None;
            };
            spelled = text.to_owned();
            &spelled
        } else {
            return None;
        };
        match decimal::parts(text)? {
            decimal::Parts::NaN | decimal::Parts::Infinite(_) => return None,
            decimal::Parts::Zero | decimal::Parts::Finite { .. } => {}
        }
        let scale = text.find('.').map_or(0, |point| text.len() - point - 1);
        let digits = text.bytes().rev().filter(u8::is_ascii_digit);
        Some(Self {
            negative: text.starts_with('-'),
            digits: digits.map(|digit| digit - b'0').collect(),
            scale,
        })
    }

    fn negated(mut self) -> Self {
        self.negative = !self.negative;
        self
    }

    /// Spreads the digits so that there are `scale` behind the point and `len` in all.
    fn spread(&mut self, scale: usize, len: usize) {
        let zeros = vec![0; scale - self.scale];
        self.digits.splice(0..0, zeros);
        self.digits.resize(len, 0);
        self.scale = scale;
    }

    fn plus(mut self, mut other: Self) -> Self {
        let scale = self.scale.max(other.scale);
        let whole = |number: &Self| number.digits.len() - number.scale;
        let len = scale + whole(&self).max(whole(&other)) + 1;
        self.spread(scale, len);
        other.spread(scale, len);
        if self.negative == other.negative {
            let mut carry = 0;
            for (digit, more) in self.digits.iter_mut().zip(&other.digits) {
                let sum = *digit + more + carry;
                (*digit, carry) = (sum % 10, sum / 10);
            }
            return self;
        }
        let larger = |a: &Self, b: &Self| a.digits.iter().rev().cmp(b.digits.iter().rev());
        if larger(&self, &other) == Ordering::Less {
            std::mem::swap(&mut self, &mut other);
        }
        let mut borrowed = 0;
        for (digit, less) in self.digits.iter_mut().zip(&other.digits) {
            let wanted = less + borrowed;
            borrowed = u8::from(*digit < wanted);
            *digit = *digit + 10 * borrowed - wanted;
        }
        self
    }

    fn times(self, other: &Self) -> Self {
        let mut sums = vec![0_u32; self.digits.len() + other.digits.len() + 1];
        for (at, &a) in self.digits.iter().enumerate() {
            for (beside, &b) in other.digits.iter().enumerate() {
                // At most DIGITS_MAX times 81.
                sums[at + beside] += u32::from(a) * u32::from(b);
            }
        }
        let mut carry = 0;
        let digits = sums.into_iter().map(|sum| {
            let sum = sum + carry;
            carry = sum / 10;
            u8::try_from(sum % 10).unwrap_or(0)
        });
        Self {
            negative: self.negative != other.negative,
            digits: digits.collect(),
            scale: self.scale + other.scale,
        }
    }

    fn exact(&self) -> Exact {
        let mut text = String::with_capacity(self.digits.len() + 2);
        let (behind, whole) = self.digits.split_at(self.scale.min(self.digits.len()));
        let zero = self.digits.iter().all(|&digit| digit == 0);
        if self.negative && !zero {
            text.push('-');
        }
        let digit = |digit: &u8| char::from(b'0' + digit);
        let mut front = whole
            .iter()
            .rev()
            .skip_while(|digit| **digit == 0)
            .peekable();
        if front.peek().is_none() {
            text.push('0');
        }
        text.extend(front.map(digit));
        if !behind.is_empty() {
            text.push('.');
            text.extend(behind.iter().rev().map(digit));
        }
        Exact::Decimal(text.into())
    }
}
