//! Shape of one scenario from all places in which it may be set.

use std::collections::BTreeSet;
use std::time::Duration;

use super::layer::{Key, Layer, Place};
use super::{Form, MAX_ARRIVALS, Shaped, with_warm_up};
use crate::config::ShapeSettings;
use crate::plan::Cancellations;
use crate::shape::{Model, StageList, Timed};

/// Places in which the shape of a scenario may be set, highest first.
pub(super) struct Stack<'a> {
    pub(super) layers: &'a [Layer],
    /// Keys that had an effect on a scenario.
    pub(super) used: &'a mut BTreeSet<(Place, Key)>,
    /// Time that running iterations of the scenario get by default.
    pub(super) graceful_stop: Duration,
}

/// Form of a load, as its place decides it.
enum Decision {
    Burst,
    Loop,
    Arrivals,
    Stages(StageList),
}

impl Stack<'_> {
    /// Shape of the scenario.
    pub(super) fn shape(&mut self) -> Result<Shaped, String> {
        let Some((at, decision)) = self.decision() else {
            return Ok(Shaped::of(self.users(), Form::Burst(None)));
        };
        self.replace_below(at);
        match decision {
            Decision::Burst => {
                let iterations = self.take(Key::Iterations, |it| it.iterations);
                Ok(Shaped::of(self.users(), Form::Burst(iterations)))
            }
            Decision::Loop => self.closed_loop(at),
            Decision::Arrivals => self.arrivals(at),
            Decision::Stages(stages) => self.stages(at, stages),
        }
    }

    /// Cancellations of the scenario's launches.
    pub(super) fn cancellations(&mut self) -> Cancellations {
        let default = Cancellations::default();
        Cancellations {
            cancel_after: self
                .take(Key::CancelAfter, |it| it.cancel_after.clone())
                .unwrap_or(default.cancel_after),
            probe_every: self
                .take(Key::ProbeEvery, |it| it.probe_every)
                .unwrap_or(default.probe_every),
            stuck_after: self
                .take(Key::StuckAfter, |it| it.stuck_after)
                .unwrap_or(default.stuck_after),
        }
    }

    /// Shape of a scenario that holds connections: as many as a list says, or as users; for the time
    /// of the other scenarios or, `is_alone`, for a time of its own.
    pub(super) fn held(&mut self, count: Option<u32>, is_alone: bool) -> Result<Shaped, String> {
        let users = count.or_else(|| self.users());
        let time = match is_alone {
            true => Some(self.take(Key::Time, |it| it.time).ok_or(
                "held for the time of the other scenarios, and there are none; add a time, such as \
                 `--for 5m`",
            )?),
            false => None,
        };
        Ok(Shaped::of(users, Form::Held(time)))
    }

    /// Highest place that decides the form, and its decision.
    fn decision(&self) -> Option<(usize, Decision)> {
        self.layers.iter().enumerate().find_map(|(at, layer)| {
            let it = &layer.settings;
            let decision = match &it.stages {
                Some(stages) => Decision::Stages(stages.clone()),
                None if it.rate.is_some() => Decision::Arrivals,
                None if it.iterations.is_some() => Decision::Burst,
                None if it.time.is_some() => Decision::Loop,
                None => return None,
            };
            Some((at, decision))
        })
    }

    fn closed_loop(&mut self, at: usize) -> Result<Shaped, String> {
        // A time replaces that of a lower place, and not the rate there.
        let below = self.layers.iter().skip(at + 1).map(|layer| &layer.settings);
        match below.into_iter().find(|it| it.rate.is_some() || it.stages.is_some()) {
            Some(it) if it.stages.is_some() => {
                let name = self.layers[at].name(Key::Time);
                Err(format!("{name} with stages of the plan, which have times of their own"))
            }
            Some(_) => self.arrivals(at),
            None => {
                let form = Form::Loop {
                    time: self.take(Key::Time, |it| it.time).unwrap_or_default(),
                    pause: self.take(Key::Pause, |it| it.pause).unwrap_or_default(),
                    warm_up: self.warm_up(),
                    graceful_stop: self.graceful_stop(),
                };
                Ok(Shaped::of(self.users(), form))
            }
        }
    }

    fn arrivals(&mut self, at: usize) -> Result<Shaped, String> {
        self.expect_no_users(at, "an arrival rate")?;
        let rate = self.take(Key::Rate, |it| it.rate).unwrap_or_default();
        let Some(time) = self.take(Key::Time, |it| it.time) else {
            let name = self.layers[at].name(Key::Rate);
            return Err(format!("{name} without a time; add one, such as `--for 2m`"));
        };
        let warm_up = self.warm_up();
        let model = Model::Arrivals { stages: with_warm_up(rate, time, warm_up) };
        let timed = Timed { model, warm_up, graceful_stop: self.graceful_stop() };
        expect_few_arrivals(&timed)?;
        Ok(Shaped::of(None, Form::Arrivals(timed, self.max_in_flight())))
    }

    fn stages(&mut self, at: usize, stages: StageList) -> Result<Shaped, String> {
        self.expect_no_users(at, "stages")?;
        self.take(Key::Stages, |it| it.stages.clone());
        let (warm_up, graceful_stop) = (self.warm_up(), self.graceful_stop());
        let form = match stages {
            StageList::Rates(stages) => {
                let model = Model::Arrivals { stages };
                Form::Arrivals(Timed { model, warm_up, graceful_stop }, self.max_in_flight())
            }
            StageList::Users(stages) => {
                let pause = self.take(Key::Pause, |it| it.pause).unwrap_or_default();
                let model = Model::Users { stages, pause };
                Form::Stages(Timed { model, warm_up, graceful_stop })
            }
        };
        match &form {
            Form::Arrivals(timed, _) | Form::Stages(timed) if warm_up >= timed.total() => {
                let total = humantime::format_duration(timed.total());
                Err(format!("warm-up: expected less than the {total} of all stages"))
            }
            Form::Arrivals(timed, _) => {
                expect_few_arrivals(timed)?;
                Ok(Shaped::of(None, form))
            }
            _ => Ok(Shaped::of(None, form)),
        }
    }

    fn users(&mut self) -> Option<u32> {
        self.take(Key::Users, |it| it.users)
    }

    fn max_in_flight(&mut self) -> Option<u32> {
        self.take(Key::MaxInFlight, |it| it.max_in_flight)
    }

    fn warm_up(&mut self) -> Duration {
        self.take(Key::WarmUp, |it| it.warm_up).unwrap_or_default()
    }

    fn graceful_stop(&mut self) -> Duration {
        self.take(Key::GracefulStop, |it| it.graceful_stop).unwrap_or(self.graceful_stop)
    }

    /// Marks the settings of lower places as used: the one at index `at` replaces them on purpose.
    fn replace_below(&mut self, at: usize) {
        let below = self.layers.iter().skip(at + 1);
        self.used.extend(below.flat_map(|layer| Key::ALL.map(|key| (layer.place.clone(), key))));
    }

    /// Value of a key in the highest place that sets it.
    fn take<T>(&mut self, key: Key, value: impl Fn(&ShapeSettings) -> Option<T>) -> Option<T> {
        let set = self.layers.iter().filter(|layer| value(&layer.settings).is_some());
        // A value that a higher place replaces has its effect without that place.
        self.used.extend(set.map(|layer| (layer.place.clone(), key)));
        self.layers.iter().find_map(|layer| value(&layer.settings))
    }

    /// Error if a place above the one at index `at` sets a number of users.
    fn expect_no_users(&self, at: usize, shape: &str) -> Result<(), String> {
        let above = self.layers.iter().take(at);
        let with_users = above.into_iter().find(|layer| layer.settings.users.is_some());
        with_users.map_or(Ok(()), |layer| {
            let name = layer.name(Key::Users);
            Err(format!("{name} with {shape} of the plan, which has users of its own or none"))
        })
    }
}

/// Error if a rate makes more arrivals than any load needs.
fn expect_few_arrivals(timed: &Timed) -> Result<(), String> {
    match timed.area() {
        arrivals if arrivals > MAX_ARRIVALS => {
            Err(format!("expected at most {MAX_ARRIVALS} arrivals, got {arrivals:.0}"))
        }
        _ => Ok(()),
    }
}
