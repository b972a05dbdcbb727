//! What can happen, and how often.

use super::random::Random;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// An outside writer edits a record.
    Write,
    /// An outside writer deletes much at once.
    Burst,
    /// The connection of this call breaks before anything is done.
    Break,
    /// A commit's reply is lost: it is durable, and nobody is told.
    LoseReply,
    /// A commit's reply is lost, and it is still in flight.
    Late,
    /// A commit in flight lands, or is refused.
    Land,
    /// A machine is down, full or read-only for some steps.
    Ail,
    /// A reader sees a side as it was a little earlier.
    Delay,
    /// Time passes.
    Slow,
    /// A record is refused from now on, or no longer.
    Poison,
    /// A backup of a side is made.
    BackUp,
    /// It is put back.
    PutBack,
    /// The engine dies.
    Crash,
    /// A second engine with the same state runs within this step.
    SecondEngine,
    /// A second engine with a copy of the state runs within this step.
    SecondEngineOfCopy,
    /// A copy of the state store is made.
    CopyState,
    /// It is put back.
    PutBackState,
    /// The state store is lost.
    LoseState,
    /// Somebody asks the run to stop.
    Stop,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 19] = [
        Self::Write,
        Self::Burst,
        Self::Break,
        Self::LoseReply,
        Self::Late,
        Self::Land,
        Self::Ail,
        Self::Delay,
        Self::Slow,
        Self::Poison,
        Self::BackUp,
        Self::PutBack,
        Self::Crash,
        Self::SecondEngine,
        Self::SecondEngineOfCopy,
        Self::CopyState,
        Self::PutBackState,
        Self::LoseState,
        Self::Stop,
    ];

    /// What the driver of the engines has to do.
    pub(super) fn outer(self) -> Option<Outer> {
        Some(match self {
            Self::SecondEngine => Outer::SecondEngine,
            Self::SecondEngineOfCopy => Outer::SecondEngineOfCopy,
            Self::CopyState => Outer::CopyState,
            Self::PutBackState => Outer::PutBackState,
            Self::LoseState => Outer::LoseState,
            Self::Stop => Outer::Stop,
            _ => return None,
        })
    }

    /// Whether it is decided at the call it concerns and not before any step.
    fn at_its_call(self) -> bool {
        matches!(self, Self::LoseReply | Self::Late | Self::Delay)
    }
}

/// What is left to the driver of the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer {
    /// Run a second engine with the same state.
    SecondEngine,
    /// Run a second engine with a copy of the state.
    SecondEngineOfCopy,
    /// Copy the state store.
    CopyState,
    /// Put the copy back.
    PutBackState,
    /// Lose the state store.
    LoseState,
    /// Ask the run to stop.
    Stop,
}

/// How often each act happens, in 1,000 steps (or calls, for those that are decided at their call).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates([u16; Act::ALL.len()]);

impl Rates {
    /// Returns the rates with that of `act` set.
    #[must_use]
    pub fn with(mut self, act: Act, per_mille: u16) -> Self {
        self.0[act as usize] = per_mille;
        self
    }

    /// Returns the rate of `act`.
    pub fn of(&self, act: Act) -> u16 {
        self.0[act as usize]
    }
}

/// Decides what happens.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) random: Random,
    rates: Rates,
}

impl Script {
    pub(super) fn new(random: Random, rates: Rates) -> Self {
        Self { random, rates }
    }

    /// Tells whether anything can happen.
    pub(super) fn is_wild(&self) -> bool {
        self.rates != Rates::default()
    }

    /// From now on nothing happens.
    pub(super) fn calm(&mut self) {
        self.rates = Rates::default();
    }

    /// Says what happens before a step.
    pub(super) fn decide(&mut self) -> Option<Act> {
        let mut draw = self.random.below(1_000);
        for act in Act::ALL.into_iter().filter(|act| !act.at_its_call()) {
            let rate = usize::from(self.rates.of(act));
            if draw < rate {
                return Some(act);
            }
            draw -= rate;
        }
        None
    }

    /// Says whether `act` happens at this call.
    pub(super) fn happens(&mut self, act: Act) -> bool {
        let rate = usize::from(self.rates.of(act));
        rate > 0 && self.random.below(1_000) < rate
    }
}
