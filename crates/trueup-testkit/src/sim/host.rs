//! One side of the simulated world: its content, its past, and the state its machine is in.

use super::lineage::Ghosts;
use crate::memory::{Backup, Change, Hashed, Memory, View};
use std::collections::BTreeMap;
use std::sync::Arc;
use trueup_core::endpoint::Position;

/// How well a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Fine,
    /// Nothing answers.
    Down,
    /// Writes are refused for want of room.
    Full,
    /// Writes are refused for want of rights.
    ReadOnly,
}

/// What a side looked like after one commit.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) view: View,
    pub(super) ghosts: Arc<Ghosts>,
}

/// One side.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) memory: Memory,
    /// What is known of its records now.
    pub(super) ghosts: Arc<Ghosts>,
    /// One per commit, and one per restore.
    pub(super) moments: Vec<Moment>,
    /// The latest moment that somebody has read: nobody reads an earlier one again.
    pub(super) horizon: usize,
    /// Grows when a backup is put back: who was connected before is so no longer.
    pub(super) generation: u32,
    pub(super) condition: Condition,
    /// The step at which the condition ends.
    pub(super) until: u64,
    pub(super) backup: Option<(Backup, Arc<Ghosts>)>,
    /// Who claimed each link last, by the number of the claim.
    pub(super) claims: BTreeMap<String, u64>,
    /// A record that is refused: collection, key, and whether another one is said to stand in its way.
    pub(super) poison: Option<(String, i64, bool)>,
    position: Position,
    logged: usize,
}

impl Host {
    pub(super) fn new(memory: Memory) -> Self {
        memory.hash_like(Hashed::Honest);
        let (view, position) = (memory.view(), memory.position());
        let ghosts = Arc::new(Ghosts::new());
        let moment = Moment {
            view,
            ghosts: Arc::clone(&ghosts),
        };
        Self {
            memory,
            ghosts,
            moments: vec![moment],
            horizon: 0,
            generation: 0,
            condition: Condition::Fine,
            until: 0,
            backup: None,
            claims: BTreeMap::new(),
            poison: None,
            position,
            logged: 0,
        }
    }

    /// Returns what was committed since the last call; `None` when nothing was.
    pub(super) fn news(&mut self) -> Option<Vec<Change>> {
        let position = self.memory.position();
        if position == self.position {
            return None;
        }
        self.position = position;
        let changes = self.memory.log_since(self.logged);
        self.logged += changes.len();
        Some(changes)
    }

    /// Keeps the present as a moment, and returns its number.
    pub(super) fn keep(&mut self) -> usize {
        self.moments.push(Moment {
            view: self.memory.view(),
            ghosts: Arc::clone(&self.ghosts),
        });
        self.moments.len() - 1
    }

    /// Makes a backup of what is committed.
    pub(super) fn back_up(&mut self) {
        self.backup = Some((self.memory.backup(), Arc::clone(&self.ghosts)));
    }

    /// Puts the backup back. It is another machine from then on.
    pub(super) fn put_back(&mut self) -> Option<Arc<Ghosts>> {
        let (backup, ghosts) = self.backup.clone()?;
        self.memory.restore(&backup);
        self.position = self.memory.position();
        self.generation += 1;
        self.claims.clear();
        self.ghosts = Arc::clone(&ghosts);
        self.horizon = self.keep();
        Some(ghosts)
    }
}
