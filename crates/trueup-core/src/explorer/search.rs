//! Walks every state that a model can reach, once.
//!
//! Depth first with an explicit stack, so that the way to a violation is at hand. A state already seen is known by a
//! 64-bit fingerprint (the chance that any two of three million share one is 2 in ten million), in a set of our own: the
//! standard one is too slow unoptimised, and its order is not fixed.

use std::fmt::Debug;

/// Something that can be explored.
pub(super) trait Model {
    /// One state of everything.
    type State: Copy + Debug;
    /// What leads from one to the next.
    type Action: Copy + Debug;

    /// Returns the states it can begin in.
    fn starts(&mut self) -> Vec<(Self::Action, Self::State)>;
    /// Adds what can happen next, with the state that it leads to.
    fn next(&mut self, state: &Self::State, into: &mut Vec<(Self::Action, Self::State)>);
    /// Returns a number that is the state's own.
    fn fingerprint(&self, state: &Self::State) -> u64;
    /// Judges the state, where it is one that can be judged.
    fn judge(&mut self, state: &Self::State) -> Option<Verdict>;
}

/// What became of the writes when an engine has run alone to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// A write is neither there, nor superseded by a writer who saw it, nor in the conflict log.
    pub(super) lost: bool,
    /// Something deleted by a writer who had seen it is there again, and nothing on record says so.
    pub(super) returned: bool,
    /// A conflict was recorded where one writer had seen the other's value.
    pub(super) false_conflict: bool,
    /// The sides still differ, or an engine that runs alone goes on writing.
    pub(super) unsettled: bool,
    /// How many passes wrote something or moved the base.
    pub(super) passes: u8,
    /// Whether a conflict is on record.
    pub(super) conflict: bool,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) states: usize,
    pub(super) ends: usize,
    pub(super) conflicts: usize,
    pub(super) lost: usize,
    pub(super) returned: usize,
    pub(super) false_conflicts: usize,
    pub(super) unsettled: usize,
    pub(super) passes: u8,
    /// The way to the first violation, and the state it ends in.
    pub(super) trace: Option<String>,
}

impl Report {
    pub(super) fn violations(&self) -> usize {
        self.lost + self.returned + self.false_conflicts + self.unsettled
    }

    fn count(&mut self, verdict: Verdict) -> bool {
        self.ends += 1;
        self.conflicts += usize::from(verdict.conflict);
        self.lost += usize::from(verdict.lost);
        self.returned += usize::from(verdict.returned);
        self.false_conflicts += usize::from(verdict.false_conflict);
        self.unsettled += usize::from(verdict.unsettled);
        self.passes = self.passes.max(verdict.passes);
        verdict.lost || verdict.returned || verdict.false_conflict || verdict.unsettled
    }
}

/// When to stop.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// When everything has been seen.
    Everything,
    /// At the first such verdict.
    Found(fn(&Verdict) -> bool),
}

/// Walks everything that `model` can reach.
pub(super) fn search<M: Model>(model: &mut M, until: Until) -> Report {
    let mut report = Report::default();
    let mut seen = Seen::new();
    let mut path: Vec<M::Action> = Vec::new();
    let mut next = Vec::new();
    let mut stack: Vec<(usize, M::Action, M::State)> = Vec::new();
    for (action, start) in model.starts() {
        if seen.insert(model.fingerprint(&start)) {
            stack.push((0, action, start));
        }
    }
    while let Some((depth, action, state)) = stack.pop() {
        path.truncate(depth);
        path.push(action);
        report.states += 1;
        if let Some(verdict) = model.judge(&state)
            && report.count(verdict)
        {
            let wanted = match until {
                Until::Everything => true,
                Until::Found(wanted) => wanted(&verdict),
            };
            if wanted && report.trace.is_none() {
                report.trace = Some(format!("{verdict:?}\n{path:?}\n{state:?}"));
            }
            if wanted && matches!(until, Until::Found(_)) {
                break;
            }
        }
        next.clear();
        model.next(&state, &mut next);
        for &(action, state) in &next {
            if seen.insert(model.fingerprint(&state)) {
                stack.push((depth + 1, action, state));
            }
        }
    }
    report
}

/// A set of fingerprints, by open addressing; 0 stands for an empty place.
struct Seen {
    places: Vec<u64>,
    len: usize,
}

impl Seen {
    fn new() -> Self {
        Self {
            places: vec![0; 1 << 16],
            len: 0,
        }
    }

    /// Adds a fingerprint; false where it was there.
    fn insert(&mut self, fingerprint: u64) -> bool {
        let fingerprint = fingerprint.max(1);
        if self.len * 2 > self.places.len() {
            let larger = vec![0; self.places.len() * 2];
            let old = std::mem::replace(&mut self.places, larger);
            for &fingerprint in old.iter().filter(|place| **place != 0) {
                let at = self.place(fingerprint);
                self.places[at] = fingerprint;
            }
        }
        let at = self.place(fingerprint);
        let new = self.places[at] == 0;
        self.places[at] = fingerprint;
        self.len += usize::from(new);
        new
    }

    /// Returns where the fingerprint is, or has to go.
    fn place(&self, fingerprint: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut at = fingerprint as usize & mask;
        while self.places[at] != 0 && self.places[at] != fingerprint {
            at = (at + 1) & mask;
        }
        at
    }
}
