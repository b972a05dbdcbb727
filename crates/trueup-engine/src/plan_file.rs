//! A plan that waits in a file between the run that made it and the run that carries it out.
//!
//! Writing lists every action, those of a load too. Reading takes the whole file into temporary ones before anything
//! is compared: a file that is cut, garbled, out of order or of another link is refused before it costs anything, and
//! cannot change while it is in use. Carrying out is [`selection`](crate::selection)'s: what is in the file and in the
//! fresh plan alike, byte for byte of both digests.

use crate::actions::Actions;
use crate::compare::Compared;
use crate::connect::Collection;
use crate::link::{Link, World};
use crate::selection::{Choice, Chooser, Selection, fingerprint};
use crate::spool::{Spool, SpoolReader, Spooled};
use std::io::{BufRead, Read};
use trueup_core::calendar;
use trueup_core::codec::{Reader, put_bytes};
use trueup_core::digest::Digest;
use trueup_core::endpoint::Op;
use trueup_core::mapping::key_digest;
use trueup_core::plan::Decoded;
use trueup_core::plan::file::{self, Head, Header, Line, Planned, Told};
use trueup_core::{Error, Kind, Result};

/// How long a line may be.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// How many collections a plan may have.
const COLLECTIONS_MAX: usize = 100_000;

/// Passes the plan of `compared` to `out`, line by line.
pub(crate) fn write(
    link: &Link,
    compared: &mut [Compared],
    world: &World<'_>,
    out: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut created = String::new();
    calendar::format_instant(world.clock.now_ms().saturating_mul(1000), &mut created);
    let header = Header {
        link: link.durable_name(),
        name: link.name(),
        created,
        delete: link.mode.delete,
    };
    out(&header.write())?;
    for one in compared.iter_mut() {
        let sides = [one.totals.source, one.totals.target].map(|fold| Told {
            records: fold.count,
            digest: fold.sum,
        });
        let plan = one.plan.clone();
        out(&file::write_head(
            &plan,
            fingerprint(&one.collection),
            sides,
        ))?;
        let mut actions = Actions::read(one)?;
        while let Some(next) = actions.next()? {
            out(&file::write_action(
                &plan,
                next.action,
                next.record,
                next.key,
            ))?;
        }
    }
    out(&file::write_end())
}

/// A plan read from a file.
#[derive(Debug)]
pub struct PlanFile {
    header: Header,
    collections: Vec<Listed>,
}

/// What a plan has for one collection.
#[derive(Debug)]
struct Listed {
    head: Head,
    actions: Spooled,
    met: bool,
}

impl PlanFile {
    /// Reads a plan to its end. Temporary files go where `world` says.
    ///
    /// # Errors
    /// `Config`, with the line, when it is no whole plan of this version in the order in which it was written.
    pub fn read(input: &mut dyn BufRead, world: &World<'_>) -> Result<Self> {
        let mut parser = Parser::new(world);
        let mut bytes = Vec::new();
        let mut number = 0_u64;
        loop {
            bytes.clear();
            number += 1;
            let place = |error: Error| {
                let error = match error.advice() {
                    Some(_) => error,
                    None => error.hint("make the plan anew with --plan-out"),
                };
                error.at(format!("line={number}"))
            };
            let mut read = Read::take(&mut *input, LINE_BYTES_MAX + 1);
            let len = read.read_until(b'\n', &mut bytes).map_err(|cause| {
                Error::new(Kind::Unavailable, "the plan cannot be read").cause(cause)
            })?;
            if len == 0 {
                return parser.finish().map_err(place);
            }
            if len as u64 > LINE_BYTES_MAX {
                return Err(place(Error::config("this line is too long for a plan")));
            }
            let text = std::str::from_utf8(&bytes).map_err(|cause| {
                place(Error::config(format!(
                    "column={}: this is not UTF-8",
                    cause.valid_up_to() + 1
                )))
            })?;
            parser
                .line(text.trim_end_matches(['\n', '\r']))
                .map_err(place)?;
        }
    }

