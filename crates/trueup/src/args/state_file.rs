//! Which state file a command means, and how hints name it.
//!
//! Invariant: a hint that names a command leads to the state that the hint is about, from the folder it was given in.

use super::quoted;
use crate::{config, log, output, world};
use std::path::{Path, PathBuf};
use trueup_core::{Error, Result};
use trueup_engine::state::Store;

/// Which state file.
#[derive(Debug, clap::Args)]
pub(crate) struct StateFile {
    /// Where runs, positions and history are kept [default: $XDG_STATE_HOME/trueup/state.db]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// The state file that this configuration file names [default: trueup.toml, where there is one]
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    config: Option<PathBuf>,
}

impl StateFile {
    /// Returns the configuration that is meant: the one that was named, else the one at hand, unless a state file was
    /// named.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        let at_hand = || Some(PathBuf::from(config::FILE)).filter(|path| path.is_file());
        match (&self.state, &self.config) {
            (Some(_), _) => None,
            (None, Some(named)) => Some(named.clone()),
            (None, None) => at_hand(),
        }
    }

    /// Opens the store, if there is one: in the file that was named, else where the configuration says, else at the usual
    /// place. A state file that was named must be there. From here hints name it as it was named.
    ///
    /// # Errors
    /// `Config` when the configuration cannot be read; what the store says.
    pub(crate) fn open(&self) -> Result<Option<Store>> {
        let words =
            |option: &str, file: &Path| format!(" {option} {}", quoted(&file.to_string_lossy()));
        output::set_state_words(match (&self.state, &self.config) {
            (Some(state), _) => words("--state", state),
            (None, Some(config)) => words("--config", config),
            (None, None) => String::new(),
        });
        let file = self.file()?;
        if self.state.is_some() {
            return world::open_store_if_present(file.as_deref());
        }
        world::open_store_if_any(file.as_deref())
    }

    /// Returns the state file that [`StateFile::open`] opens; `None` where it is the usual one.
    ///
    /// # Errors
    /// `Config` when the configuration cannot be read.
    pub(crate) fn file(&self) -> Result<Option<PathBuf>> {
        match (&self.state, self.config()) {
            (Some(state), _) => Ok(Some(state.clone())),
            (None, Some(config)) => {
                let state = config::read_state(&config, &world::variable);
                state.map_err(|error| self.around(error))
            }
            (None, None) => Ok(None),
        }
    }

    /// Says which file was changed, where nobody named it: the configuration that lies in the folder did.
    pub(crate) fn tell(&self, store: &Store) {
        if self.state.is_some() || self.config.is_some() || self.config().is_none() {
            return;
        }
        log::state(store.path());
    }

    /// Adds to an error about the configuration at hand that it need not be read.
    pub(crate) fn around(&self, error: Error) -> Error {
        if self.config.is_some() {
            return error;
        }
        let hint = match error.advice() {
            Some(hint) => format!("{hint}; --state FILE goes around {}", config::FILE),
            None => format!("mend it; --state FILE goes around {}", config::FILE),
        };
        error.hint(hint)
    }
}

/// Makes hints name the state in `given`, `None` for the usual one, unless the bare command in this folder opens the same.
pub(crate) fn name_state(given: Option<&Path>) {
    let place = |given: Option<&Path>| {
        let path = world::state_path(given, &world::variable).ok()?;
        world::real_path(&path)
    };
    let bare = StateFile {
        state: None,
        config: None,
    };
    let bare = match bare.config() {
        None => place(None),
        Some(config) => {
            let state = config::read_state(&config, &world::variable).ok();
            state.and_then(|state| place(state.as_deref()))
        }
    };
    let words = if place(given) == bare {
        String::new()
    } else {
        let path = world::state_path(given, &world::variable).unwrap_or_default();
        format!(" --state {}", quoted(&path.to_string_lossy()))
    };
    output::set_state_words(words);
}
