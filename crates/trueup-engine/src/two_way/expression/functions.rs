//! The functions and operators of expressions that are ours, and what is said when one fails.
//!
//! The interpreter's errors hold values; [`reason`] keeps names and classes only.

use super::check::ELEMENTS;
use super::convert;
use super::exact::{self, Exact};
use cel::common::functions::Function;
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
    DYN_TYPE, STRING_TYPE, Type as CelType,
};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};
use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};
use trueup_core::batch::Batch;
use trueup_core::text;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// The most bytes of text, or elements of a list, that one `+` makes.
pub(super) const SUM_MAX: usize = 32 << 20;
/// The most elements that a list may have after a `+`.
pub(super) const ELEMENTS_MAX: usize = 100_000;

type Evaluated<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(build()));

/// Returns the functions of every expression.
pub(super) fn environment() -> Arc<Env> {
    Arc::clone(&ENVIRONMENT)
}

fn build() -> Env {
    let mut env = Env::stdlib().with_optional_support(false);
    let mut add = |name: &str, arguments: &[&CelType], function: Function| {
        let types = arguments.iter().map(|&ty| ToOwned::to_owned(ty)).collect();
        let names: Vec<&str> = arguments.iter().map(|ty| ty.name()).collect();
        let id = format!("{name}({})", names.join(","));
        env.add_overload(name, &id, types, function)
            .expect("no name and signature is declared twice");
    };
    let any = &DYN_TYPE;
    add("@equal", &[any, any], |args| {
        Ok(truth(equal(&args[0], &args[1])?))
    });
    add("@differ", &[any, any], |args| {
        Ok(truth(!equal(&args[0], &args[1])?))
    });
    add("@less", &[any, any], |args| {
        Ok(truth(order("<", &args)?.is_lt()))
    });
    add("@less_or_equal", &[any, any], |args| {
        Ok(truth(order("<=", &args)?.is_le()))
    });
    add("@greater", &[any, any], |args| {
        Ok(truth(order(">", &args)?.is_gt()))
    });
    add("@greater_or_equal", &[any, any], |args| {
        Ok(truth(order(">=", &args)?.is_ge()))
    });
    add("@within", &[any, any], |args| within(&args));
    add("@add", &[any, any], |args| sum(&args));
    add(ELEMENTS, &[any], elements);
    add("manual", &[], |_| {
        Err(ExecutionError::function_error(MANUAL, ""))
    });
    add("decimal", &[any], |args| {
        make("decimal", Type::DECIMAL, &args)
    });
    add("date", &[any], |args| make("date", Type::Date, &args));
    add("time", &[any], |args| make("time", Type::Time, &args));
    add("uuid", &[any], |args| make("uuid", Type::Uuid, &args));
    add("timestamp", &[&STRING_TYPE], |args| {
        // With a zone it is a point in time, without one it is none.
        make("timestamp", Type::Instant, &args)
            .or_else(|_| make("timestamp", Type::Timestamp, &args))
    });
    for ty in [
        &exact::DECIMAL,
        &exact::DATE,
        &exact::TIME,
        &exact::TIMESTAMP,
        &exact::INSTANT,
        &exact::UUID,
    ] {
        add("string", &[ty], |args| spell(&args));
    }
    add("double", &[&exact::DECIMAL], |args| double(&args));
    add("int", &[&exact::DECIMAL], |args| integer(&args));
    env
}

/// The name by which an expression that leaves a conflict open on purpose is known.
const MANUAL: &str = "manual";

fn truth<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::owned(CelBool::from(value))
}

fn mismatch(function: &str, args: &[CowVal<'_, '_>]) -> ExecutionError {
    let types = args.iter().map(|arg| arg.get_type().name().to_owned());
    ExecutionError::no_such_overload(function, types.collect())
}

fn equal(a: &CowVal<'_, '_>, b: &CowVal<'_, '_>) -> Result<bool, ExecutionError> {
    let is_null = |value: &CowVal<'_, '_>| {
        value.downcast_ref::<CelNull>().is_some()
            || matches!(value.downcast_ref::<Exact>(), Some(Exact::JsonNull))
    };
    if is_null(a) || is_null(b) {
        return Ok(is_null(a) && is_null(b));
    }
    let order = match (a.downcast_ref::<Exact>(), b.downcast_ref::<Exact>()) {
        (Some(exact), _) => exact.order(b.as_ref()),
        (None, Some(exact)) => exact.order(a.as_ref()),
        (None, None) => match mixed(a.as_ref(), b.as_ref()) {
            Some(order) => return Ok(order == Some(Ordering::Equal)),
            None => return Ok(a.equals(b.as_ref())),
        },
    };
    order
        .map(Ordering::is_eq)
        .ok_or_else(|| mismatch("==", &[a.clone(), b.clone()]))
}

fn order(operator: &str, args: &[CowVal<'_, '_>]) -> Result<Ordering, ExecutionError> {
    let [a, b] = args else {
        return Err(mismatch(operator, args));
    };
    let order = match (a.downcast_ref::<Exact>(), b.downcast_ref::<Exact>()) {
        (Some(exact), _) => exact.order(b.as_ref()),
        (None, Some(exact)) => exact.order(a.as_ref()).map(Ordering::reverse),
        (None, None) => mixed(a.as_ref(), b.as_ref()).unwrap_or_else(|| {
            let comparer = a.as_comparer();
            comparer.and_then(|comparer| comparer.compare(b.as_ref()).ok())
        }),
    };
    order.ok_or_else(|| mismatch(operator, args))
}