    /// Refuses a plan that was made for something else than `link`.
    pub(crate) fn check(&self, link: &Link) -> Result<()> {
        let anew = "make the plan with the same source, target and options";
        if self.header.link != link.durable_name() {
            return Err(Error::config(format!(
                "the plan is one for another link: {}",
                self.header.name
            ))
            .hint(anew));
        }
        if self.header.delete != link.mode.delete {
            let with = if self.header.delete {
                "with"
            } else {
                "without"
            };
            return Err(Error::config(format!("the plan was made {with} --delete")).hint(anew));
        }
        Ok(())
    }
}

/// A plan while it is read.
struct Parser<'a> {
    world: &'a World<'a>,
    header: Option<Header>,
    collections: Vec<Listed>,
    open: Option<Open>,
    ended: bool,
}

/// The collection whose actions are being read.
struct Open {
    head: Head,
    actions: Spool,
    last: Option<Vec<u8>>,
}

impl<'a> Parser<'a> {
    fn new(world: &'a World<'a>) -> Self {
        Self {
            world,
            header: None,
            collections: Vec::new(),
            open: None,
            ended: false,
        }
    }

    fn line(&mut self, text: &str) -> Result<()> {
        if self.ended {
            return Err(Error::config("something follows the end of the plan"));
        }
        let line = file::read(text)?;
        match (line, self.header.is_some()) {
            (Line::Header(header), false) => self.header = Some(header),
            (Line::Header(_), true) => return Err(Error::config("a second header")),
            (_, false) => {
                return Err(
                    Error::config("this is no plan: it does not begin with a header")
                        .hint("name a file that --plan-out wrote"),
                );
            }
            (Line::Head(head), true) => self.begin(head)?,
            (Line::Action(action), true) => self.action(&action)?,
            (Line::End, true) => {
                self.close()?;
                self.ended = true;
            }
        }
        Ok(())
    }

    fn begin(&mut self, head: Head) -> Result<()> {
        self.close()?;
        if self
            .collections
            .iter()
            .any(|one| one.head.collection == head.collection)
        {
            let name = head.collection;
            return Err(Error::config(format!("collection={name} is there twice")));
        }
        if self.collections.len() >= COLLECTIONS_MAX {
            return Err(Error::config(format!(
                "more than {COLLECTIONS_MAX} collections"
            )));
        }
        self.open = Some(Open {
            head,
            actions: Spool::new(&self.world.spool_folder),
            last: None,
        });
        Ok(())
    }

    fn action(&mut self, action: &Planned) -> Result<()> {
        let open = self.open.as_mut();
        let Some(open) = open.filter(|open| open.head.collection == action.collection) else {
            return Err(Error::config(format!(
                "an action for collection={} does not stand below the line of that collection",
                action.collection
            )));
        };
        if open.last.as_ref().is_some_and(|last| *last >= action.key) {
            return Err(Error::config(format!(
                "the actions are not in the order of their keys: key={}",
                key_digest(&action.key)
            ))
            .hint("lines may be taken out of a plan, not moved or repeated"));
        }
        open.actions.push(&encode(action))?;
        open.last = Some(action.key.clone());
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            self.collections.push(Listed {
                head: open.head,
                actions: open.actions.finish()?,
                met: false,
            });
        }
        Ok(())
    }

    fn finish(self) -> Result<PlanFile> {
        match self.header {
            Some(header) if self.ended => Ok(PlanFile {
                header,
                collections: self.collections,
            }),
            Some(_) => Err(Error::config("the plan is cut: its end is missing")
                .hint("nothing was written; make the plan anew with --plan-out")),
            None => Err(Error::config("this is no plan: it is empty")),
        }
    }
}

