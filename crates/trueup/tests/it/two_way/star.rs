//! Many places: a hub with two spokes settles; a ring is refused before anything is written.

use super::editor::{Editor, edit_postgres, edit_sqlite};
use super::shape::{COLLECTIONS, Collection, SOURCE, System};
use crate::support::{self, Dice, Output, Trueup, attempt};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use trueup_testkit::servers::postgres::Database;

const SPOKES: [&str; 2] = ["one.db", "two.db"];
const ROUNDS: usize = 3;

struct Star {
    folder: TempDir,
    hub: Database,
    editor: Editor,
}

/// Those that the general script can compare.
fn there(collection: &Collection) -> bool {
    ["people", "stock"].contains(&collection.name)
}

impl Star {
    fn new(seed: u64) -> Self {
        let mut star = Self {
            folder: support::folder(),
            hub: support::database(),
            editor: Editor::new(seed),
        };
        let tables = |system| {
            let tables = COLLECTIONS.iter().filter(|one| there(one));
            tables.map(|one| one.table(system)).collect::<String>()
        };
        star.hub.sql(&tables(System::Postgres)).unwrap();
        for spoke in SPOKES {
            support::sqlite(&star.at().join(spoke), &tables(System::Sqlite));
        }
        star.edit(10);
        star
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    /// Edits all three places.
    fn edit(&mut self, count: usize) {
        self.editor.turn();
        for spoke in SPOKES {
            let edits = self.editor.edits(count, there);
            edit_sqlite(&self.folder.path().join(spoke), &edits).unwrap();
        }
        let edits = self.editor.edits(count, there);
        edit_postgres(&self.hub, &edits).unwrap();
    }

    fn sync(&self, one: &str, other: &str) -> Output {
        let run = Trueup::new(self.at()).sync([one, other, "--two-way", "--json", "--quiet"]);
        run.arguments(SOURCE.options()).run()
    }

    fn spoke(&self, spoke: &str) -> Output {
        self.sync(&format!("sqlite:{spoke}"), &self.hub.url())
    }

    /// One run each, and then the first again, which has not heard of what the second brought.
    fn settle(&self) {
        for spoke in [SPOKES[0], SPOKES[1], SPOKES[0]] {
            self.spoke(spoke).expect(0);
        }
        for spoke in SPOKES {
            let place = format!("sqlite:{spoke}");
            support::expect_same(self.at(), &place, &format!("postgres:{}", self.hub.name()));
            let idle = self.spoke(spoke).expect(0);
            for collection in idle.json()["collections"].as_array().unwrap() {
                for count in ["inserted", "updated", "deleted"] {
                    assert_eq!(collection[count], 0, "{count}\n{idle}");
                }
            }
        }
    }
}

#[test]
fn a_star_settles() {
    let seed = Dice::seed();
    attempt(&format!("TRUEUP_SEED={seed}"), || {
        let mut star = Star::new(seed);
        star.settle();
        for _ in 0..ROUNDS {
            star.edit(16);
            star.settle();
        }
    });
}

#[test]
fn a_ring_is_refused() {
    let star = Star::new(1);
    star.settle();
    let read = || SPOKES.map(|spoke| fs::read(star.at().join(spoke)).unwrap());
    let before = read();
    let [one, two] = SPOKES.map(|spoke| format!("sqlite:{spoke}"));
    for (one, other) in [(&one, &two), (&two, &one)] {
        let refused = star.sync(one, other).expect(2);
        for word in ["error[config]", "ring", "\n  hint: "] {
            assert!(refused.stderr.contains(word), "no {word:?} in\n{refused}");
        }
        assert!(before == read(), "something was written\n{refused}");
    }
    star.settle();
}
