//! How every link stands, for people: its last run, what is parked, and what is known of a two-way link's past.
//!
//! It reads what the other modules wrote and keeps nothing of its own. A pair that was forgotten is no link any more,
//! though its runs stay in the history.

use super::forgotten::PREFIX;
use super::pair::{self, Ends};
use super::{FollowStanding, PastRun, Store, named, past_run};
use crate::report::exit_code;
use rusqlite::{Row, params};
use trueup_core::side::Sides;
use trueup_core::{Kind, Result};

/// How a link stands.
#[derive(Clone, Debug)]
pub struct LinkStanding {
    /// Its durable name.
    pub durable: String,
    /// Its name for people, as of its last run.
    pub name: String,
    /// Its last run; `None` where all of them were dropped.
    pub last: Option<PastRun>,
    /// Whether a run of it that is on record came to its end.
    pub succeeded: bool,
    /// Whether more of it is kept than its runs: a pair, parked records, or how far it got.
    pub kept: bool,
    /// Records put aside, as of the last run that came to its end.
    pub parked: u64,
    /// What is kept of a two-way link.
    pub pair: Option<PairStanding>,
    /// How far it is, where it follows its source's log.
    pub following: Option<FollowStanding>,
}

/// How a two-way link stands.
#[derive(Clone, Debug)]
pub struct PairStanding {
    /// Who its sides are.
    pub ends: Ends,
    /// Whether the link's name has the sides in the other order than the pair; `None` where nobody can tell in which
    /// order the user has them: then the name is made of the pair's own addresses, in the pair's own order.
    pub turned: Option<bool>,
    /// Its collections: names, and whether the base is complete.
    pub collections: Vec<(Sides<String>, bool)>,
    /// Conflicts that nobody decided, those with an answer included.
    pub open: u64,
    /// Of these, the ones that a person has answered.
    pub answered_open: u64,
    /// Answers that the next run carries out, those that reverse a decision included.
    pub answers: u64,
}

impl PairStanding {
    /// Tells whether the link's name for people has the sides in the other order than the pair.
    pub fn is_flipped(&self) -> bool {
        self.turned == Some(true)
    }
}

impl Store {
    /// Every link on record, in the order of their first runs.
    ///
    /// Those that were forgotten are not among them, nor is a link that goes both ways and of which nothing but runs is
    /// left; one whose runs all failed before anything was kept is. Left out is also what was only ever mistyped: every
    /// run was refused as it was stated, before both sides were met, nothing is kept, and no configuration file has it.
    pub fn links(&self) -> Result<Vec<LinkStanding>> {
        let links = self.read_all(
            "read the links",
            "SELECT id, durable, name, (SELECT count(*) FROM parked WHERE parked.link = link.id), \
                 EXISTS (SELECT 1 FROM pair WHERE pair.link = link.id) \
                 OR EXISTS (SELECT 1 FROM parked WHERE parked.link = link.id) \
                 OR EXISTS (SELECT 1 FROM progress WHERE progress.link = link.id) AS kept FROM link \
             WHERE (kept OR EXISTS (SELECT 1 FROM run WHERE run.link = link.id AND (exit IS NOT ?2 OR met)) \
                 OR NOT EXISTS (SELECT 1 FROM run WHERE run.link = link.id) \
                 OR EXISTS (SELECT 1 FROM meta WHERE substr(meta.name, 1, length(?3)) = ?3 \
                     AND (value = durable OR value LIKE durable || ' %'))) \
             AND (name NOT LIKE '% <-> %' OR EXISTS (SELECT 1 FROM pair WHERE pair.link = link.id) \
             OR NOT EXISTS (SELECT 1 FROM run WHERE run.link = link.id AND report IS NOT NULL)) \
             AND NOT EXISTS (SELECT 1 FROM meta WHERE meta.name = ?1 || durable) \
             ORDER BY id",
            params![PREFIX, exit_code(Kind::Config), named::PREFIX],
            |row| {
                let (id, durable) = (row.get::<_, i64>(0)?, row.get::<_, String>(1)?);
                let name = row.get(2)?;
                Ok((id, durable, name, count(row, 3)?, row.get(4)?))
            },
        )?;
        let standing = |(id, durable, name, parked, kept): (_, String, _, _, _)| {
            let pair = self.pair_standing(id)?;
            let unknown = pair.as_ref().filter(|pair| pair.turned.is_none());
            let name = unknown.map_or(name, |pair| {
                let Sides { source, target } = &pair.ends.address;
                format!("{source} <-> {target}")
            });
            let following = self.follow_standing(&durable)?;
            Ok(LinkStanding {
                following,
                durable,
                name,
                last: self.last_run(id)?,
                succeeded: self.has_succeeded(id)?,
                kept,
                parked,
                pair,
            })
        };
        links.into_iter().map(standing).collect()
    }

    fn last_run(&self, link: i64) -> Result<Option<PastRun>> {
        let runs = self.read_all(
            "read the link's last run",
            "SELECT run.id, coalesce(run.name, link.name), started_ms, ended_ms, exit, error, report \
             FROM run JOIN link ON link.id = run.link WHERE link.id = ?1 ORDER BY run.id DESC LIMIT 1",
            [link],
            past_run,
        )?;
        Ok(runs.into_iter().next())
    }

    fn has_succeeded(&self, link: i64) -> Result<bool> {
        let found = self.read_one(
            "read the link's runs",
            "SELECT count(*) FROM run WHERE link = ?1 AND exit IN (0, 1)",
            [link],
        )?;
        Ok(found.is_some_and(|count: i64| count > 0))
    }

    fn pair_standing(&self, link: i64) -> Result<Option<PairStanding>> {
        let ends = self.read_all(
            "read a pair",
            "SELECT source_identity, target_identity, source_address, target_address, turned \
             FROM pair WHERE link = ?1",
            [link],
            |row| Ok((pair::ends(row, 0)?, row.get(4)?)),
        )?;
        let Some((ends, turned)) = ends.into_iter().next() else {
            return Ok(None);
        };
        let collections = self.read_all(
            "read a pair's collections",
            "SELECT source, target, complete FROM pair_collection WHERE link = ?1 ORDER BY id",
            params![link],
            |row| Ok((Sides::new(row.get(0)?, row.get(1)?), row.get(2)?)),
        )?;
        let counts = self.read_all(
            "count a pair's conflicts",
            "SELECT count(*) FILTER (WHERE stage = 'open'), \
                    count(*) FILTER (WHERE stage = 'open' AND answer IS NOT NULL), \
                    count(*) FILTER (WHERE answer IS NOT NULL AND decision <> 'superseded') \
             FROM conflict WHERE collection IN (SELECT id FROM pair_collection WHERE link = ?1)",
            params![link],
            |row| Ok((count(row, 0)?, count(row, 1)?, count(row, 2)?)),
        )?;
        let (open, answered_open, answers) = counts.into_iter().next().unwrap_or_default();
        Ok(Some(PairStanding {
            ends,
            turned,
            collections,
            open,
            answered_open,
            answers,
        }))
    }
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let count: i64 = row.get(column)?;
    Ok(u64::try_from(count).unwrap_or(0))
}