/// The spooled form: op, both digests, key.
fn encode(action: &Planned) -> Vec<u8> {
    let mut bytes = vec![match action.op {
        Op::Insert => 0,
        Op::Update => 1,
        Op::Delete => 2,
    }];
    for digest in [action.before, action.after] {
        bytes.push(u8::from(digest.is_some()));
        bytes.extend(digest.unwrap_or_default().0.to_le_bytes());
    }
    put_bytes(&action.key, &mut bytes);
    bytes
}

/// A planned action, as the fresh plan is held against it.
struct Wanted {
    op: Op,
    before: Option<Digest>,
    after: Option<Digest>,
    key: Vec<u8>,
}

fn decode(bytes: &[u8]) -> Result<Wanted> {
    let mut reader = Reader::new(bytes);
    let op = match reader.byte()? {
        0 => Op::Insert,
        1 => Op::Update,
        _ => Op::Delete,
    };
    let mut digest = || -> Result<Option<Digest>> {
        let present = reader.byte()? == 1;
        let digest = Digest(u128::from_le_bytes(reader.array()?));
        Ok(present.then_some(digest))
    };
    let (before, after) = (digest()?, digest()?);
    Ok(Wanted {
        op,
        before,
        after,
        key: reader.bytes()?.to_vec(),
    })
}

impl Selection for PlanFile {
    fn open<'a>(&'a mut self, collection: &Collection) -> Result<Option<Box<dyn Chooser + 'a>>> {
        let name = &collection.target.collection;
        let listed = self.collections.iter_mut();
        let Some(listed) = { listed }.find(|one| one.head.collection == *name) else {
            return Ok(None);
        };
        if listed.head.fingerprint != fingerprint(collection) {
            return Err(Error::config(format!(
                "collection={name}: the plan was made for other fields, types or keys than there are now"
            ))
            .hint("nothing was written; make the plan anew with --plan-out"));
        }
        if collection.create.is_some() && !listed.head.create {
            return Err(Error::new(
                Kind::Stale,
                format!(
                    "target collection={name}: it was there when the plan was made, and is gone"
                ),
            )
            .hint(
                "nothing was written; look at the target, then make the plan anew with --plan-out",
            ));
        }
        listed.met = true;
        let mut alongside = Alongside {
            actions: listed.actions.read()?,
            next: None,
            unmet: 0,
        };
        alongside.advance()?;
        Ok(Some(Box::new(alongside)))
    }

    fn is_complete(&self) -> bool {
        true
    }

    fn close(&self) -> Result<()> {
        let unmet = self.collections.iter().find(|one| !one.met);
        unmet.map_or(Ok(()), |one| {
            Err(Error::config(format!(
                "the plan has collection={}, which is not among those of this run",
                one.head.collection
            ))
            .hint("nothing was written; use the options that the plan was made with"))
        })
    }
}

/// Planned actions, walked alongside the fresh ones.
struct Alongside<'a> {
    actions: SpoolReader<'a>,
    next: Option<Wanted>,
    unmet: u64,
}

impl Alongside<'_> {
    fn advance(&mut self) -> Result<()> {
        self.next = self.actions.next()?.map(decode).transpose()?;
        Ok(())
    }
}

impl Chooser for Alongside<'_> {
    fn choose(&mut self, key: &[u8], action: &Decoded) -> Result<Choice> {
        while self
            .next
            .as_ref()
            .is_some_and(|next| next.key.as_slice() < key)
        {
            self.unmet += 1;
            self.advance()?;
        }
        let Some(next) = self.next.take_if(|next| next.key == key) else {
            return Ok(Choice::Leave);
        };
        self.advance()?;
        let same = (next.op, next.before, next.after) == (action.op, action.before, action.after);
        Ok(if same { Choice::Take } else { Choice::Changed })
    }

    fn end(&mut self) -> Result<u64> {
        while self.next.is_some() {
            self.unmet += 1;
            self.advance()?;
        }
        Ok(self.unmet)
    }
}

#[cfg(test)]
mod tests;
