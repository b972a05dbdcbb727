//! The same trials with fresh seeds, for as long as told: `./soak` starts it.
//!
//! Invariant: a difference fails the test, and tells the seed that shows it.

use super::kills::{Ledger, Measured};
use super::world::server;
use super::{edited, kills};
use crate::support::{Dice, variable};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Worlds at a time, each with a server of its own.
const WORKERS: usize = 2;
/// Runs that die, or meet edits, before a world is given up for a new one.
const LIVES: usize = 8;

#[test]
#[ignore = "runs for as long as TRUEUP_SOAK_SECONDS says; ./soak starts it"]
#[expect(
    clippy::disallowed_methods,
    reason = "somebody said for how long; nothing is asserted on it"
)]
fn soak() {
    let seconds = variable("TRUEUP_SOAK_SECONDS").map(|text| text.parse().expect("a number"));
    let until = std::time::Instant::now() + Duration::from_secs(seconds.unwrap_or(60));
    let (first, once) = (Dice::seed(), variable("TRUEUP_SEED").is_some());
    let (next, total) = (AtomicU64::new(0), Mutex::new(Ledger::default()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let server = server();
                let measured = Measured::usual(&server);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if once && index > 0 || !once && std::time::Instant::now() >= until {
                        break;
                    }
                    let seed = first.wrapping_add(index);
                    let mut ledger = Ledger {
                        seeds: 1,
                        ..Ledger::default()
                    };
                    let lived = catch_unwind(AssertUnwindSafe(|| {
                        kills::live(&server, seed, LIVES, &measured, &mut ledger);
                        edited::live(&server, seed, LIVES, &measured, &mut ledger);
                    }));
                    if lived.is_err() {
                        ledger.differences = 1;
                        say(&format!("a difference: ./soak --seed {seed} shows it"));
                        server.restart().expect("PostgreSQL can be started");
                    }
                    total.lock().unwrap().add(&ledger);
                }
            });
        }
    });
    let total = *total.lock().unwrap();
    say(&total.to_string());
    assert_eq!(total.differences, 0, "see above");
}

fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").unwrap();
}
