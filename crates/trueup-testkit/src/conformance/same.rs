//! Reading what was delivered as what was meant: the one place where the suite knows that some endpoints hold text
//! only, or fewer classes than there are types.

use crate::owned::Owned;
use trueup_core::batch::Batch;
use trueup_core::types::Type;

/// Reads `value` as one of `ty`, as the mapping does; a value that does not fit stays what it is, and so equals
/// nothing that was expected.
pub(super) fn cast(ty: Type, value: &Owned) -> Owned {
    let mut batch = Batch::new(1);
    match trueup_core::cast::push(value.value(), ty, &mut batch) {
        Ok(()) => Owned::from(batch.record(0).value(0)),
        Err(_) => value.clone(),
    }
}
