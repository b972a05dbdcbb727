//! The two sides of a link, and a pair with one of something per side.
//!
//! It exists so that a rule and its mirror are written once: a function takes the [`Side`] it is about and reaches the
//! other by [`Side::other`]. In a two-way link the names say nothing about authority. A [`Sides`] deliberately is no
//! collection: it always holds exactly two.

use std::fmt;
use std::ops::{Index, IndexMut};

/// One of the two sides of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The side named first.
    Source,
    /// The side named second.
    Target,
}

impl Side {
    /// Both sides, the source first.
    pub const BOTH: [Self; 2] = [Self::Source, Self::Target];

    /// Returns the opposite side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Source => Self::Target,
            Self::Target => Self::Source,
        }
    }

    /// Returns the word for it: `source` or `target`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One `T` for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sides<T> {
    /// The source's.
    pub source: T,
    /// The target's.
    pub target: T,
}

impl<T> Sides<T> {
    /// Makes a pair.
    pub fn new(source: T, target: T) -> Self {
        Self { source, target }
    }

    /// Makes a pair by asking `make` for each side, the source first.
    pub fn by(mut make: impl FnMut(Side) -> T) -> Self {
        let source = make(Side::Source);
        let target = make(Side::Target);
        Self { source, target }
    }

    /// Makes a pair with `here` on `side` and `there` on the other.
    pub fn at(side: Side, here: T, there: T) -> Self {
        match side {
            Side::Source => Self::new(here, there),
            Side::Target => Self::new(there, here),
        }
    }

    /// Exchanges the sides.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self {
            source: self.target,
            target: self.source,
        }
    }

    /// Applies `change` to both, the source first.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Sides<U> {
        let source = change(self.source);
        let target = change(self.target);
        Sides { source, target }
    }

    /// Borrows both.
    pub fn as_ref(&self) -> Sides<&T> {
        Sides {
            source: &self.source,
            target: &self.target,
        }
    }
}

impl<T> Index<Side> for Sides<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }
}

impl<T> IndexMut<Side> for Sides<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }
}
