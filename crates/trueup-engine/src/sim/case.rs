//! What a seed stands for.

use crate::link::{CollectionSpec, Comparison, Limits, Mode};
use crate::two_way::{ConflictRule, PolicySpec, TwoWay};
use trueup_core::guard::Guard;
use trueup_core::policy::{OnDelete, Policy};
use trueup_core::side::Side;
use trueup_testkit::memory::Sabotage;
use trueup_testkit::sim::random::Random;
use trueup_testkit::sim::{Act, Rates, Setting};

/// A protection that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    Marker,
    Epoch,
    Check,
    StaleList,
}

/// The rules for conflicts, in the order of the simulated sides.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// `None`: an expression decides.
    default: Option<Policy>,
    field: Option<(&'static str, Policy)>,
    on_delete: OnDelete,
    stamp: bool,
}

impl Rules {
    fn of(random: &mut Random) -> Self {
        let whole = [
            Some(Policy::Manual),
            Some(Policy::Manual),
            Some(Policy::Source),
            Some(Policy::Target),
            Some(Policy::Newest),
            Some(Policy::KeepBoth(Side::Source)),
            Some(Policy::Max),
            Some(Policy::Min),
            None,
        ];
        let single = [Policy::Source, Policy::Target, Policy::Max, Policy::Manual];
        let default = random.pick(&whole);
        let field = random.chance(30).then(|| random.pick(&["x", "y"]));
        Self {
            default,
            field: field.map(|name| (name, random.pick(&single))),
            on_delete: random.pick(&[OnDelete::Keep, OnDelete::Wins]),
            stamp: default == Some(Policy::Newest),
        }
    }

    /// The link's rules, for a user who calls the sides so, or the other way round.
    pub(super) fn link(&self, turned: bool) -> TwoWay {
        let named = |policy: Policy| match turned {
            true => PolicySpec::Named(policy.mirrored()),
            false => PolicySpec::Named(policy),
        };
        let expression = || {
            let (ours, theirs) = match turned {
                true => ("target", "source"),
                false => ("source", "target"),
            };
            PolicySpec::Expression(format!("{ours}.x > {theirs}.x ? \"{ours}\" : \"{theirs}\""))
        };
        let rule = |(name, policy): (&str, Policy)| ConflictRule {
            collection: None,
            field: Some(name.to_owned()),
            policy: named(policy),
        };
        TwoWay {
            default: self.default.map_or_else(expression, named),
            rules: self.field.map(rule).into_iter().collect(),
            on_delete: vec![(None, self.on_delete)],
            stamps: match self.stamp {
                true => vec![(None, "at".to_owned())],
                false => Vec::new(),
            },
        }
    }
}

/// One simulation.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) seed: u64,
    pub(super) setting: Setting,
    pub(super) sabotage: Sabotage,
    pub(super) mode: Mode,
    pub(super) guard: Guard,
    pub(super) limits: Limits,
    pub(super) rules: Rules,
    /// The target's collections are missing at first.
    pub(super) bare_target: bool,
    /// People decide conflicts.
    pub(super) answers: bool,
    /// Runs in trouble.
    pub(super) passes: usize,
    /// Idle runs at the end.
    pub(super) idle_passes: usize,
}

impl Case {
    /// Returns what `seed` stands for.
    pub(super) fn of(seed: u64, flaw: Flaw) -> Self {
        let mut random = Random::new(seed ^ 0x7275_6575_7021);
        // Drawn apart, so that seeds stand for what they always stood for.
        let hashes = Random::new(seed ^ 0x6861_7368_6573).chance(50);
        let collections = random.pick(&[&["a"][..], &["a", "b"]]).to_vec();
        let two_way = matches!(flaw, Flaw::Check | Flaw::StaleList) || random.chance(60);
        let rules = Rules::of(&mut random);
        let setting = Setting {
            collections,
            keys: 3 + random.below(6),
            two_way,
            stamp: two_way && rules.stamp,
            narrow: random.chance(20),
            rates: rates(&mut random),
            lose_stale_list: flaw == Flaw::StaleList,
            trace: false,
        };
        Self {
            seed,
            setting,
            rules,
            sabotage: Sabotage {
                no_marker: flaw == Flaw::Marker,
                no_epoch_check: flaw == Flaw::Epoch,
                no_check: flaw == Flaw::Check,
            },
            mode: Mode {
                write: true,
                count_all: random.chance(20),
                delete: random.chance(70),
                verify: random.chance(8),
                lift_guard: random.chance(30),
                compare: Comparison::Auto,
            },
            guard: Guard {
                deletes_percent_max: 50,
                deletes_max: 2,
                emptied_max: 2,
            },
            limits: Limits {
                batch_records_max: 1 + random.below(3),
                load_batches: 1 + random.below(2),
                batches_ahead: 0,
                hash_bytes_min: if hashes { 0 } else { u64::MAX },
                ..Limits::default()
            },
            bare_target: random.chance(20),
            answers: two_way && random.chance(50),
            passes: 1 + random.below(4),
            idle_passes: if random.chance(5) { 10 } else { 1 },
        }
    }
}

impl Case {
    /// The collections by name, where what they are called must not depend on which side the user calls the source.
    pub(super) fn specs(&self) -> Vec<CollectionSpec> {
        let names = self.setting.collections.iter();
        let names = names.filter(|_| self.setting.two_way);
        let spec = |name: &&str| CollectionSpec {
            source: (*name).to_owned(),
            target: (*name).to_owned(),
            ..CollectionSpec::default()
        };
        names.map(spec).collect()
    }

    /// The rules for conflicts, where the link goes both ways.
    pub(super) fn two_way(&self, turned: bool) -> Option<TwoWay> {
        self.setting.two_way.then(|| self.rules.link(turned))
    }
}

/// Each seed has some kinds of trouble and not others, so that no kind hides another.
fn rates(random: &mut Random) -> Rates {
    let most = [
        (Act::Write, 60),
        (Act::Burst, 4),
        (Act::Break, 12),
        (Act::LoseReply, 300),
        (Act::Late, 200),
        (Act::Land, 60),
        (Act::Ail, 8),
        (Act::Delay, 400),
        (Act::Slow, 10),
        (Act::Poison, 6),
        (Act::BackUp, 10),
        (Act::PutBack, 16),
        (Act::Crash, 25),
        (Act::SecondEngine, 6),
        (Act::SecondEngineOfCopy, 15),
        (Act::CopyState, 10),
        (Act::PutBackState, 12),
        (Act::LoseState, 4),
        (Act::Stop, 6),
    ];
    let mut rates = Rates::default();
    for (act, rate) in most {
        if random.chance(55) {
            rates = rates.with(act, 1 + random.below(rate) as u16);
        }
    }
    // What cannot be put back without the one that is made first comes with it.
    for (copy, back) in [
        (Act::BackUp, Act::PutBack),
        (Act::CopyState, Act::PutBackState),
    ] {
        if rates.of(back) > 0 {
            rates = rates.with(copy, 12);
        }
    }
    rates
}
