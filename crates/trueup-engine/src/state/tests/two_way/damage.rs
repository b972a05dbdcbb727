//! A file that was damaged or altered by hand: an error that names it, never a panic.

use super::refused::{dump, prepared};
use super::*;
use trueup_core::Kind;

/// Reads everything there is, as a run and the conflict commands would.
fn read_all(scene: &mut Scene) -> Result<()> {
    let (link, planes) = (scene.link.clone(), scene.planes);
    scene.store.pair(&link, &ends(), false)?;
    scene
        .store
        .collection(&link, &names(), SHAPE, &fields(), &[0])?;
    for entry in scene.store.base(planes, None, usize::MAX)? {
        scene.store.kept(planes, &entry.key, 2)?;
    }
    scene.store.conflicts(&ConflictFilter::default())?;
    scene.store.conflict(ConflictId(1))?;
    scene.store.answers(planes)?;
    let refused = scene.store.lapse(&link, ConflictId(3), "not yet");
    refused.map(drop)
}

const DAMAGES: &[&str] = &[
    "UPDATE pair SET source_seal = x'01'",
    "UPDATE pair SET pending = zeroblob(17)",
    "UPDATE pair_collection SET target_mark = x''",
    "UPDATE intent SET token = x'0102'",
    "UPDATE intent SET items = x''",
    "UPDATE intent SET items = CAST(x'02' || substr(items, 2) AS BLOB)",
    "UPDATE intent SET items = substr(items, 1, length(items) - 1)",
    "UPDATE intent SET items = CAST(items || x'00' AS BLOB)",
    "UPDATE intent SET items = x'01ffffffffffffffffff01'",
    "UPDATE intent SET items = x'0101ffffffffffffffff7f'",
    "UPDATE base SET entry = x''",
    "UPDATE base SET entry = x'0201'",
    "UPDATE base SET entry = substr(entry, 1, 9)",
    "UPDATE base SET kept = x'' WHERE kept IS NOT NULL",
    "UPDATE base SET kept = CAST(x'02' || substr(kept, 2) AS BLOB) WHERE kept IS NOT NULL",
    "UPDATE base SET kept = CAST(kept || x'00' AS BLOB) WHERE kept IS NOT NULL",
    "UPDATE base SET kept = x'0103000000' WHERE kept IS NOT NULL",
    "UPDATE shape SET source_fields = ''",
    "UPDATE shape SET source_fields = '{}'",
    "UPDATE shape SET source_fields = '[1,2]'",
    "UPDATE shape SET target_fields = '[\"id\"'",
    "UPDATE shape SET target_fields = '[\"id\"]'",
    "UPDATE shape SET key = '[2]'",
    "UPDATE shape SET key = '[-1]'",
    "UPDATE shape SET key = 'key'",
    "UPDATE conflict SET ruling = ''",
    "UPDATE conflict SET ruling = 'null'",
    "UPDATE conflict SET ruling = replace(ruling, '\"format\":1', '\"format\":2')",
    "UPDATE conflict SET ruling = replace(ruling, 'update/update', 'update')",
    "UPDATE conflict SET ruling = replace(ruling, 'manual', 'luck')",
    "UPDATE conflict SET ruling = replace(ruling, '\"field\":1', '\"field\":2')",
    "UPDATE conflict SET ruling = replace(ruling, '\"field\":1', '\"field\":-1')",
    "UPDATE conflict SET ruling = replace(ruling, 'open', 'closed')",
    "UPDATE conflict SET chosen = x''",
    "UPDATE conflict SET chosen = x'0103000000'",
    "UPDATE conflict SET source_record = x''",
    "UPDATE conflict SET source_record = CAST(x'02' || substr(source_record, 2) AS BLOB)",
    "UPDATE conflict SET source_record = x'0103000000'",
    "UPDATE conflict SET source_record = x'01ffffffffffffffffff01'",
    "UPDATE conflict SET target_record = CAST(target_record || x'00' AS BLOB)",
    "UPDATE conflict SET target_record = substr(target_record, 1, length(target_record) - 1)",
    "UPDATE conflict SET target_record = x'01020a02ffff00'",
    "UPDATE conflict SET target_record = CAST(x'01020d0100' || x'00' AS BLOB)",
    "UPDATE conflict SET target_record = x'010263'",
    "UPDATE conflict SET result = x'00'",
    "UPDATE conflict SET answer = '' WHERE id = 3",
    "UPDATE conflict SET answer = '{\"format\":1}' WHERE id = 3",
    "UPDATE conflict SET answer = '{\"format\":1,\"take\":\"both\"}' WHERE id = 3",
    "UPDATE conflict SET answer = '{\"format\":1,\"record\":[]}' WHERE id = 3",
    "UPDATE conflict SET answer = '{\"format\":2,\"take\":\"source\"}' WHERE id = 3",
    "UPDATE conflict SET answer = '{\"format\":1,\"take\":\"source\",\"record\":{}}' WHERE id = 3",
];

