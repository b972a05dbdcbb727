//! A client's connection to a world in memory.

use super::snapshot::MemorySnapshot;
use super::writer::MemoryWriter;
use super::{By, Memory, follow};
use trueup_core::endpoint::{
    About, Capabilities, Claim, Class, Design, Endpoint, Snapshot, Writer,
};
use trueup_core::error::{Error, Result};
use trueup_core::follow::{FollowRequest, Opened};
use trueup_core::rights::{Rights, Wanted};
use trueup_core::schema::Schema;

/// One client of a [`Memory`]. Dropping it is a crash of the client and nothing more.
#[derive(Debug)]
pub struct MemoryEndpoint {
    memory: Memory,
}

impl MemoryEndpoint {
    pub(super) fn new(memory: Memory) -> Self {
        Self { memory }
    }
}

impl Endpoint for MemoryEndpoint {
    fn about(&self) -> About {
        let address = format!("memory:{}", self.memory.name);
        About {
            engine: "memory",
            version: "1".to_owned(),
            identity: address.clone(),
            address,
            class: Class::Transactional,
            capabilities: Capabilities {
                write: true,
                create: true,
                marker: true,
                check: true,
                ordered: true,
                typed: true,
            },
            notes: Vec::new(),
        }
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        Ok(self.memory.lock().tables.keys().cloned().collect())
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        Ok(self.memory.schema(collection))
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        let place = || format!("collection={}", wanted.collection);
        if wanted.collection.is_empty() {
            return Err(Error::config("a collection needs a name").hint("name the collection"));
        }
        if wanted.fields.is_empty() {
            return Err(Error::config("a collection needs a field").at(place()));
        }
        for (index, field) in wanted.fields.iter().enumerate() {
            if wanted.index_of(&field.name) != Some(index) || field.name.is_empty() {
                let message = format!("field={}: the name is empty or occurs twice", field.name);
                return Err(Error::config(message).at(place()).hint("rename the field"));
            }
        }
        let mut schema = native(wanted);
        for field in &mut schema.fields {
            field.generated = false;
            field.inferred = false;
        }
        for &index in &schema.key {
            schema.fields[index].nullable = false;
        }
        schema.notes.clear();
        Ok(Design {
            schema,
            statement: format!("create {}", wanted.collection),
        })
    }

    fn rights(&mut self, wanted: &[Wanted]) -> Result<Rights> {
        let world = self.memory.lock();
        let lacking = world.lacking.iter();
        let missing = lacking.filter(|one| wanted.contains(&one.wanted)).cloned();
        Ok(Rights {
            missing: missing.collect(),
            notes: Vec::new(),
        })
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        let world = self.memory.lock();
        let snapshot = MemorySnapshot::new(world.position(), world.tables.clone());
        Ok(Box::new(snapshot.hashing(world.hashed)))
    }

    fn follow(&mut self, request: &FollowRequest<'_>) -> Result<Opened> {
        follow::open(&self.memory, request)
    }

    fn epoch(&mut self, link: &str) -> Result<Option<u64>> {
        Ok(Some(self.memory.epoch(link)))
    }

    fn writer(&mut self, claim: &Claim) -> Result<Box<dyn Writer>> {
        let mut world = self.memory.lock();
        let epoch = world.epochs.get(&claim.link).copied().unwrap_or(0) + 1;
        world.epochs.insert(claim.link.clone(), epoch);
        world.commit("", &By::Outsider, Vec::new());
        drop(world);
        Ok(Box::new(MemoryWriter::new(
            self.memory.clone(),
            claim.clone(),
            epoch,
        )))
    }

    fn join(&mut self, claim: &Claim, epoch: u64) -> Result<Option<Box<dyn Writer>>> {
        let writer = MemoryWriter::new(self.memory.clone(), claim.clone(), epoch);
        Ok(Some(Box::new(writer)))
    }
}

/// Returns `schema` with this endpoint's own type names.
pub(super) fn native(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    for field in &mut schema.fields {
        field.native = format!("memory:{}", field.ty);
    }
    schema
}
