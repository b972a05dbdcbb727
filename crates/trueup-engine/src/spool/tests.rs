use super::{Spool, Spooled};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::path::Path;
use tempfile::TempDir;
use trueup_core::{Kind, Result};

fn entries() -> Vec<Vec<u8>> {
    [0, 1, 127, 128, 300, 0, 5]
        .iter()
        .map(|&len| (0..len).map(|at| at as u8).collect())
        .collect()
}

fn spooled(folder: &Path) -> Spooled {
    let mut spool = Spool::new(folder);
    for entry in entries() {
        spool.push(&entry).unwrap();
    }
    spool.finish().unwrap()
}

fn read(spooled: &mut Spooled) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let mut reader = spooled.read()?;
    while let Some(entry) = reader.next()? {
        found.push(entry.to_owned());
    }
    Ok(found)
}

#[test]
fn entries_come_back_in_order_as_often_as_asked() {
    let folder = TempDir::new().unwrap();
    let mut spooled = spooled(folder.path());
    for _ in 0..3 {
        assert_eq!(read(&mut spooled).unwrap(), entries());
    }
    // A reader that stopped in the middle takes nothing from the next one.
    assert!(spooled.read().unwrap().next().unwrap().is_some());
    assert_eq!(read(&mut spooled).unwrap(), entries());
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "the file has no name");
}

#[test]
fn spool_without_entries_needs_no_file() {
    let mut spooled = Spool::new(Path::new("/nowhere/at/all")).finish().unwrap();
    assert!(spooled.file.is_none());
    assert_eq!(read(&mut spooled).unwrap(), Vec::<Vec<u8>>::new());
}

/// The bytes of the file.
fn content(spooled: &Spooled) -> Vec<u8> {
    let mut file = spooled.file.as_ref().unwrap();
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Replaces the file's content.
fn forge(spooled: &Spooled, bytes: &[u8]) {
    let mut file = spooled.file.as_ref().unwrap();
    file.rewind().unwrap();
    file.set_len(0).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn torn_file_is_corrupt_wherever_it_is_torn() {
    let folder = TempDir::new().unwrap();
    let mut spooled = spooled(folder.path());
    let bytes = content(&spooled);
    assert_eq!(bytes.len() as u64, spooled.bytes);
    for len in 0..bytes.len() {
        forge(&spooled, &bytes[..len]);
        let error = read(&mut spooled).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "cut at {len}");
    }
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= bit;
            forge(&spooled, &bytes);
            let error = read(&mut spooled).unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt, "byte {at} ^ {bit:#x}");
        }
    }
    forge(&spooled, &bytes);
    assert_eq!(read(&mut spooled).unwrap(), entries());
}

#[test]
fn length_beyond_the_file_is_corrupt_before_any_room_is_made() {
    let folder = TempDir::new().unwrap();
    for head in [
        vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        vec![0xff; 40],
        [vec![0x80; 9], vec![0x00]].concat(),
    ] {
        let mut spooled = spooled(folder.path());
        let bytes = content(&spooled);
        forge(&spooled, &[head, bytes].concat());
        let mut reader = spooled.read().unwrap();
        let mut outcome = reader.next().map(|entry| entry.map(<[u8]>::to_owned));
        while let Ok(Some(_)) = outcome {
            outcome = reader.next().map(|entry| entry.map(<[u8]>::to_owned));
        }
        assert_eq!(outcome.unwrap_err().kind(), Kind::Corrupt);
        assert!(reader.entry.capacity() < 10_000);
    }
}

#[test]
fn full_disk_says_so() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut spool = Spool::new(Path::new("/the/folder"));
    spool.file = Some(BufWriter::new(full));
    let big = vec![7; 1 << 20];
    let error = spool.push(&big).unwrap_err();
    assert_eq!(error.kind(), Kind::Rejected);
    assert!(error.message().contains("/the/folder"), "{error:?}");
    assert!(error.advice().unwrap().contains("full"), "{error:?}");
    // What is still in the buffer fails at the end, not in silence.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut spool = Spool::new(Path::new("/the/folder"));
    spool.file = Some(BufWriter::new(full));
    spool.push(b"little").unwrap();
    assert_eq!(spool.finish().unwrap_err().kind(), Kind::Rejected);
}

#[test]
fn missing_folder_is_named() {
    let mut spool = Spool::new(Path::new("/nowhere/at/all"));
    let error = spool.push(b"entry").unwrap_err();
    assert!(error.message().contains("/nowhere/at/all"), "{error:?}");
}