#[test]
fn every_damage_is_told_with_the_file_and_what_to_do() {
    let mut sound = prepared(Store::in_memory("ours").unwrap());
    read_all(&mut sound).expect("nothing is damaged");
    for damage in DAMAGES {
        let folder = folder();
        let path = folder.path().join("state.db");
        let mut scene = prepared(open(&path));
        let before = dump(&scene.store);
        scene.store.connection.execute_batch(damage).unwrap();
        assert_ne!(dump(&scene.store), before, "{damage} does nothing");
        let error = read_all(&mut scene).expect_err(damage);
        assert_eq!(error.kind(), Kind::Corrupt, "{damage}: {error:?}");
        assert!(error.message().contains("state.db"), "{damage}: {error:?}");
        let advice = error.advice().unwrap_or_default();
        assert!(advice.contains("--state"), "{damage}: {error:?}");
    }
}

/// Every byte of every stored form, changed in three ways: read or refused.
#[test]
fn no_byte_makes_reading_panic() {
    let prepared = prepared(Store::in_memory("ours").unwrap());
    for (table, column) in [
        ("intent", "items"),
        ("base", "entry"),
        ("base", "kept"),
        ("conflict", "source_record"),
        ("conflict", "ruling"),
        ("conflict", "answer"),
        ("shape", "key"),
    ] {
        let sql = format!("SELECT CAST({column} AS BLOB) FROM {table} WHERE {column} IS NOT NULL");
        let bytes: Option<Vec<u8>> = prepared.store.read_one("test", &sql, []).unwrap();
        let bytes = bytes.expect("there is one");
        for index in 0..bytes.len() {
            for change in [0x01, 0xff, bytes[index]] {
                let mut bytes = bytes.clone();
                bytes[index] ^= change;
                let mut scene = Scene {
                    store: prepared.store.copy().unwrap(),
                    link: prepared.link.clone(),
                    run: prepared.run,
                    planes: prepared.planes,
                };
                scene.run = scene.store.begin(&scene.link, 9).unwrap();
                let sql = format!(
                    "UPDATE {table} SET {column} = iif(typeof({column}) = 'text', CAST(?1 AS TEXT), ?1) \
                     WHERE {column} IS NOT NULL"
                );
                scene.store.connection.execute(&sql, [bytes]).unwrap();
                if let Err(error) = read_all(&mut scene) {
                    let told = [Kind::Corrupt, Kind::Bug, Kind::Config].contains(&error.kind());
                    assert!(told, "{table}.{column}[{index}]: {error:?}");
                }
            }
        }
    }
}

#[test]
fn an_intent_whose_conflict_is_missing_is_damage() -> Result<()> {
    for applied in [true, false] {
        let mut scene = prepared(Store::in_memory("ours")?);
        let held = "DELETE FROM conflict WHERE id = 5";
        scene.store.connection.execute_batch(held).unwrap();
        let (link, planes) = (scene.link.clone(), scene.planes);
        let intent = scene.row().intents.source.expect("prepared");
        let before = dump(&scene.store);
        let error = scene
            .store
            .finalise(&link, planes, Side::Source, &intent, &|_| applied)
            .expect_err("damaged");
        assert_eq!(error.kind(), Kind::Corrupt);
        assert_eq!(dump(&scene.store), before);
    }
    Ok(())
}
