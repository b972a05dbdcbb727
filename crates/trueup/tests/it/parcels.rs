//! Loads from one PostgreSQL server into another, which hand records over unread: what is kept back, refused or proven is
//! what it is when every value is read.

use crate::support::{self, Trueup};

const ORDERS: &str =
    "CREATE TABLE orders (id bigint PRIMARY KEY, note text, total numeric(12,2), at timestamptz)";
const FILL: &str = "INSERT INTO orders SELECT i, 'note ' || i, i / 100.0, timestamptz '2024-01-01Z' + i * interval '1 minute' \
     FROM generate_series(1, 25000) i";
const DIGEST: &str = "SELECT count(*), sum(hash_record_extended(o, 0)) FROM orders o";

#[test]
fn a_load_is_proven_although_it_was_not_read() {
    let folder = support::folder();
    let (one, other) = (support::database(), support::database());
    one.sql(&format!("{ORDERS}; {FILL}")).unwrap();
    other.sql(ORDERS).unwrap();
    let sides = [&*one.url(), &*other.url()];
    let sync = || Trueup::new(folder.path()).sync(sides);
    let unread = sync().arguments(["--no-verify", "--json"]).run().expect(0);
    let unread = unread.collection("orders");
    assert_eq!(unread["inserted"], 25_000);
    // Nobody has read them.
    assert!(unread["digest_source"].is_null(), "{unread}");
    assert_eq!(one.sql(DIGEST).unwrap(), other.sql(DIGEST).unwrap());
    other.sql("TRUNCATE orders").unwrap();
    let proven = sync().arguments(["--json"]).run().expect(0);
    let proven = proven.collection("orders");
    assert_eq!(proven["inserted"], 25_000);
    assert!(proven["digest_source"].is_string(), "{proven}");
    assert_eq!(proven["digest_source"], proven["digest_target"]);
}

#[test]
fn what_may_not_pass_is_found_among_what_may() {
    let folder = support::folder();
    let (one, other) = (support::database(), support::database());
    one.sql(&format!("{ORDERS}; {FILL}")).unwrap();
    // Beyond what we can hold; refused by the target; left out by a trigger of the target.
    one.sql("UPDATE orders SET at = '294276-12-31Z' WHERE id = 11; UPDATE orders SET total = -1 WHERE id = 12000")
        .unwrap();
    other
        .sql(&format!(
            "{ORDERS}; ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 24999 THEN RETURN NULL; END IF; RETURN NEW; END';
             CREATE TRIGGER g BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()"
        ))
        .unwrap();
    let sync = Trueup::new(folder.path()).sync([&one.url(), &other.url()]);
    let done = sync
        .arguments(["--json", "--batch-records", "5000"])
        .run()
        .expect(1);
    let done = done.collection("orders");
    assert_eq!(done["inserted"], 24_997);
    assert_eq!(done["parked"], 3, "{done}");
    let left = other.sql("SELECT string_agg(i::text, ' ' ORDER BY i) FROM generate_series(1, 25000) i WHERE i NOT IN (SELECT id FROM orders)");
    assert_eq!(left.unwrap().trim(), "11 12000 24999");
    let same =
        "SELECT sum(hash_record_extended(o, 0)) FROM orders o WHERE id NOT IN (11, 12000, 24999)";
    assert_eq!(one.sql(same).unwrap(), other.sql(same).unwrap());
}
