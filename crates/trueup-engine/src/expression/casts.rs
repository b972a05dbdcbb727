//! The functions that make a value of one type from one of another: exactly, or not at all.
//!
//! They are the casts of mappings ([`trueup_core::cast`]), and NULL stays NULL. CEL's own `int(2.5)` is 2; here it has
//! no answer. Only `double(x)` may lose digits: that is what it is for.

use super::convert;
use super::exact::Exact;
use super::functions::{Evaluated, mismatch};
use cel::ExecutionError;
use cel::common::functions::Function;
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelNull, CelString, CelUInt, DYN_TYPE, Type as CelType,
};
use cel::common::value::CowVal;
use trueup_core::batch::Batch;
use trueup_core::types::Type;
use trueup_core::value::Value;

const UINT: Type = Type::Int {
    bits: 64,
    signed: false,
};

/// Adds the functions by `add`.
pub(super) fn declare(add: &mut impl FnMut(&str, &[&CelType], Function)) {
    let any = &DYN_TYPE;
    add("@int", &[any], |args| make("int", Type::INT, &args));
    add("@uint", &[any], |args| uint(&args));
    add("@double", &[any], |args| double(&args));
    add("@bool", &[any], |args| make("bool", Type::Bool, &args));
    add("@string", &[any], |args| string(&args));
    add("@bytes", &[any], |args| bytes(&args));
    add("@timestamp", &[any], |args| timestamp(&args));
    add("decimal", &[any], |args| {
        make("decimal", Type::DECIMAL, &args)
    });
    add("date", &[any], |args| make("date", Type::Date, &args));
    add("time", &[any], |args| make("time", Type::Time, &args));
    add("uuid", &[any], |args| make("uuid", Type::Uuid, &args));
}

fn failed(name: &str) -> ExecutionError {
    ExecutionError::function_error(name, "")
}

/// Makes a value of a type of one that casts to it exactly.
fn make<'b, 'v>(name: &str, ty: Type, args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let mut batch = Batch::new(1);
    let value = args.first().ok_or_else(|| failed(name))?;
    convert::push(value.as_ref(), ty, &mut batch).map_err(|_| failed(name))?;
    Ok(match batch.record(0).value(0) {
        Value::Null => CowVal::owned(CelNull),
        Value::Bool(v) => CowVal::owned(CelBool::from(v)),
        Value::Int(v) => CowVal::owned(CelInt::from(v)),
        Value::Float(v) => CowVal::owned(CelDouble::from(v)),
        Value::Text(v) => CowVal::owned(CelString::from(v.to_owned())),
        value => CowVal::owned(Exact::of(value).ok_or_else(|| failed(name))?),
    })
}

fn uint<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let mut batch = Batch::new(1);
    let value = args.first().ok_or_else(|| failed("uint"))?;
    convert::push(value.as_ref(), UINT, &mut batch).map_err(|_| failed("uint"))?;
    let made = match batch.record(0).value(0) {
        Value::Null => return Ok(CowVal::owned(CelNull)),
        Value::Int(v) => u64::try_from(v).ok(),
        // What is too large for a signed number stands as a decimal.
        Value::Decimal(v) => v.parse().ok(),
        _ => None,
    };
    made.map(|made| CowVal::owned(CelUInt::from(made)))
        .ok_or_else(|| failed("uint"))
}

fn double<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let value = args.first().ok_or_else(|| failed("double"))?;
    let nearest = if let Some(int) = value.downcast_ref::<CelInt>() {
        Some(*int.inner() as f64)
    } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
        Some(*uint.inner() as f64)
    } else if let Some(Exact::Decimal(digits)) = value.downcast_ref::<Exact>() {
        digits.parse().ok()
    } else {
        None
    };
    match nearest {
        Some(nearest) => Ok(CowVal::owned(CelDouble::from(nearest))),
        None => make("double", Type::FLOAT, args),
    }
}

/// Bytes are the text's UTF-8, both ways, as in CEL.
fn string<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let bytes = args.first().and_then(|v| v.downcast_ref::<CelBytes<'_>>());
    match bytes {
        Some(bytes) => {
            let text = std::str::from_utf8(bytes.inner()).map_err(|_| failed("string"))?;
            Ok(CowVal::owned(CelString::from(text.to_owned())))
        }
        None => make("string", Type::TEXT, args),
    }
}

fn bytes<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let value = args.first().ok_or_else(|| failed("bytes"))?;
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        let bytes = text.inner().as_bytes().to_vec();
        return Ok(CowVal::owned(CelBytes::from(bytes)));
    }
    let same = value.downcast_ref::<CelBytes<'_>>().is_some();
    if same || value.downcast_ref::<CelNull>().is_some() {
        return Ok(value.clone());
    }
    Err(mismatch("bytes", args))
}

/// With a zone it is a point in time, without one it is none.
fn timestamp<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let value = args.first().ok_or_else(|| failed("timestamp"))?;
    if let Some(Exact::Instant(_)) = value.downcast_ref::<Exact>() {
        return Ok(value.clone());
    }
    if value.downcast_ref::<CelString<'_>>().is_some()
        && let Ok(instant) = make("timestamp", Type::Instant, args)
    {
        return Ok(instant);
    }
    make("timestamp", Type::Timestamp, args)
}
