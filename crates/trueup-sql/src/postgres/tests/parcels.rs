//! Parcels against a real server: what is handed over unread is what a scan would have read.

use super::{fresh, schema};
use crate::server::given::{claim, scan, shown};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Endpoint, Mark, Order, ScanRequest, Writer};
use trueup_core::parcel::{Delivered, Delivery, Parcel};
use trueup_core::schema::Schema;
use trueup_core::types::Type;

const ALL: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, code uuid, name varchar(40), total numeric(12,2), any_total numeric, \
     at timestamptz, local timestamp(3), paid boolean, doc jsonb, raw json, qty integer, few smallint, score double precision, ratio real, \
     day date, hour time, sig bytea)";

const FILL: &str = "INSERT INTO orders SELECT i, md5(i::text)::uuid, nullif('name ' || i, 'name 3'), i / 100.0, (i || '.' || i)::numeric, \
     timestamptz '2024-01-01Z' + i * interval '1 minute', '2024-01-01', i % 2 = 0, jsonb_build_object('n', i), '{ \"n\" : 1 }', i, i, \
     i / 7.0, i / 7.0, '2024-02-29', '24:00', decode(md5(i::text), 'hex') FROM generate_series(1, 50) i; \
     INSERT INTO orders (id, any_total, at, day, score) VALUES (51, 'NaN', 'infinity', '-infinity', '-0'), (52, '-Infinity', '0044-03-15 BC', '0001-01-01', 'NaN')";

/// All fields of `schema`, in parcels of at most `records`.
fn asked<'a>(
    schema: &'a Schema,
    fields: &'a [usize],
    wanted: &'a [Type],
    records: usize,
) -> ScanRequest<'a> {
    ScanRequest {
        schema,
        fields,
        wanted,
        order: Order::Natural,
        after: None,
        batch_records_max: records,
        batch_bytes_max: 1 << 20,
    }
}

fn parcels(
    endpoint: &mut dyn Endpoint,
    collection: &str,
    records: usize,
) -> (Option<String>, Vec<Parcel>) {
    let schema = schema(endpoint, collection);
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let wanted: Vec<Type> = schema.fields.iter().map(|field| field.ty).collect();
    let mut snapshot = endpoint.snapshot().unwrap();
    let request = asked(&schema, &fields, &wanted, records);
    let form = snapshot.form(&request).unwrap();
    let mut all = Vec::new();
    let mut reading = snapshot.parcels(&request, None).unwrap();
    loop {
        let mut parcel = Parcel::default();
        if !reading.next(&mut parcel).unwrap() {
            break;
        }
        assert!(parcel.records <= records);
        all.push(parcel);
    }
    (form, all)
}

fn deliver(writer: &mut dyn Writer, schema: &Schema, parcel: &Parcel, batch: u64) -> Delivered {
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let mark = Mark {
        partition: schema.collection.clone(),
        batch,
        position: vec![7],
    };
    let delivery = Delivery {
        schema,
        fields: &fields,
        parcel,
        mark: &mark,
    };
    writer.deliver(&delivery).unwrap()
}

#[test]
fn what_is_delivered_is_what_a_scan_reads() {
    let (one, mut source) = fresh(&format!("{ALL}; {FILL}"));
    let (other, mut target) = fresh(ALL);
    let (form, parcels) = parcels(source.as_mut(), "orders", 7);
    let fields: Vec<usize> = (0..17).collect();
    let read = shown(&scan(source.as_mut(), "orders").0);
    let to = schema(target.as_mut(), "orders");
    let mut writer = target.writer(&claim()).unwrap();
    assert!(form.is_some());
    assert_eq!(writer.form(&to, &fields).unwrap(), form);
    let mut opened = Batch::new(fields.len());
    for (batch, parcel) in (1..).zip(&parcels) {
        assert!(!parcel.odd);
        let delivered = deliver(writer.as_mut(), &to, parcel, batch);
        assert_eq!(delivered, Delivered::Durable);
        writer.open(&to, &fields, parcel, &mut opened).unwrap();
    }
    assert_eq!(parcels.len(), 8);
    writer.finish("orders").unwrap();
    assert_eq!(writer.marker("orders").unwrap().unwrap().batch, 8);
    // The source was filled in the order of its key.
    assert_eq!(shown(&opened), read);
    let digest = "SELECT sum(hash_record_extended(o, 0))::text FROM (SELECT id, code, name, total, any_total, at, local, paid, doc, raw::text, \
         qty, few, score, ratio, day, hour, sig FROM orders) o";
    assert_eq!(one.sql(digest).unwrap(), other.sql(digest).unwrap());
}

