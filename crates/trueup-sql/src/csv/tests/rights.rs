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

fn rights(path: &std::path::Path, wanted: &[Wanted]) -> Rights {
    let address = format!("csv:{}", path.display());
    let mut endpoint = crate::csv::connect(&address, &[], Context::empty()).unwrap();
    endpoint.rights(wanted).unwrap()
}

#[test]
fn folder_lacks_nothing_also_where_it_will_be_made() {
    let folder = Folder::with("t.csv", "id\n1\n");
    assert_eq!(rights(&folder.path(""), &all()), Rights::default());
    assert_eq!(rights(&folder.path("t.csv"), &all()), Rights::default());
    let new = folder.path("new/deep");
    assert_eq!(rights(&new, &all()[2..]), Rights::default());
    assert_eq!(folder.names(), ["t.csv"]);
}

#[test]
fn what_is_to_be_read_must_be_there() {
    let folder = Folder::with("t.csv", "id\n1\n");
    for (place, name) in [("u.csv", "u"), ("", "u")] {
        let wanted = [Wanted::Read(name.to_owned())];
        let missing = rights(&folder.path(place), &wanted).missing;
        let rights: Vec<&str> = missing.iter().map(|one| one.right.as_str()).collect();
        let file = fs::canonicalize(folder.path("")).unwrap().join("u.csv");
        assert_eq!(rights, [format!("a file={}", file.display())]);
    }
}

#[test]
fn file_that_stands_where_a_folder_should_is_told() {
    let folder = Folder::with("t.csv", "id\n1\n");
    let missing = rights(&folder.path("t.csv/below"), &all()[2..]).missing;
    let shown = format!("a folder={}", folder.path("t.csv").display());
    let rights: Vec<&str> = missing.iter().map(|one| one.right.as_str()).collect();
    assert_eq!(rights, [shown]);
}
