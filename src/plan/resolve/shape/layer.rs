//! Places in which a shape is set: flags, one scenario of the plan, the plan.

use std::ops::RangeInclusive;

use crate::config::ShapeSettings;
use crate::plan::Cancellations;
use crate::plan::resolve::settings::LONGEST_TIME;
use crate::plan::resolve::size::{MAX_ITERATIONS, MAX_USERS};
use crate::shape::{Delays, Rate, Stage, StageList};

/// Place in which a shape is set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Flags.
    Flags,
    /// Settings of one scenario of the plan, by its ID.
    Scenario(String),
    /// Settings of the plan.
    Plan,
}

/// Key of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Users,
    Iterations,
    Time,
    Pause,
    Rate,
    MaxInFlight,
    Stages,
    WarmUp,
    GracefulStop,
    CancelAfter,
    ProbeEvery,
    StuckAfter,
}

impl Key {
    pub(super) const ALL: [Self; 12] = [
        Self::Users,
        Self::Iterations,
        Self::Time,
        Self::Pause,
        Self::Rate,
        Self::MaxInFlight,
        Self::Stages,
        Self::WarmUp,
        Self::GracefulStop,
        Self::CancelAfter,
        Self::ProbeEvery,
        Self::StuckAfter,
    ];

    /// Name in `skyload.toml`, and of the flag.
    const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Iterations => "iterations",
            Self::Time => "for",
            Self::Pause => "pause",
            Self::Rate => "rate",
            Self::MaxInFlight => "max-in-flight",
            Self::Stages => "stages",
            Self::WarmUp => "warm-up",
            Self::GracefulStop => "graceful-stop",
            Self::CancelAfter => "cancel-after",
            Self::ProbeEvery => "probe-every",
            Self::StuckAfter => "stuck-after",
        }
    }

    /// Whether the key is set.
    const fn is_set(self, settings: &ShapeSettings) -> bool {
        match self {
            Self::Users => settings.users.is_some(),
            Self::Iterations => settings.iterations.is_some(),
            Self::Time => settings.time.is_some(),
            Self::Pause => settings.pause.is_some(),
            Self::Rate => settings.rate.is_some(),
            Self::MaxInFlight => settings.max_in_flight.is_some(),
            Self::Stages => settings.stages.is_some(),
            Self::WarmUp => settings.warm_up.is_some(),
            Self::GracefulStop => settings.graceful_stop.is_some(),
            Self::CancelAfter => settings.cancel_after.is_some(),
            Self::ProbeEvery => settings.probe_every.is_some(),
            Self::StuckAfter => settings.stuck_after.is_some(),
        }
    }
}

/// Shape as set in one place.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) place: Place,
    pub(super) settings: ShapeSettings,
}

impl Layer {
    /// Name of a key in messages.
    pub(super) fn name(&self, key: Key) -> String {
        match (&self.place, key) {
            (Place::Flags, Key::Users) => "-n".to_owned(),
            (Place::Flags, key) => format!("--{}", key.name()),
            (Place::Scenario(id), key) => format!("scenarios.\"{id}\".{}", key.name()),
            (Place::Plan, key) => key.name().to_owned(),
        }
    }

    /// Keys that are set.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        Key::ALL.into_iter().filter(|key| key.is_set(&self.settings))
    }

    /// Errors of keys that exclude one another, and of values out of range.
    pub(super) fn errors(&self) -> Vec<String> {
        self.conflicts().chain(self.out_of_range()).collect()
    }

    fn conflicts(&self) -> impl Iterator<Item = String> {
        const PAIRS: [(Key, Key, &str); 7] = [
            (Key::Rate, Key::Users, "an arrival rate has no users"),
            (Key::Rate, Key::Iterations, "an arrival rate lasts for a time"),
            (Key::Rate, Key::Pause, "an arrival rate has no pauses"),
            (Key::Rate, Key::Stages, "stages have rates of their own"),
            (Key::Time, Key::Iterations, "a load has a number of iterations or a time"),
            (Key::Stages, Key::Users, "stages have users or rates of their own"),
            (Key::Stages, Key::Time, "stages have times of their own"),
        ];
        let set = |key: Key| key.is_set(&self.settings);
        PAIRS.into_iter().filter(move |(one, other, _)| set(*one) && set(*other)).map(
            |(one, other, why)| {
                format!("{} with {}: {why}; remove one", self.name(one), self.name(other))
            },
        )
    }

    fn out_of_range(&self) -> impl Iterator<Item = String> {
        let settings = &self.settings;
        let counts: [(Key, Option<u32>, RangeInclusive<u32>); 4] = [
            (Key::Users, settings.users, 1..=MAX_USERS),
            (Key::Iterations, settings.iterations, 1..=MAX_ITERATIONS),
            (Key::MaxInFlight, settings.max_in_flight, 1..=MAX_USERS),
            (Key::ProbeEvery, settings.probe_every, Cancellations::DISTANCES),
        ];
        let counts = counts.into_iter().filter_map(move |(key, count, range)| {
            let count = count.filter(|count| !range.contains(count))?;
            let (least, most) = range.into_inner();
            let name = self.name(key);
            Some(format!("{name}: expected a number from {least} to {most}, got {count}"))
        });
        let times = [
            (Key::Time, settings.time),
            (Key::Pause, settings.pause.map(|pause| pause.longest())),
            (Key::WarmUp, settings.warm_up),
            (Key::GracefulStop, settings.graceful_stop),
            (Key::CancelAfter, settings.cancel_after.as_ref().map(Delays::longest)),
            (Key::StuckAfter, settings.stuck_after),
        ];
        let times = times.into_iter().filter(|(_, time)| time.is_some_and(|it| it > LONGEST_TIME));
        let times = times.map(|(key, _)| {
            let longest = humantime::format_duration(LONGEST_TIME);
            format!("{}: must be at most {longest}", self.name(key))
        });
        let nothing = [(Key::Time, settings.time), (Key::StuckAfter, settings.stuck_after)];
        let nothing = nothing.into_iter().filter(|(_, time)| time.is_some_and(|it| it.is_zero()));
        let empty_times =
            nothing.map(|(key, _)| format!("{}: must be longer than 0s", self.name(key)));
        let is_zero = settings.rate.is_some_and(Rate::is_zero);
        let zero_rate = is_zero.then(|| format!("{}: must be above 0", self.name(Key::Rate)));
        let stages = settings.stages.as_ref().and_then(fault_of_stages);
        let stages = stages.map(|fault| format!("{}: {fault}", self.name(Key::Stages)));
        counts.chain(times).chain(empty_times).chain(zero_rate).chain(stages)
    }
}

/// Reason why stages make no load; `None` if they make one.
fn fault_of_stages(stages: &StageList) -> Option<String> {
    fn time<T>(stages: &[Stage<T>]) -> std::time::Duration {
        crate::shape::total_time(stages)
    }
    let (time, is_nothing, most) = match stages {
        StageList::Users(stages) => {
            let most = stages.iter().map(|stage| stage.level).max().unwrap_or(0);
            (time(stages), most == 0, most)
        }
        StageList::Rates(stages) => {
            (time(stages), stages.iter().all(|stage| stage.level.is_zero()), 0)
        }
    };
    if is_nothing {
        return Some("expected a stage above 0".to_owned());
    }
    if most > MAX_USERS {
        return Some(format!("expected at most {MAX_USERS} users, got {most}"));
    }
    let longest = humantime::format_duration(LONGEST_TIME);
    (time > LONGEST_TIME).then(|| format!("must last at most {longest} together"))
}
