//! What stands between a user and the files.

use super::*;
use trueup_core::rights::{Rights, Wanted};

fn all() -> Vec<Wanted> {
    vec![
        Wanted::List,
        Wanted::Read("t".to_owned()),
        Wanted::Write("t".to_owned()),
        Wanted::Create("u".to_owned()),
        Wanted::Control,
    ]
}

fn rights(path: &std::path::Path) -> Rights {
    let address = format!("csv:{}", path.display());
    let mut endpoint = crate::csv::connect(&address, &[], Context::empty()).unwrap();
    endpoint.rights(&all()).unwrap()
}

#[test]
fn folder_lacks_nothing_also_where_it_will_be_made() {
    let folder = Folder::with("t.csv", "id\n1\n");
    assert_eq!(rights(&folder.path("")), Rights::default());
    assert_eq!(rights(&folder.path("t.csv")), Rights::default());
    assert_eq!(rights(&folder.path("new/deep")), Rights::default());
    assert_eq!(folder.names(), ["t.csv"]);
}

#[test]
fn file_that_stands_where_a_folder_should_is_told() {
    let folder = Folder::with("t.csv", "id\n1\n");
    let missing = rights(&folder.path("t.csv/below")).missing;
    let shown = format!("a folder={}", folder.path("t.csv").display());
    let rights: Vec<&str> = missing.iter().map(|one| one.right.as_str()).collect();
    assert_eq!(rights, [shown]);
}
