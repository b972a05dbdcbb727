//! The endpoint against a real server, started by the test kit.

use super::connect;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Context, Endpoint, Order, ScanRequest};
use trueup_testkit::servers::mariadb::{Database, shared};

fn fresh(sql: &str) -> (Database, Box<dyn Endpoint>) {
    let database = shared().unwrap().fresh_database().unwrap();
    database.sql(sql).unwrap();
    let endpoint = connect(&database.url(), Context::empty()).unwrap();
    (database, endpoint)
}

#[test]
fn reads() {
    let (_database, mut endpoint) = fresh(
        "SET sql_mode=''; CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, f FLOAT, d DECIMAL(65,30), b BIT(9), y YEAR, t TIME(6), e ENUM('a','b'), s SET('x','y'), j JSON, z DATE, dt DATETIME(6), ts TIMESTAMP NULL, c CHAR(4), vb VARBINARY(9), bo BOOL, u UUID, g POINT, i INET6) CHARSET latin1;
         INSERT INTO t VALUES (18446744073709551615, 16777216, 1.5, 257, 2024, '-838:59:59.5', 'b', 'x,y', '{\"a\":1}', '0000-00-00', '2024-01-02 03:04:05.000006', '2024-01-02 03:04:05', 'ab', x'00ff', 7, '123e4567-e89b-12d3-a456-426614174000', POINT(1,2), '::1'), (1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
    );
    println!("{:?}", endpoint.about());
    println!("{:?}", endpoint.collections());
    let schema = endpoint.schema("t").unwrap().unwrap();
    println!("{schema:?}");
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let wanted: Vec<_> = schema.fields.iter().map(|f| f.ty).collect();
    let mut snapshot = endpoint.snapshot().unwrap();
    println!("{}", snapshot.position());
    let request = ScanRequest { schema: &schema, fields: &fields, wanted: &wanted, order: Order::Key(&[0]), after: None, batch_records_max: 10, batch_bytes_max: 1 << 20 };
    println!("{:?}", snapshot.ordered(&request));
    let mut scan = snapshot.scan(&request).unwrap();
    let mut batch = Batch::new(fields.len());
    assert!(scan.next(&mut batch).unwrap());
    for r in batch.records() { println!("{:?}", r.values().collect::<Vec<_>>()); }
}
