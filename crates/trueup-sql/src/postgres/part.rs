//! Cuts a table into ranges of blocks, which several sessions read at the same time.
//!
//! Invariant: as long as the snapshot that cut it is kept, each record that it sees lies in exactly one part. An update leaves
//! the old version where it is, what is added lies behind or is not seen, and the last part has no end; only a rewrite of the
//! table (`VACUUM FULL`, `CLUSTER`, `ALTER TABLE`) moves a version, and that waits for the lock that is taken here. The lock is
//! the one that every reader has; the snapshot keeps it to its end, where a scan would give it back.

use super::connect::{Connection, column};
use super::schema::Table;
use trueup_core::Result;
use trueup_core::endpoint::Part;

/// The first version that finds the blocks of a range without reading those before.
const VERSION_MIN: i32 = 140_000;

/// Cuts `table` into parts of at least `bytes_min`. Partitioned and foreign ones lie elsewhere, and where policies hide records
/// a range is looked for in all blocks.
pub(super) fn parts(
    connection: &Connection,
    table: &Table,
    bytes_min: u64,
    parts_max: usize,
) -> Result<Vec<Part>> {
    if table.row_security {
        return Ok(Vec::new());
    }
    // Not by LOCK TABLE, which asks for a right on the whole table where those on its fields suffice to read it.
    connection.execute(&format!("SELECT FROM {} LIMIT 0", table.sql_only()))?;
    let sql = "SELECT coalesce(pg_relation_size(c.oid), 0), coalesce(pg_table_size(c.oid), 0), \
               current_setting('block_size')::int8, \
               c.relkind = 'r' AND m.amname = 'heap' AND current_setting('server_version_num')::int4 >= $2 \
               FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam WHERE c.oid = $1";
    let rows = connection.query(sql, &[&table.oid(), &VERSION_MIN])?;
    let Some(row) = rows.first() else {
        return Ok(Vec::new());
    };
    if !column::<Option<bool>>(row, 3)?.unwrap_or(false) {
        return Ok(Vec::new());
    }
    let number = |index| column::<i64>(row, index).map(i64::unsigned_abs);
    let (size, all, block) = (number(0)?, number(1)?, number(2)?.max(1));
    Ok(cut(size / block, all, bytes_min, parts_max))
}

/// Cuts `blocks`, which have `bytes` with all that is kept elsewhere for them. The last part has no end.
fn cut(blocks: u64, bytes: u64, bytes_min: u64, parts_max: usize) -> Vec<Part> {
    let wanted = (bytes / bytes_min.max(1)).clamp(1, parts_max.max(1) as u64);
    let wanted = wanted.min(blocks.max(1));
    let at = |n: u64| blocks * n / wanted;
    let part = |n: u64| Part {
        from: at(n),
        until: (n + 1 < wanted).then(|| at(n + 1)),
        bytes: bytes / wanted,
    };
    (0..wanted).map(part).collect()
}

/// The condition that lets only the records of a part through.
pub(super) fn filter(part: Part) -> String {
    let end = part.until.map_or(String::new(), |until| {
        format!(" AND ctid < '({until},0)'::tid")
    });
    format!(" WHERE ctid >= '({},0)'::tid{end}", part.from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_26_parts_lie_side_by_side_and_the_last_one_is_open() {
        for (blocks, bytes, bytes_min, parts_max, expected) in [
            (0, 0, 100, 8, 1),
            (1, 8_192, 100, 8, 1),
            (10, 81_920, 8_192, 4, 4),
            (10, 81_920, 8_192, 100, 10),
            (10, 81_920, 81_921, 4, 1),
            (3, 900_000, 100, 8, 3),
            (7, 57_344, 0, 3, 3),
            (7, 57_344, 8_192, 0, 1),
        ] {
            let parts = cut(blocks, bytes, bytes_min, parts_max);
            assert_eq!(parts.len(), expected, "{blocks} {bytes} {bytes_min}");
            let ends: Vec<_> = parts.iter().map(|part| part.until).collect();
            let mut begins: Vec<_> = parts.iter().map(|part| Some(part.from)).collect();
            assert_eq!(begins.remove(0), Some(0));
            begins.push(None);
            assert_eq!(ends, begins);
        }
    }
}
