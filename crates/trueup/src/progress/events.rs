//! What happened on the way, for whoever asked for details.

use crate::log::{self, Entry};
use trueup_engine::Event;

/// Tells an event, unless nobody wants details.
pub(super) fn tell(event: Event<'_>) {
    log::detail(entry(event), &text(event));
}

fn entry(event: Event<'_>) -> Entry<'_> {
    let mut entry = Entry::default();
    let (name, collection) = match event {
        Event::Expected {
            collection,
            step,
            records,
        } => {
            entry.step = Some(step.name());
            entry.total = Some(records);
            ("expected", collection)
        }
        Event::Shape {
            side, collection, ..
        } => {
            entry.side = Some(side);
            ("shape", collection)
        }
        Event::Order {
            side, collection, ..
        } => {
            entry.side = Some(side);
            ("order", collection)
        }
        Event::Sorted {
            side,
            collection,
            records,
        } => {
            entry.side = Some(side);
            entry.records = Some(records);
            ("sorted", collection)
        }
        Event::Hashed {
            collection, unread, ..
        } => {
            entry.records = Some(unread);
            ("hashed", collection)
        }
        Event::Batch {
            collection,
            records,
            ..
        } => {
            entry.records = Some(records);
            ("batch", collection)
        }
        Event::Loading { collection } => ("loading", collection),
        Event::Loaded { collection } => ("loaded", collection),
        Event::Durable { collection } => ("durable", collection),
    };
    (entry.event, entry.collection) = (name, Some(collection));
    entry
}

fn text(event: Event<'_>) -> String {
    match event {
        Event::Expected {
            collection,
            step,
            records,
        } => {
            let step = step.name();
            format!("{collection}: {step} will read about {records} records")
        }
        Event::Shape {
            side,
            collection,
            fields,
            missing: false,
        } => format!("{side} {collection}: has {fields} fields"),
        Event::Shape {
            side,
            collection,
            fields,
            missing: true,
        } => format!("{side} {collection}: is missing and will get {fields} fields"),
        Event::Order {
            side,
            collection,
            by_endpoint: true,
        } => format!("{side} {collection}: comes in key order"),
        Event::Order {
            side,
            collection,
            by_endpoint: false,
        } => format!("{side} {collection}: does not come in key order"),
        Event::Sorted {
            side,
            collection,
            records,
        } => format!("{side} {collection}: {records} records sorted"),
        Event::Hashed {
            collection,
            buckets,
            differing,
            unread,
        } => format!(
            "{collection}: of {buckets} buckets {differing} differ; {unread} records are equal by their hashes and need \
             not be read"
        ),
        Event::Batch {
            collection,
            records,
            durable,
        } => {
            let lasting = if durable { " and durable" } else { "" };
            format!("{collection}: a batch of {records} is applied{lasting}")
        }
        Event::Loading { collection } => format!("{collection}: is loaded, as others are"),
        Event::Loaded { collection } => format!("{collection}: all records are written"),
        Event::Durable { collection } => format!("{collection}: all batches are durable"),
    }
}
