//! Putting the new file in the place of the old one: rights, leftovers, other writers, full disks.

use super::{Folder, claim, text_schema as schema, write};
use crate::file::disk::{Disk, Local};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use trueup_core::Kind;
use trueup_core::endpoint::{Endpoint, Op};
use trueup_core::failpoint::Failpoints;
use trueup_core::value::Value::{self, Int, Text};

#[test]
fn rights_are_kept_and_links_followed() {
    let folder = Folder::with("real", "id,v\n1,a\n");
    fs::set_permissions(folder.path("real"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real", folder.path("x.csv")).unwrap();
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &schema,
        &["id", "v"],
        &[(Op::Update, &[Int(1), Text("b")])],
        1,
        false,
    )
    .unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("real"), "id,v\n1,b\n");
    assert!(
        fs::symlink_metadata(folder.path("x.csv"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        fs::metadata(folder.path("real"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o640
    );
}

#[test]
fn leftovers_are_swept_and_living_writers_are_not() {
    let folder = Folder::with("x.csv", "id,v\n");
    folder.put(".trueup-x.csv.tmp", "id,v\n1,half");
    folder.put(".trueup-y.csv.tmp", "");
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    let mut first = claim(&mut endpoint);
    assert_eq!(folder.names(), ["x.csv"]);
    let record: [(Op, &[Value<'_>]); 1] = [(Op::Insert, &[Int(1), Text("a")])];
    write(first.as_mut(), &schema, &["id", "v"], &record, 1, true).unwrap();
    let mut other = folder.plain();
    let mut second = claim(&mut other);
    assert_eq!(
        folder.names(),
        [".trueup-x.csv.tmp", "x.csv"],
        "the first still writes it"
    );
    let error = write(second.as_mut(), &schema, &["id", "v"], &record, 1, true).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale, "{error}");
    drop(second);
    first.finish("x").unwrap();
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("id,v\n1,a\n", 1)
    );
}

#[test]
fn leftovers_are_swept_without_a_writer_too() {
    let folder = Folder::with("x.csv", "id,v\n");
    folder.put(".trueup-x.csv.tmp", "id,v\n1,old");
    let mut reader = folder.plain();
    reader.schema("x").unwrap();
    drop(reader.snapshot().unwrap());
    assert_eq!(folder.names().len(), 2, "who only reads removes nothing");
    folder.plain().sweep().unwrap();
    assert_eq!(folder.names(), ["x.csv"]);
}

#[test]
fn an_unfinished_writer_leaves_nothing() {
    let folder = Folder::new();
    let mut endpoint = folder.plain();
    let design = endpoint.design(&schema("x", &["id"])).unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &design.schema,
        &["id"],
        &[(Op::Insert, &[Int(1)])],
        1,
        true,
    )
    .unwrap();
    assert_eq!(folder.names(), [".trueup-x.csv.tmp"]);
    drop(writer);
    assert!(folder.names().is_empty());
}

/// A disk on which something happens at the exchange, or which is full.
#[derive(Debug, Default)]
struct Meddled {
    /// Contents that somebody else puts in place right before the first exchanges.
    foreign: Mutex<Vec<&'static str>>,
    exchanges: AtomicUsize,
    full: AtomicBool,
    /// What creating a file says instead of doing it.
    refuses: Option<io::ErrorKind>,
    target: PathBuf,
    no_exchange: bool,
}

impl Disk for Meddled {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        match self.refuses {
            Some(kind) => Err(kind.into()),
            None => Local.create(path, mode),
        }
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            Local.write(file, &bytes[..bytes.len() / 2], at)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Local.write(file, bytes, at)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        Local.sync(file)
    }
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        if self.no_exchange {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if let Some(content) = self.foreign.lock().unwrap().pop() {
            let theirs = self.target.with_extension("theirs");
            fs::write(&theirs, content)?;
            fs::rename(&theirs, &self.target)?;
        }
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        Local.exchange(one, other)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        Local.rename_new(from, to)
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        Local.rename_over(from, to)
    }
    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        Local.sync_dir(directory)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Local.remove(path)
    }
}

/// Updates record 1 on `disk` and returns how the finish went.
fn finish_on(
    folder: &Folder,
    disk: Arc<Meddled>,
    between: impl FnOnce(),
) -> trueup_core::Result<()> {
    let mut endpoint = folder.on(disk, Failpoints::none());
    let schema = endpoint.schema("x").unwrap().unwrap();
    drop(endpoint.snapshot().unwrap());
    let mut writer = claim(&mut endpoint);
    let records: [(Op, &[Value<'_>]); 1] = [(Op::Update, &[Int(1), Text("ours")])];
    write(writer.as_mut(), &schema, &["id", "v"], &records, 1, false)?;
    between();
    writer.finish("x")
}

#[test]
fn whoever_wrote_meanwhile_keeps_their_file() {
    let theirs = "id,v\n1,theirs\n2,more\n";
    // Between the first batch and the finish.
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let disk = Arc::new(Meddled {
        target: folder.path("x.csv"),
        ..Meddled::default()
    });
    let error = finish_on(&folder, disk, || folder.put("x.csv", theirs)).unwrap_err();
    assert_eq!(
        (error.kind(), folder.get("x.csv").as_str()),
        (Kind::Stale, theirs)
    );
    assert_eq!(folder.names(), ["x.csv"]);
    // In the moment between the last look and the exchange.
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let foreign = Mutex::new(vec![theirs]);
    let disk = Arc::new(Meddled {
        target: folder.path("x.csv"),
        foreign,
        ..Meddled::default()
    });
    let error = finish_on(&folder, Arc::clone(&disk), || {}).unwrap_err();
    assert_eq!(
        (error.kind(), folder.get("x.csv").as_str()),
        (Kind::Stale, theirs)
    );
    assert_eq!(disk.exchanges.load(Ordering::Relaxed), 2, "there and back");
    assert_eq!(folder.names(), ["x.csv"]);
    // And again while theirs was being put back: the newest stays, the other is kept aside.
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let foreign = Mutex::new(vec!["id,v\n3,newest\n", theirs]);
    let disk = Arc::new(Meddled {
        target: folder.path("x.csv"),
        foreign,
        ..Meddled::default()
    });
    let error = finish_on(&folder, disk, || {}).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale);
    assert_eq!(folder.get("x.csv"), "id,v\n3,newest\n");
    assert_eq!(folder.get(".trueup-x.csv.kept"), theirs);
    assert!(error.advice().unwrap().contains(".kept"), "{error:?}");
}

#[test]
fn a_file_that_changed_after_the_snapshot_is_not_replaced() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let mut endpoint = folder.plain();
    let schema = endpoint.schema("x").unwrap().unwrap();
    drop(endpoint.snapshot().unwrap());
    folder.put("x.csv", "id,v\n1,theirs\n");
    let mut writer = claim(&mut endpoint);
    let records: [(Op, &[Value<'_>]); 1] = [(Op::Update, &[Int(1), Text("ours")])];
    let error = write(writer.as_mut(), &schema, &["id", "v"], &records, 1, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Stale);
    drop(endpoint.snapshot().unwrap());
    write(writer.as_mut(), &schema, &["id", "v"], &records, 1, false).unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("x.csv"), "id,v\n1,ours\n");
}

#[test]
fn a_file_that_appeared_meanwhile_is_not_replaced() {
    let folder = Folder::new();
    let mut endpoint = folder.plain();
    let design = endpoint.design(&schema("x", &["id"])).unwrap();
    let mut writer = claim(&mut endpoint);
    write(
        writer.as_mut(),
        &design.schema,
        &["id"],
        &[(Op::Insert, &[Int(1)])],
        1,
        true,
    )
    .unwrap();
    folder.put("x.csv", "theirs\n");
    assert_eq!(writer.finish("x").unwrap_err().kind(), Kind::Stale);
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("theirs\n", 1)
    );
}

#[test]
fn without_exchange_the_file_is_renamed_over() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    finish_on(
        &folder,
        Arc::new(Meddled {
            no_exchange: true,
            ..Meddled::default()
        }),
        || {},
    )
    .unwrap();
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("id,v\n1,ours\n", 1)
    );
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let disk = Arc::new(Meddled {
        full: AtomicBool::new(true),
        ..Meddled::default()
    });
    let error = finish_on(&folder, disk, || {}).unwrap_err();
    assert_eq!(error.kind(), Kind::Rejected);
    assert!(error.advice().unwrap().contains("make room"), "{error:?}");
    assert_eq!(
        (folder.get("x.csv").as_str(), folder.names().len()),
        ("id,v\n1,a\n", 1)
    );
}

#[test]
fn a_load_goes_on_when_there_is_room_again() {
    let folder = Folder::new();
    let disk = Arc::new(Meddled::default());
    let mut endpoint = folder.on(Arc::clone(&disk) as Arc<dyn Disk>, Failpoints::none());
    let design = endpoint.design(&schema("x", &["id"])).unwrap();
    let mut writer = claim(&mut endpoint);
    let mut load = |value, batch| {
        write(
            writer.as_mut(),
            &design.schema,
            &["id"],
            &[(Op::Insert, &[value])],
            batch,
            true,
        )
    };
    load(Int(1), 1).unwrap();
    disk.full.store(true, Ordering::Relaxed);
    assert_eq!(
        load(Text("a long text, half of which is written"), 2)
            .unwrap_err()
            .kind(),
        Kind::Rejected
    );
    disk.full.store(false, Ordering::Relaxed);
    load(Int(2), 2).unwrap();
    writer.finish("x").unwrap();
    assert_eq!(folder.get("x.csv"), "id\n1\n2\n");
}

#[test]
fn missing_rights_leave_the_old_file() {
    for refused in [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
    ] {
        let folder = Folder::with("x.csv", "id,v\n1,a\n");
        let disk = Arc::new(Meddled {
            refuses: Some(refused),
            ..Meddled::default()
        });
        let error = finish_on(&folder, disk, || {}).unwrap_err();
        assert_eq!(error.kind(), Kind::Auth, "{error:?}");
        assert!(
            error
                .advice()
                .unwrap()
                .contains("directory must be writable")
        );
        assert_eq!(folder.get("x.csv"), "id,v\n1,a\n");
        assert_eq!(folder.names(), ["x.csv"]);
    }
}

#[test]
fn a_directory_that_nobody_may_write_to_is_an_auth_error() {
    let folder = Folder::with("x.csv", "id,v\n1,a\n");
    let rights = |mode| {
        fs::set_permissions(folder.path(""), fs::Permissions::from_mode(mode)).unwrap();
    };
    rights(0o555);
    // Rights do not bind root; what the endpoint makes of the refusal is the test before this one.
    let bound = File::create(folder.path("probe")).is_err();
    let finished = finish_on(&folder, Arc::new(Meddled::default()), || {});
    rights(0o755);
    if bound {
        assert_eq!(finished.unwrap_err().kind(), Kind::Auth);
        assert_eq!(folder.get("x.csv"), "id,v\n1,a\n");
    } else {
        finished.unwrap();
        assert_eq!(folder.get("x.csv"), "id,v\n1,ours\n");
    }
}
