//! The functions and operators of expressions that are ours, and what is said when one fails.
//!
//! The interpreter's errors hold values; [`reason`] keeps names and classes only.

use super::check::ELEMENTS;
use super::exact::Exact;
use super::{arithmetic, casts, texts};
use cel::common::functions::Function;
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelUInt, DYN_TYPE, NULL_TYPE,
    Type as CelType,
};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};
use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

pub(super) type Evaluated<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(build()));

/// Returns the functions of every expression.
pub(crate) fn environment() -> Arc<Env> {
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
    add("@add", &[any, any], |args| arithmetic::add(&args));
    add("@subtract", &[any, any], |args| arithmetic::subtract(&args));
    add("@multiply", &[any, any], |args| arithmetic::multiply(&args));
    add("@divide", &[any, any], |args| arithmetic::divide(&args));
    add("@remainder", &[any, any], |args| {
        arithmetic::remainder(&args)
    });
    add("@negate", &[any], |args| arithmetic::negate(&args));
    add(ELEMENTS, &[any], elements);
    add("manual", &[], |_| {
        Err(ExecutionError::function_error(MANUAL, ""))
    });
    casts::declare(&mut add);
    texts::declare(&mut add);
    env
}

/// The name by which an expression that leaves a conflict open on purpose is known.
const MANUAL: &str = "manual";

fn truth<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::owned(CelBool::from(value))
}

pub(super) fn mismatch(function: &str, args: &[CowVal<'_, '_>]) -> ExecutionError {
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

/// Tells whether an evaluation failed because something needs a value and found NULL.
pub(crate) fn met_null(error: &ExecutionError) -> bool {
    let null = NULL_TYPE.name();
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            overload.argument_types().iter().any(|name| name == null)
        }
        ExecutionError::UnexpectedType { got, .. } => got == null,
        _ => false,
    }
}

/// Says why an evaluation failed, without a value; nothing when the expression left it open on purpose.
pub(crate) fn reason(error: &ExecutionError) -> Option<String> {
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
