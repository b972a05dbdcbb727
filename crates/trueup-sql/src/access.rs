//! Asks the operating system what this process may do with files and folders.
//!
//! Invariant: nothing is opened, created or changed: the kernel is asked (`access`), which knows owners, groups, access
//! control lists and file systems mounted for reading only. The answer can be outdated when it arrives.

use rustix::fs::Access;
use rustix::io::Errno;
use std::path::Path;
use trueup_core::rights::{Remedy, Rights, Wanted};

/// Asks for the right to read a file; one that does not exist is somebody else's finding.
pub(crate) fn read_file(path: &Path, wanted: &Wanted, rights: &mut Rights) {
    if path.exists() {
        ask(path, Access::READ_OK, wanted, "read file", rights);
    }
}

/// Asks for the right to change a file in place; one that does not exist will be created by its owner.
pub(crate) fn write_file(path: &Path, wanted: &Wanted, rights: &mut Rights) {
    if path.exists() {
        let both = Access::READ_OK | Access::WRITE_OK;
        ask(path, both, wanted, "read and write file", rights);
    }
}

/// Asks for the right to create files in a folder. Where `created`, a missing folder will be made, so that the one
/// above it counts.
pub(crate) fn write_folder(folder: &Path, created: bool, wanted: &Wanted, rights: &mut Rights) {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut folder = folder;
    while created && !folder.exists() {
        match folder.parent() {
            Some(parent) if parent.as_os_str().is_empty() => folder = Path::new("."),
            Some(parent) => folder = parent,
            None => break,
        }
    }
    if folder.exists() && !folder.is_dir() {
        let advice = "name another place: a file stands where the folder should be";
        rights.lack(
            wanted,
            format!("a folder={}", folder.display()),
            Remedy::Advice(advice.to_owned()),
        );
        return;
    }
    let into = Access::WRITE_OK | Access::EXEC_OK;
    ask(folder, into, wanted, "create files in folder", rights);
}

fn ask(path: &Path, access: Access, wanted: &Wanted, what: &str, rights: &mut Rights) {
    if let Err(error) = rustix::fs::access(path, access) {
        let right = format!("{what}={}", path.display());
        rights.lack(wanted, right, Remedy::Advice(advice(error).to_owned()));
    }
}

/// What to do about a refusal.
fn advice(error: Errno) -> &'static str {
    match error {
        Errno::ACCESS | Errno::PERM => "let this user do so (chmod, chown), or run as its owner",
        Errno::ROFS => {
            "its file system is mounted for reading only; mount it for writing, or name another place"
        }
        Errno::NOENT => "create it first",
        Errno::NOTDIR => "name another place: a part of its path is a file",
        _ => "see what the operating system says about it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_advice() {
        for (error, word) in [
            (Errno::ACCESS, "chmod"),
            (Errno::ROFS, "mounted for reading only"),
            (Errno::NOENT, "create it"),
            (Errno::NOTDIR, "is a file"),
            (Errno::IO, "operating system"),
        ] {
            assert!(advice(error).contains(word), "{error}");
        }
    }

    #[test]
    fn folders_are_asked_as_they_will_be_used() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        let wanted = Wanted::Create("t".to_owned());
        let ask = |folder: &Path, created| {
            let mut rights = Rights::default();
            write_folder(folder, created, &wanted, &mut rights);
            let missing = rights.missing.into_iter();
            missing.map(|one| one.remedy).collect::<Vec<_>>()
        };
        let says = |text: &str| [Remedy::Advice(text.to_owned())];
        assert_eq!(ask(root.path(), false), []);
        assert_eq!(ask(Path::new(""), false), []);
        assert_eq!(
            ask(&root.path().join("new"), false),
            says("create it first")
        );
        assert_eq!(ask(&root.path().join("new/deep"), true), []);
        let taken = "name another place: a file stands where the folder should be";
        assert_eq!(ask(&file, false), says(taken));
        assert_eq!(ask(&file.join("below"), true), says(taken));
        let beyond = "name another place: a part of its path is a file";
        assert_eq!(ask(&file.join("below"), false), says(beyond));
    }
}
