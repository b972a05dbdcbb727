//! How a hint names the state that it means.
//!
//! It is kept for the whole process, as the terminal is: a hint stands at the end of many ways through the program, and a
//! command works on one state. Set where the state is chosen; nothing follows from it but words.

use std::sync::{Mutex, PoisonError};

/// What follows a command that is to open the state in use; empty where the bare command does.
static WORDS: Mutex<String> = Mutex::new(String::new());

/// Keeps what follows a command that is to open the state in use.
pub(crate) fn set_state_words(words: String) {
    *WORDS.lock().unwrap_or_else(PoisonError::into_inner) = words;
}

/// Returns `command` so that it opens the state in use, from this folder.
pub(crate) fn with_state(command: &str) -> String {
    let words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    format!("{command}{words}")
}
