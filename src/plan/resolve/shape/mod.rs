//! Shapes of scenarios, from flags, the plan's settings for a scenario, and those of the plan.
//!
//! The first of these places that names a shape decides it. A setting that no scenario uses is a
//! usage error, since its author expects an effect.

#[cfg(test)]
mod cancellation_tests;
mod layer;
mod stack;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Resolver;
use super::held::Held;
use crate::config::{FitSetting, ShapeSettings};
use crate::plan::Cancellations;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};
use crate::shape::{Change, LoadShape, Pause, Stage, Timed};
use layer::{Key, Layer, Place};
use stack::Stack;

/// Time that running iterations get by default.
const GRACEFUL_STOP: Duration = Duration::from_secs(30);

/// Most iterations of an arrival rate at a time, by default; fewer where memory carries fewer.
const MAX_IN_FLIGHT: u32 = 500;

/// Most iterations of an arrival rate at a time, by default, on a server on another machine: a typing error
/// should not overload a server that others use.
const MAX_IN_FLIGHT_ON_ANOTHER_MACHINE: u32 = 50;

/// Most iterations of an arrival rate at a time, by default.
pub const fn default_in_flight(is_on_another_machine: bool) -> u32 {
    if is_on_another_machine { MAX_IN_FLIGHT_ON_ANOTHER_MACHINE } else { MAX_IN_FLIGHT }
}

/// Most arrivals of a load: more is most likely a typing error.
const MAX_ARRIVALS: f64 = 1e8;

/// Shape of a scenario, before the number of users is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shaped {
    /// Number of users; `None` for the plan's.
    pub(super) users: Option<u32>,
    /// Form of the load.
    pub(super) form: Form,
    /// Cancellations of `api:launch_cancel`; `None` for every other scenario.
    pub(super) cancellations: Option<Cancellations>,
}

impl Shaped {
    /// Shape of a scenario without cancellations.
    fn of(users: Option<u32>, form: Form) -> Self {
        Self { users, form, cancellations: None }
    }

    /// Number of stages after the warm-up; 0 for a burst.
    pub(super) fn stages(&self) -> usize {
        match &self.form {
            Form::Burst(_) | Form::Held(None) => 0,
            Form::Loop { .. } | Form::Held(Some(_)) => 1,
            Form::Stages(timed) | Form::Arrivals(timed, _) => {
                let after_warm_up = |(_, end): &(String, Duration)| *end > timed.warm_up;
                timed.stages().iter().filter(|stage| after_warm_up(stage)).count()
            }
        }
    }
}

/// Form of a load.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// Synchronized iterations; `None` for the plan's number.
    Burst(Option<u32>),
    /// Closed loop of all users.
    Loop { time: Duration, pause: Pause, warm_up: Duration, graceful_stop: Duration },
    /// Connections that are held for a time, or for as long as other scenarios run.
    Held(Option<Duration>),
    /// Load in stages.
    Stages(Timed),
    /// Arrivals, with the most iterations at a time, if a number is set.
    Arrivals(Timed, Option<u32>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Burst(None)
    }
}

/// Shapes of all scenarios that do not have the plan's default.
pub(super) type Shapes = BTreeMap<ScenarioId, Shaped>;

