//! A transaction in a world in memory: what it writes shows when it is committed, and not before.

use super::table::Table;
use super::writer::{self, MemoryWriter};
use super::{By, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Mark, Outcome, Writes};
use trueup_core::error::{Error, Kind, Result};
use trueup_core::follow::Transaction;
use trueup_core::schema::Schema;

/// What it has written, by collection.
type Written = BTreeMap<String, Vec<super::table::Changed>>;

pub(super) struct MemoryTransaction<'a> {
    writer: &'a MemoryWriter,
    /// Where the world stood when it began: nobody else writes meanwhile, in these tests.
    began: u64,
    tables: BTreeMap<String, Arc<Table>>,
    written: Written,
}

impl<'a> MemoryTransaction<'a> {
    pub(super) fn begin(writer: &'a MemoryWriter) -> Result<Self> {
        let world = writer.memory().lock();
        writer.fence(&world)?;
        Ok(Self {
            writer,
            began: world.position,
            tables: world.tables.clone(),
            written: BTreeMap::new(),
        })
    }

    fn changes(&mut self, collection: &str) -> &mut Vec<super::table::Changed> {
        self.written.entry(collection.to_owned()).or_default()
    }
}

impl Transaction for MemoryTransaction<'_> {
    fn write(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        let mut changes = Vec::new();
        let table = writer::table_in(&mut self.tables, writes)?;
        let outcomes = (0..writes.ops.len())
            .map(|index| writer::write(table, writes, index, None, &mut changes))
            .collect();
        self.changes(&writes.schema.collection).extend(changes);
        Ok(outcomes)
    }

    fn amend(&mut self, writes: &Writes<'_>, before: Option<&Batch>) -> Result<Vec<Outcome>> {
        let mut changes = Vec::new();
        let table = writer::table_in(&mut self.tables, writes)?;
        let outcomes = (0..writes.ops.len())
            .map(|index| writer::amend(table, writes, before, index, &mut changes))
            .collect();
        self.changes(&writes.schema.collection).extend(changes);
        Ok(outcomes)
    }

    fn clear(&mut self, schema: &Schema) -> Result<()> {
        let mut changes = Vec::new();
        let table = self.tables.get_mut(&schema.collection);
        let table = Arc::make_mut(table.ok_or_else(|| Error::bug("no such collection"))?);
        let places: Vec<_> = table.records.keys().cloned().collect();
        changes.extend(places.iter().filter_map(|place| table.remove(place)));
        self.changes(&schema.collection).extend(changes);
        Ok(())
    }

    fn commit(self: Box<Self>, mark: &Mark) -> Result<()> {
        let Self {
            writer,
            began,
            tables,
            written,
        } = *self;
        let mut world = writer.memory().lock();
        writer.fence(&world)?;
        if world.position != began {
            return Err(Error::new(Kind::Rejected, "somebody else wrote meanwhile")
                .hint("write to a world in memory from one place at a time"));
        }
        world.tables = tables;
        writer.store(&mut world, mark, mark.position.clone());
        let by = By::Batch {
            link: writer.link().to_owned(),
            partition: mark.partition.clone(),
            batch: mark.batch,
        };
        commit_all(&mut world, &by, written);
        Ok(())
    }
}

/// All collections' changes are of one commit.
fn commit_all(world: &mut World, by: &By, written: Written) {
    world.position += 1;
    let position = world.position();
    for (collection, changes) in written {
        world.note(&position, &collection, by, changes);
    }
}
