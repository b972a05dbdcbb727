//! The world that the engine's own tests run in: a clock moved by hand, nobody listening, a folder that goes away.

use crate::clock::Clock;
use crate::link::{Limits, World};
use crate::progress::{Progress, Tick};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use tempfile::TempDir;
use trueup_core::Result;
use trueup_core::digest::Digest;
use trueup_core::failpoint::Failpoints;

/// A clock that stands still until somebody moves it. Waiting moves it at once.
#[derive(Debug, Default)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    /// Moves the clock on.
    pub(crate) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn wait_ms(&self, ms: u64) {
        self.advance_ms(i64::try_from(ms).unwrap_or(i64::MAX));
    }
}

/// Nobody listens.
#[derive(Debug)]
pub(crate) struct Silent;

impl Progress for Silent {
    fn tick(&self, _tick: Tick<'_>) {}

    fn note(&self, _text: &str) {}
}

/// Owns what a [`World`] borrows.
pub(crate) struct Stage {
    pub(crate) clock: HandClock,
    pub(crate) stop: AtomicBool,
    pub(crate) failpoints: Failpoints,
    pub(crate) limits: Limits,
    random: Box<Random>,
    folder: TempDir,
}

/// As [`World::random`].
type Random = dyn Fn(&mut [u8]) -> Result<()> + Send + Sync;

/// Makes a [`World::random`] that depends on `seed` alone and gives no 16 bytes twice.
pub(crate) fn seeded(seed: u64) -> impl Fn(&mut [u8]) -> Result<()> + Send + Sync {
    let drawn = AtomicU64::new(0);
    move |bytes| {
        for chunk in bytes.chunks_mut(16) {
            let number = drawn.fetch_add(1, Ordering::SeqCst);
            let mixed = Digest::of(&[seed.to_le_bytes(), number.to_le_bytes()].concat());
            chunk.copy_from_slice(&mixed.0.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl Stage {
    /// A world in which nothing fails, with the default limits.
    pub(crate) fn new() -> Self {
        Self {
            clock: HandClock::default(),
            stop: AtomicBool::new(false),
            failpoints: Failpoints::none(),
            limits: Limits::default(),
            random: Box::new(seeded(0)),
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }

    /// Lends the world.
    pub(crate) fn world(&self) -> World<'_> {
        World {
            clock: &self.clock,
            progress: &Silent,
            failpoints: self.failpoints.clone(),
            stop: &self.stop,
            random: &self.random,
            spool_folder: self.folder.path().to_owned(),
            limits: self.limits,
        }
    }

    /// Where temporary files go.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
