//! How much of a side waits in memory for whoever takes it.
//!
//! Channels count batches, and a batch is as long as its longest value. Invariant: nothing more is read while more than
//! [`HELD_BYTES_MAX`] wait, so that a side has one value of a hundred MiB in memory, and not one in each place where a batch
//! can be. Whoever waits for room is told when what was held is dropped, whatever the reason.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// With so much waiting, nothing is read. More than all batches and parcels of ordinary records come to.
const HELD_BYTES_MAX: usize = 64 << 20;

/// The bytes that wait.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Mutex<usize>,
    freed: Condvar,
}

impl Held {
    /// Counts `bytes` until what is returned is dropped.
    pub(super) fn hold(self: &Arc<Self>, bytes: usize) -> Hold {
        self.change(|held| held.saturating_add(bytes));
        Hold {
            held: Arc::clone(self),
            bytes,
        }
    }

    /// Waits until there is room for more.
    pub(super) fn wait_for_room(&self) {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *held > HELD_BYTES_MAX {
            held = self
                .freed
                .wait(held)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn change(&self, change: impl FnOnce(usize) -> usize) {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *held = change(*held);
    }
}

/// Bytes that are counted as long as this is there.
#[derive(Debug)]
pub(super) struct Hold {
    held: Arc<Held>,
    bytes: usize,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.change(|held| held.saturating_sub(self.bytes));
        self.held.freed.notify_all();
    }
}