#[test]
fn a_parcel_that_is_refused_leaves_no_trace() {
    let (_one, mut source) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 20) i",
    );
    let (_, parcels) = parcels(source.as_mut(), "t", 100);
    for (name, after) in [
        ("check", "ALTER TABLE t ADD CHECK (v <> 13)"),
        (
            "unique",
            "ALTER TABLE t ADD UNIQUE (v); INSERT INTO t VALUES (99, 4)",
        ),
        ("key", "INSERT INTO t VALUES (20, 0)"),
        (
            "later",
            "CREATE TABLE p (v int PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (v) REFERENCES p DEFERRABLE INITIALLY DEFERRED",
        ),
        (
            "trigger",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.v = 7 THEN RETURN NULL; END IF; RETURN NEW; END'; \
                     CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        ),
    ] {
        let (other, mut target) = fresh("CREATE TABLE t (id int PRIMARY KEY, v int)");
        other.sql(after).unwrap();
        let before = other.sql("SELECT count(*) FROM t").unwrap();
        let to = schema(target.as_mut(), "t");
        let mut writer = target.writer(&claim()).unwrap();
        assert_eq!(
            deliver(writer.as_mut(), &to, &parcels[0], 1),
            Delivered::Refused,
            "{name}"
        );
        assert_eq!(writer.marker("t").unwrap(), None, "{name}");
        assert_eq!(
            other.sql("SELECT count(*) FROM t").unwrap(),
            before,
            "{name}"
        );
    }
}

#[test]
fn a_form_names_every_type_and_is_named_for_whole_values_only() {
    let forms = |types: &str| {
        let (_database, mut endpoint) = fresh(&format!(
            "CREATE TYPE mood AS ENUM ('good'); CREATE TABLE t (id int PRIMARY KEY, v {types})"
        ));
        let from = parcels(endpoint.as_mut(), "t", 1).0;
        let to = schema(endpoint.as_mut(), "t");
        let mut writer = endpoint.writer(&claim()).unwrap();
        assert_eq!(writer.form(&to, &[0, 1]).unwrap(), from, "{types}");
        from
    };
    let known = [
        "int",
        "bigint",
        "numeric",
        "numeric(10,2)",
        "numeric(12,2)",
        "text",
        "varchar(3)",
        "timestamp",
        "timestamptz",
        "json",
        "jsonb",
    ];
    let mut named: Vec<String> = known
        .into_iter()
        .map(|types| forms(types).unwrap())
        .collect();
    named.sort();
    named.dedup();
    assert_eq!(named.len(), known.len());
    for types in ["char(3)", "\"char\"", "mood", "int[]", "interval", "inet"] {
        assert_eq!(forms(types), None, "{types}");
    }
}

#[test]
fn what_only_the_server_can_hold_makes_a_parcel_odd() {
    for (types, value, odd) in [
        ("timestamp", "294276-12-31", true),
        ("timestamptz", "294276-12-31Z", true),
        ("timestamp", "294246-01-01", false),
        ("timestamp", "infinity", false),
        ("date", "5874897-12-31", false),
    ] {
        let sql = format!(
            "CREATE TABLE t (id int PRIMARY KEY, v {types}); INSERT INTO t VALUES (1, NULL), (2, '{value}')"
        );
        let (_database, mut endpoint) = fresh(&sql);
        let (_, parcels) = parcels(endpoint.as_mut(), "t", 1);
        let found: Vec<bool> = parcels.iter().map(|parcel| parcel.odd).collect();
        assert_eq!(found, [false, odd], "{types} {value}");
    }
}
