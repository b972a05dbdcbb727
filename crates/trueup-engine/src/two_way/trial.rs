//! Tries what a run does before its first read, and goes on where that stops: for `check`.

use super::config::TwoWay;
use super::{in_order, prepare};
use crate::check;
use crate::connect::{Trial, Tried};
use crate::link::{CollectionSpec, Link};
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

/// Prepares the collections one by one. Sides are as the user calls them.
pub(crate) fn attempt(link: &mut Link) -> Result<Trial> {
    let two_way = link
        .two_way
        .clone()
        .ok_or_else(|| Error::bug("the link does not go both ways"))?;
    in_order(link, |link, turned| try_all(link, &two_way, turned))
}

/// The same collection, seen from the other side. What has no way back is refused elsewhere, and left out here.
pub(crate) fn reversed(spec: &CollectionSpec) -> CollectionSpec {
    prepare::in_order(spec, true).unwrap_or_else(|_| spec.clone())
}

fn try_all(link: &mut Link, two_way: &TwoWay, turned: bool) -> Result<Trial> {
    let user = Sides::by(|side| if turned { side.other() } else { side });
    let mut trial = Trial::default();
    trial.take(prepare::refuse_ends(link, &user))?;
    let found = prepare::specs(link, &user);
    let specs = trial.take(found)?.unwrap_or_default();
    trial.take(prepare::refuse_strangers(two_way, &specs))?;
    for spec in specs {
        let (create, error) = match prepare::prepare_one(link, two_way, &spec, &user) {
            Ok(joint) => {
                let create = joint.create;
                let made = Side::BOTH.into_iter().find(|&side| create[side].is_some());
                let made = made.zip(create.source.or(create.target));
                let made = made.map(|(side, design)| (user[side], design.statement));
                (made, None)
            }
            Err(error) if check::lasts(&error) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let spec = prepare::in_order(&spec, turned)?;
        trial.collections.push(Tried {
            construction: None,
            spec,
            create,
            error,
        });
    }
    Ok(trial)
}