/// Orders a whole number and a double exactly; the interpreter rounds the whole number first. `None` for anything else,
/// and nothing within for what has no order.
fn mixed(a: &dyn Val, b: &dyn Val) -> Option<Option<Ordering>> {
    let whole = |value: &dyn Val| {
        let int = value.downcast_ref::<CelInt>();
        let int = int.map(|int| i128::from(*int.inner()));
        int.or_else(|| {
            let uint = value.downcast_ref::<CelUInt>();
            uint.map(|uint| i128::from(*uint.inner()))
        })
    };
    let double = |value: &dyn Val| {
        value
            .downcast_ref::<CelDouble>()
            .map(|double| *double.inner())
    };
    let order = |whole: i128, double: f64| {
        // A cast of a double to an integer stops at the ends of the range, far beyond any 64 bits.
        let floor = double.floor();
        let fraction = if double > floor {
            Ordering::Less
        } else {
            Ordering::Equal
        };
        (!double.is_nan()).then(|| whole.cmp(&(floor as i128)).then(fraction))
    };
    match (whole(a), double(b), double(a), whole(b)) {
        (Some(a), Some(b), ..) => Some(order(a, b)),
        (.., Some(a), Some(b)) => Some(order(b, a).map(Ordering::reverse)),
        _ => None,
    }
}

/// `value in list`, with the equality above; `key in map`.
fn within<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [value, container] = args else {
        return Err(mismatch("in", args));
    };
    if let Some(list) = container.downcast_ref::<CelList<'_>>() {
        for element in list.inner() {
            if equal(value, &CowVal::Borrowed(element.as_ref()))? {
                return Ok(truth(true));
            }
        }
        return Ok(truth(false));
    }
    let container = container.as_container();
    match container.map(|container| container.contains(value.as_ref())) {
        Some(Ok(found)) => Ok(truth(found)),
        _ => Err(mismatch("in", args)),
    }
}

/// `+`, as long as the sum is not too large.
fn sum<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let [a, b] = args else {
        return Err(mismatch("+", args));
    };
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
    let sum = a.as_adder().map(|adder| adder.add(b.as_ref()));
    match sum {
        Some(Ok(sum)) => Ok(CowVal::Owned(sum.into_owned())),
        Some(Err(error @ ExecutionError::Overflow(..))) => Err(error),
        _ => Err(mismatch("+", args)),
    }
}

/// What a loop walks over, in an order that is always the same: a list as it is, a map's keys sorted.
fn elements<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Evaluated<'b, 'v> {
    let Some(range) = args.first() else {
        return Err(mismatch("for each", &args));
    };
    if let Some(map) = range.downcast_ref::<CelMap<'_>>() {
        let mut keys: Vec<&CelMapKey<'_>> = map.inner().keys().collect();
        keys.sort();
        let keys: Vec<Box<dyn Val + 'v>> = keys
            .into_iter()
            .map(|key| key.inner().clone_as_boxed())
            .collect();
        return Ok(CowVal::owned(CelList::from(keys)));
    }
    if range.downcast_ref::<CelList<'_>>().is_none() {
        return Err(mismatch("for each", &args));
    }
    args.into_iter()
        .next()
        .ok_or(ExecutionError::MissingArgumentOrTarget)
}

/// Makes a value of one of our types of one that casts to it exactly.
fn make<'b, 'v>(name: &str, ty: Type, args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let mut batch = Batch::new(1);
    let failed = || ExecutionError::function_error(name, "");
    let value = args.first().ok_or_else(failed)?;
    convert::push(value.as_ref(), ty, &mut batch).map_err(|_| failed())?;
    match batch.record(0).value(0) {
        Value::Null => Ok(CowVal::owned(CelNull)),
        value => Exact::of(value).map(CowVal::owned).ok_or_else(failed),
    }
}

fn spell<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let exact = args.first().and_then(|value| value.downcast_ref::<Exact>());
    let mut spelled = String::new();
    match exact {
        Some(exact) if text::write(exact.value(), &mut spelled) => {
            Ok(CowVal::owned(CelString::from(spelled)))
        }
        _ => Err(mismatch("string", args)),
    }
}

fn double<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    match args.first().and_then(|value| value.downcast_ref::<Exact>()) {
        Some(Exact::Decimal(digits)) => {
            let parsed = digits.parse::<f64>();
            let parsed = parsed.map_err(|_| ExecutionError::function_error("double", ""))?;
            Ok(CowVal::owned(CelDouble::from(parsed)))
        }
        _ => Err(mismatch("double", args)),
    }
}

fn integer<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Evaluated<'b, 'v> {
    let mut batch = Batch::new(1);
    let value = args.first().ok_or_else(|| mismatch("int", args))?;
    let pushed = convert::push(value.as_ref(), Type::INT, &mut batch);
    let pushed = pushed.map(|()| batch.record(0).value(0));
    match pushed {
        Ok(Value::Int(v)) => Ok(CowVal::owned(CelInt::from(v))),
        _ => Err(ExecutionError::function_error("int", "")),
    }
}

/// Says why an evaluation failed, without a value; nothing when the expression left it open on purpose.
pub(super) fn reason(error: &ExecutionError) -> Option<String> {
    let said = match error {
        ExecutionError::FunctionError { function, .. } if function == MANUAL => return None,
        ExecutionError::FunctionError { function, .. } => {
            format!("a function failed: function={function}")
        }
        ExecutionError::NoSuchOverload(overload) => {
            let (function, types) = (overload.function(), overload.argument_types().join(","));
            format!("no operation for these types: operation={function} types={types}")
        }
        ExecutionError::NoSuchKey(_) => "no such member".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is out of range".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the list is shorter".to_owned(),
        ExecutionError::DuplicateKey(_) => "a map has a key twice".to_owned(),
        _ => "it failed on these values".to_owned(),
    };
    Some(format!("the expression did not answer: {said}"))
}
