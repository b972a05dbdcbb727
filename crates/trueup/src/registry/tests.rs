use super::*;

/// `scheme address collection only`, or the error.
fn show(text: &str) -> String {
    match Address::parse(text) {
        Ok(address) => format!(
            "{} {} {} {}",
            address.scheme.names[0],
            address.address,
            address.collection.as_deref().unwrap_or("-"),
            address.only.as_deref().unwrap_or("-"),
        ),
        Err(error) => format!("{}: {error}", error.kind().name()),
    }
}

#[test]
fn addresses_read() {
    let unclear = "config: an address says neither by its scheme nor by its ending what kind of endpoint it is";
    for (text, expected) in [
        ("sqlite:shop.db", "sqlite sqlite:shop.db - -"),
        ("sqlite:shop.db#orders", "sqlite sqlite:shop.db orders -"),
        ("shop.db", "sqlite sqlite:shop.db - -"),
        ("a/shop.sqlite", "sqlite sqlite:a/shop.sqlite - -"),
        ("./x:y.sqlite3#t", "sqlite sqlite:./x:y.sqlite3 t -"),
        ("csv:shop", "csv csv:shop - -"),
        ("csv:shop#orders", "csv csv:shop orders -"),
        ("shop/", "csv csv:shop/ - -"),
        ("in/orders.csv", "csv csv:in/orders.csv - orders"),
        (
            "csv:in/orders.csv?null=NA",
            "csv csv:in/orders.csv?null=NA - orders",
        ),
        (
            "orders.csv?delimiter=;",
            "csv csv:orders.csv?delimiter=; - orders",
        ),
        (
            "csv:in?delimiter=;#orders",
            "csv csv:in?delimiter=; orders -",
        ),
        (".", "csv csv:. - -"),
        ("in/orders.csv.gz", "csv csv:in/orders.csv.gz - orders"),
        ("jsonl:lines", "jsonl jsonl:lines - -"),
        ("orders.jsonl", "jsonl jsonl:orders.jsonl - orders"),
        (
            "a/orders.ndjson.zst",
            "jsonl jsonl:a/orders.ndjson.zst - orders",
        ),
        (
            "jsonl:orders.2024.jsonl.gz?key=id",
            "jsonl jsonl:orders.2024.jsonl.gz?key=id - orders.2024",
        ),
        ("csv:-", "csv csv:- - -"),
        (
            "csv:-?key=id&name=orders",
            "csv csv:-?key=id&name=orders - orders",
        ),
        ("jsonl:-#orders", "jsonl jsonl:- orders -"),
        ("shop.db.gz", unclear),
        ("-", unclear),
        (
            "postgres://app@db1/shop#orders",
            "postgres postgres://app@db1/shop orders -",
        ),
        // A # in a password is none of ours.
        (
            "postgres://app:a#b@db1/shop",
            "postgres postgres://app:a#b@db1/shop - -",
        ),
        (
            "sqlite:shop.db#",
            "config: an address ends in # and names no collection",
        ),
        ("mariadb://a@b/c#t", "mysql mariadb://a@b/c t -"),
        (
            "oracle://a:secret@b/c",
            "config: there is no kind of endpoint called oracle",
        ),
        (
            "SQLITE:x.db",
            "config: there is no kind of endpoint called SQLITE",
        ),
        ("orders.orc", unclear),
        ("orders", unclear),
        ("", unclear),
    ] {
        assert_eq!(show(text), expected, "{text}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn addresses_of_parquet_read() {
    for (text, expected) in [
        ("orders.parquet", "parquet parquet:orders.parquet - orders"),
        ("parquet:lake#orders", "parquet parquet:lake orders -"),
    ] {
        assert_eq!(show(text), expected, "{text}");
    }
}

#[test]
fn an_unknown_scheme_lists_the_known_ones_and_shows_no_secret() {
    let error = Address::parse("ftp://me:hunter2@host/").err().unwrap();
    let hint = error.advice().unwrap();
    for scheme in SCHEMES {
        assert!(hint.contains(scheme.example), "{hint}");
    }
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_name_with_a_number_sign_is_a_path_when_it_exists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sales#2024.db");
    std::fs::write(&path, "").unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(show(path), format!("sqlite sqlite:{path} - -"));
    assert_eq!(
        show(&format!("{path}#t")),
        format!("sqlite sqlite:{path} t -")
    );
}

#[test]
fn a_dash_is_a_standard_stream_of_files_only() {
    for (text, expected) in [
        ("csv:-", true),
        ("jsonl:-?name=a", true),
        ("parquet:-", true),
        ("csv:./-", false),
        ("csv:-x", false),
        ("sqlite:-", false),
        ("-", false),
    ] {
        assert_eq!(Address::is_standard(text), expected, "{text}");
    }
    let folder = Path::new("configured");
    for text in ["csv:-", "jsonl:-?name=a"] {
        assert_eq!(Address::in_folder(text, folder).unwrap(), text);
    }
}

#[test]
fn files_that_an_address_names_are_in_the_folder() {
    for (text, expected) in [
        ("csv:in?null=NA", "csv:the & conf/in?null=NA"),
        ("sqlite:/a.db", "sqlite:/a.db"),
        ("postgres://u@h/d", "postgres://u@h/d"),
        (
            "postgres://u:a?b=sslkey@h/d?sslmode=verify-ca&sslrootcert=certs/ca%20b.pem",
            "postgres://u:a?b=sslkey@h/d?sslmode=verify-ca&sslrootcert=the%20%26%20conf/certs/ca%20b.pem",
        ),
        (
            "postgresql://h/d?sslcert=c.pem&sslkey=../k.pem",
            "postgresql://h/d?sslcert=the%20%26%20conf/c.pem&sslkey=the%20%26%20conf/../k.pem",
        ),
        (
            "postgres://h/d?sslrootcert=system&sslcert=/c.pem&sslkey=%2fk.pem",
            "postgres://h/d?sslrootcert=system&sslcert=/c.pem&sslkey=%2fk.pem",
        ),
        (
            "postgres://h/d?sslrootcert=&sslcert",
            "postgres://h/d?sslrootcert=&sslcert",
        ),
        (
            "postgres://h/d?password=file:pw",
            "postgres://h/d?password=file:the%20%26%20conf/pw",
        ),
        (
            "postgres://h/d?password=env:pw&host=x/y",
            "postgres://h/d?password=env:pw&host=x/y",
        ),
    ] {
        let found = Address::in_folder(text, Path::new("the & conf")).unwrap();
        assert_eq!(found, expected, "{text}");
        let same = Address::in_folder(text, Path::new("")).unwrap();
        assert_eq!(same, text, "beside the working directory nothing changes");
    }
}
