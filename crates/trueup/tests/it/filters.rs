//! A link that takes a part of the records, on the command line: what stays, what is told, what is refused.

use crate::support::{self, Trueup};
use std::fs;
use std::path::Path;

fn shop(folder: &Path, orders: &str) {
    fs::create_dir_all(folder.join("shop")).unwrap();
    let orders = format!("id,status,total\n{orders}");
    fs::write(folder.join("shop/orders.csv"), orders).unwrap();
}

fn sync(folder: &Path, options: &[&str]) -> support::Output {
    Trueup::new(folder)
        .sync(["csv:shop", "sqlite:books.db"])
        .arguments(["--key", "orders=id", "--quiet"])
        .arguments(options)
        .run()
}

fn held(folder: &Path) -> Vec<(i64, String)> {
    let database = rusqlite::Connection::open(folder.join("books.db")).unwrap();
    let mut rows = database
        .prepare("SELECT id, status FROM orders ORDER BY id")
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_record_that_leaves_the_filter_stays_and_one_that_is_gone_goes() {
    let folder = support::folder();
    let folder = folder.path();
    let paid = [
        "--where",
        "orders=status == \"paid\" && total > 0",
        "--delete",
    ];
    shop(folder, "1,paid,5.50\n2,open,9.00\n3,paid,7.25\n");
    let output = sync(folder, &paid);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stdout.contains("1 record hidden"),
        "{}",
        output.stdout
    );
    let of = |ids: &[i64]| -> Vec<_> { ids.iter().map(|&id| (id, "paid".to_owned())).collect() };
    assert_eq!(held(folder), of(&[1, 3]));
    // 1 leaves the filter, 3 is gone.
    shop(folder, "1,void,5.50\n2,open,9.00\n");
    let output = sync(folder, &paid);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(held(folder), of(&[1]));
}

#[test]
fn a_wrong_filter_is_shown_where_it_is_wrong() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder, "1,paid,5.50\n");
    for (filter, wanted) in [
        (
            "orders=stauts == \"paid\"",
            "no such field: field=\"stauts\"",
        ),
        ("status > 5", "never compare: kinds=string,int"),
        ("total", "a filter is true or false"),
        (
            "items=total > 1",
            "--where names the collection items, which takes no part",
        ),
    ] {
        let output = sync(folder, &["--where", filter]);
        assert_eq!(output.code, Some(2), "{filter} {}", output.stdout);
        assert!(output.stderr.contains(wanted), "{filter} {}", output.stderr);
    }
    assert!(!folder.join("books.db").exists());
}

/// What every database decides of a filter, by values that servers and trueup might read differently.
#[test]
fn what_the_source_decides_is_said_and_changes_nothing() {
    let folder = support::folder();
    let folder = folder.path();
    let (postgres, mariadb) = (support::database(), support::mariadb());
    let table = "CREATE TABLE orders (id int PRIMARY KEY, status varchar(9), total decimal(9,2), made date)";
    let rows = "INSERT INTO orders VALUES (1, 'paid', 5.50, '2024-02-29'), (2, 'Paid', 9, '2024-03-01'), \
                (3, 'paid ', 7.25, '2024-03-01'), (4, 'paid', NULL, NULL), (5, NULL, 1, '2024-03-01')";
    for sql in [table, rows] {
        postgres.sql(sql).unwrap();
        mariadb.sql(sql).unwrap();
    }
    support::sqlite(
        &folder.join("shop.db"),
        &format!("{}; {rows}", table.replace(" int ", " integer ")),
    );
    let filter = "id > 0 && status == \"paid\" && made >= \"2024-02-29\"";
    for (number, source, said) in [
        (0, postgres.url(), Some("all of it")),
        (1, mariadb.url(), Some("all of it")),
        (2, "sqlite:shop.db".to_owned(), None),
    ] {
        let copy = format!("sqlite:copy{number}.db");
        let link = [source.as_str(), copy.as_str()];
        let checked = Trueup::new(folder).arguments(["check"]).arguments(link);
        let checked = checked.arguments(["--where", filter]).run().expect(0);
        let note = "where: the source decides all of it, and sends no other records";
        assert_eq!(checked.stdout.contains(note), said.is_some(), "{source}");
        let sync = Trueup::new(folder).sync(link);
        let synced = sync.arguments(["--where", filter]).run().expect(0);
        let note = match said {
            Some(part) => format!("the source decides {part}; what is hidden is not counted"),
            None => "4 records hidden".to_owned(),
        };
        assert!(synced.stdout.contains(&note), "{source} {}", synced.stdout);
        let copied = rusqlite::Connection::open(folder.join(format!("copy{number}.db"))).unwrap();
        let found: String = copied
            .query_row("SELECT group_concat(id) FROM orders", [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, "1", "{source}");
    }
}
