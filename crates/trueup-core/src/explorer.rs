//! Every order of events, tried: the proof that the protocol around [`reconcile`](mod@crate::reconcile) loses nothing.
//!
//! One key with two fields, two stores, outside writers at any moment, an engine that can die between any two steps, and
//! copies of the state store or of a store that are put back. [`search`] walks all of it; at every state in which no
//! engine runs, [`judge`] lets one run alone and compares the end with what the writers knew of each other
//! ([`lineage`]). The deciding is the shipped `reconcile` ([`decide`]): this module holds no second opinion about what to
//! do, only the steps around it ([`engine`]) as the design describes them.
//!
//! Each step that matters can be left out by a [`Flaw`](model::Flaw); a search that does not notice is broken. It
//! deliberately has one key only: constraints across keys need a model of their own.

mod controls;
mod decide;
mod engine;
mod judge;
mod lineage;
mod model;
mod oneway;
mod outside;
mod recover;
mod search;
mod tests;
mod topology;
mod world;