impl Resolver<'_> {
    /// Shapes of the selected scenarios, with the numbers of connections that are held.
    pub(super) fn shapes(&mut self, scenarios: &[ScenarioId], held: &Held) -> Shapes {
        let (flags, before) = (self.typed_shape(), self.errors.len());
        let plan = Layer { place: Place::Plan, settings: self.settings.shape() };
        let flags = Layer { place: Place::Flags, settings: flags };
        let loads = scenarios.iter().filter(|id| id.kind() != ScenarioKind::Probe);
        let stacks: Vec<(ScenarioId, Vec<Layer>)> = loads
            .map(|id| {
                let of_scenario = self.settings.scenarios.get(&id.to_string());
                let of_scenario = of_scenario.map(|settings| Layer {
                    place: Place::Scenario(id.to_string()),
                    settings: settings.clone(),
                });
                (
                    *id,
                    [flags.clone()].into_iter().chain(of_scenario).chain([plan.clone()]).collect(),
                )
            })
            .collect();
        let mut places: BTreeMap<Place, Layer> = BTreeMap::new();
        for layer in stacks.iter().flat_map(|(_, stack)| stack).chain([&flags]) {
            places.entry(layer.place.clone()).or_insert_with(|| layer.clone());
        }
        self.errors.extend(places.values().flat_map(Layer::errors));
        // Other errors would only repeat these.
        if self.errors.len() > before {
            return Shapes::new();
        }
        let (mut shapes, mut used) = (Shapes::new(), BTreeSet::new());
        let is_alone = scenarios.iter().all(|id| id.kind().accompanies_load());
        for (id, stack) in &stacks {
            let mut stack = Stack { layers: stack, used: &mut used, graceful_stop: GRACEFUL_STOP };
            let cancellations = (*id == ScenarioId::ApiLaunchCancel).then(|| stack.cancellations());
            if let Some(cancellations) = &cancellations {
                // Shorter, it would end the wait for a launch that may be stuck.
                stack.graceful_stop = cancellations.longest_launch();
            }
            let shape = match id.kind() {
                ScenarioKind::Hold => stack.held(held.get(id).copied().flatten(), is_alone),
                _ => stack.shape(),
            };
            match shape {
                Ok(shaped) => {
                    shapes.insert(*id, Shaped { cancellations, ..shaped });
                }
                Err(error) => self.error(format!("{id}: {error}")),
            }
        }
        if self.errors.len() == before && !stacks.is_empty() {
            self.unused_ramp(&shapes);
            self.unused_fit(&shapes);
            self.async_launches(&shapes);
            let names_scenarios = self.names_scenarios();
            // The plan's settings are for the plan's scenarios.
            let checked = places.values().filter(|it| it.place != Place::Plan || !names_scenarios);
            for layer in checked {
                let unused =
                    layer.keys().filter(|key| !used.contains(&(layer.place.clone(), *key)));
                self.errors.extend(unused.map(|key| unused_error(layer, key)));
            }
        }
        shapes
    }

    /// Adds an error for launches that return at once and whose cluster the iteration takes down.
    fn async_launches(&mut self, shapes: &Shapes) {
        let takes_down = |(id, shaped): (&ScenarioId, &Shaped)| {
            let is_cli = id.kind() == ScenarioKind::Cli;
            is_cli && Scenario::of(*id).leaves_cluster() && !matches!(shaped.form, Form::Burst(_))
        };
        if self.request.run_async && shapes.iter().any(takes_down) {
            self.error(
                "--run-async: iterations of a load that lasts for a time take down the cluster \
                 that they launch, so they wait for it; remove it, or use --iterations"
                    .to_owned(),
            );
        }
    }

    /// Adds an error for a typed ramp that spreads no starts.
    fn unused_ramp(&mut self, shapes: &Shapes) {
        let is_ramped = |shaped: &Shaped| match &shaped.form {
            Form::Burst(_) | Form::Loop { .. } | Form::Held(_) => true,
            Form::Stages(timed) => LoadShape::Timed(timed.clone()).is_ramped(),
            Form::Arrivals(..) => false,
        };
        if self.request.ramp.is_some() && !shapes.values().any(is_ramped) {
            self.error(
                "--ramp: no selected scenario begins with all of its users; use stages, such as \
                 `--stages '50 in 2m'`, or remove it"
                    .to_owned(),
            );
        }
    }

    /// Adds an error for a typed time limit where no load can be reduced.
    fn unused_fit(&mut self, shapes: &Shapes) {
        // `off` is no limit, and as true of any other load.
        let fit = self.request.fit.as_deref().and_then(|text| text.parse().ok());
        let is_burst = |shaped: &Shaped| matches!(shaped.form, Form::Burst(_));
        if matches!(fit, Some(FitSetting::Within(_))) && !shapes.values().any(is_burst) {
            self.error(
                "--fit: no selected scenario is a burst, the only load that is reduced; use \
                 --iterations, or remove it"
                    .to_owned(),
            );
        }
    }

    /// Shape that flags set.
    fn typed_shape(&mut self) -> ShapeSettings {
        let request = self.request;
        ShapeSettings {
            users: self.typed_users(),
            iterations: self.typed_iterations(),
            time: self.time("--for", request.time.as_deref()),
            pause: self.setting("--pause", request.pause.as_deref()),
            rate: self.setting("--rate", request.rate.as_deref()),
            max_in_flight: self.typed_max_in_flight(),
            stages: self.setting("--stages", request.stages.as_deref()),
            warm_up: self.time("--warm-up", request.warm_up.as_deref()),
            graceful_stop: self.time("--graceful-stop", request.graceful_stop.as_deref()),
            cancel_after: self.setting("--cancel-after", request.cancel_after.as_deref()),
            probe_every: self.typed_probe_distance(),
            stuck_after: self.time("--stuck-after", request.stuck_after.as_deref()),
        }
    }

    fn time(&mut self, flag: &str, text: Option<&str>) -> Option<Duration> {
        let text = text?;
        let time = humantime::parse_duration(text.trim());
        let expected = "a time, such as `30s` or `5m`";
        time.map_err(|_| self.error(format!("{flag}: expected {expected}, got `{text}`"))).ok()
    }
}

/// Stages of a level that is held for a time, after a warm-up if there is one.
pub(super) fn with_warm_up<T: Copy>(level: T, time: Duration, warm_up: Duration) -> Vec<Stage<T>> {
    let stage = |time| Stage { level, change: Change::Hold, time };
    [warm_up, time].into_iter().filter(|time| !time.is_zero()).map(stage).collect()
}

fn unused_error(layer: &Layer, key: Key) -> String {
    let needs = match key {
        Key::Pause => "is a closed loop; add a time (--for)",
        Key::MaxInFlight => "has an arrival rate; add one (--rate)",
        Key::WarmUp | Key::GracefulStop => "lasts for a time; add one (--for)",
        Key::CancelAfter | Key::ProbeEvery | Key::StuckAfter => {
            "cancels launches; add `--api launch_cancel`"
        }
        Key::Users | Key::Iterations | Key::Time | Key::Rate | Key::Stages => "uses it",
    };
    format!("{}: no selected scenario {needs}, or remove it", layer.name(key))
}
