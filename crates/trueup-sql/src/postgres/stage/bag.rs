//! The statements that only a bag needs: no key finds a record again.

use super::{CHANGED, Parts, staged};

impl Parts<'_> {
    pub(super) fn places(&self) -> String {
        let (list, target) = (self.list(), self.table.sql_only());
        format!("SELECT t.tableoid, t.ctid::text, {list} FROM {target} AS t")
    }

    /// The same where nothing finds the record again: what its type makes of the value. An explicit cast also cuts
    /// texts that are too long, but those were refused before.
    pub(super) fn changed_by_cast(&self, fields: &[usize]) -> Option<String> {
        let modified = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.modified);
        let differs = modified.filter_map(|(at, column)| {
            let field = self.table.schema.fields.get(*fields.get(at)?)?;
            let native = field.native.strip_prefix("postgres:")?;
            let value = staged(at, column);
            Some(format!(
                "(({value})::{native})::text IS DISTINCT FROM ({value})::text"
            ))
        });
        let differs = differs.collect::<Vec<_>>().join(" OR ");
        let stage = self.stage;
        (!differs.is_empty())
            .then(|| format!("SELECT {CHANGED} FROM {stage} s WHERE {differs} LIMIT 1"))
    }

    /// Inserts what is staged, whatever stands there.
    pub(super) fn add(&self) -> String {
        format!("{} ORDER BY s.n", self.insert_head())
    }
}
