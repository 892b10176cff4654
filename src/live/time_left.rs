//! Estimate of the time that a run still takes.

use std::time::Duration;

use super::run_state::RunState;
use crate::record::profile::Phase;

/// Times of a run from which the rest is estimated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Estimate for the whole run; `None` without one.
    pub(super) whole: Option<Duration>,
    /// Estimate for the load, or the time for which it lasts; `None` if neither is known.
    pub(super) load: Option<Duration>,
    pub(super) cooldown: Duration,
    /// Time since the start of the run.
    pub(super) elapsed: Duration,
    /// Time since the start of the phase.
    pub(super) in_phase: Duration,
}

/// Time that a run still takes; `None` if it cannot be told: there is no estimate, the load takes
/// longer than estimated, or the run is over. What is known of the rest replaces the estimate of the
/// whole: a server that started slowly does not make the load shorter.
pub(super) fn of(state: RunState, times: Times) -> Option<Duration> {
    let Times { whole, load, cooldown, elapsed, in_phase } = times;
    let of_whole = whole.map(|whole| whole.saturating_sub(elapsed));
    match state {
        RunState::StartingServer | RunState::Phase(Phase::Baseline | Phase::SetUp) => {
            Some(of_whole?.max(load.unwrap_or_default() + cooldown))
        }
        RunState::Phase(Phase::Load) => Some(load?.checked_sub(in_phase)? + cooldown),
        RunState::Phase(Phase::TearDown) => Some(of_whole?.max(cooldown)),
        RunState::Phase(Phase::Cooldown) => Some(cooldown.saturating_sub(in_phase)),
        RunState::StoppingServer => Some(Duration::ZERO),
        RunState::Phase(Phase::Watch) | RunState::Ended => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::at_the_start(RunState::StartingServer, 0, 0, Some(600))]
    #[case::a_server_that_starts_slowly(RunState::StartingServer, 590, 590, Some(330))]
    #[case::load(RunState::Phase(Phase::Load), 200, 100, Some(230))]
    #[case::a_load_beyond_its_estimate(RunState::Phase(Phase::Load), 900, 700, None)]
    #[case::cooldown(RunState::Phase(Phase::Cooldown), 900, 10, Some(20))]
    #[case::end(RunState::Ended, 950, 0, None)]
    fn the_rest_is_what_is_known_of_it(
        #[case] state: RunState,
        #[case] elapsed: u64,
        #[case] in_phase: u64,
        #[case] left: Option<u64>,
    ) {
        let seconds = Duration::from_secs;
        let times = Times {
            whole: Some(seconds(600)),
            load: Some(seconds(300)),
            cooldown: seconds(30),
            elapsed: seconds(elapsed),
            in_phase: seconds(in_phase),
        };
        assert_eq!(of(state, times), left.map(seconds));
    }

    #[test]
    fn without_an_estimate_the_rest_of_a_load_that_lasts_for_a_time_is_known() {
        let seconds = Duration::from_secs;
        let times = Times {
            whole: None,
            load: Some(seconds(300)),
            cooldown: seconds(30),
            elapsed: seconds(60),
            in_phase: seconds(50),
        };
        assert_eq!(of(RunState::Phase(Phase::Baseline), times), None);
        assert_eq!(of(RunState::Phase(Phase::Load), times), Some(seconds(280)));
    }
}
