//! Named places where a test can make the process die or a step fail.
//!
//! The core and the endpoints only name the places; what happens there is a parameter. In the released binary
//! nothing happens unless the environment variable `TRUEUP_FAILPOINT` asks for it.

use crate::error::Result;
use std::fmt;
use std::sync::Arc;

type Hook = dyn Fn(&'static str) -> Result<()> + Send + Sync;

/// What to do at each named place.
#[derive(Clone)]
pub struct Failpoints(Option<Arc<Hook>>);

impl Failpoints {
    /// Nothing ever happens.
    pub fn none() -> Self {
        Self(None)
    }

    /// Calls `hook` with the name of each place that is passed; an error it returns is returned there.
    pub fn new(hook: impl Fn(&'static str) -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    /// Passes the place called `name`.
    ///
    /// # Errors
    /// Whatever the hook decides.
    pub fn pass(&self, name: &'static str) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |hook| hook(name))
    }
}

impl fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Failpoints(armed)"
        } else {
            "Failpoints(none)"
        })
    }
}
