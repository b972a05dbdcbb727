//! Several batches in one transaction, with one marker.

use super::*;
use crate::server::given::transaction::{TABLES, all_or_nothing, fenced, many};

#[test]
fn several_batches_are_committed_with_their_marker_or_not_at_all() {
    let (database, mut endpoint) = fresh(TABLES);
    all_or_nothing(endpoint.as_mut(), &|sql| {
        database.sql(sql).unwrap().replace('|', "\t")
    });
}

#[test]
fn large_batches_of_one_transaction_do_not_mix() {
    let (database, mut endpoint) = fresh(TABLES);
    many(endpoint.as_mut(), &|sql| {
        database.sql(sql).unwrap().replace('|', "\t")
    });
}

#[test]
fn an_older_engine_begins_no_transaction() {
    let (_database, mut endpoint) = fresh(TABLES);
    fenced(endpoint.as_mut());
}
