use rstest::rstest;

use super::*;

fn users(text: &str) -> Vec<Stage<u32>> {
    match text.parse().unwrap() {
        StageList::Users(stages) => stages,
        StageList::Rates(_) => panic!("stages of users"),
    }
}

fn rates(text: &str) -> Vec<Stage<Rate>> {
    match text.parse().unwrap() {
        StageList::Rates(stages) => stages,
        StageList::Users(_) => panic!("stages of a rate"),
    }
}

fn seconds(windows: &[Window]) -> Vec<(f64, f64)> {
    windows.iter().map(|it| (it.start.as_secs_f64(), it.end.as_secs_f64())).collect()
}

#[test]
fn users_of_a_ramp_begin_evenly_and_end_in_reverse() {
    let windows = Windows::of(&users("4 in 8s, 4 for 10s, 0 in 4s"));
    let of = |user| seconds(&windows.of_user(user));
    assert_eq!(of(0), [(0.0, 22.0)]);
    assert_eq!(of(1), [(2.0, 21.0)]);
    assert_eq!(of(3), [(6.0, 19.0)]);
    assert_eq!(of(4), []);
}

#[test]
fn all_users_of_a_closed_loop_begin_together() {
    let windows = Windows::of(&users("3 for 5m"));
    assert_eq!(seconds(&windows.of_user(0)), [(0.0, 300.0)]);
    assert_eq!(seconds(&windows.of_user(2)), [(0.0, 300.0)]);
}

#[test]
fn a_user_that_is_needed_again_has_two_windows() {
    let windows = Windows::of(&users("2 for 10s, 1 for 10s, 2 in 10s"));
    assert_eq!(seconds(&windows.of_user(1)), [(0.0, 10.0), (20.0, 30.0)]);
}

#[rstest]
#[case::undelayed("2 for 1s, 1 for 2s", 0, 0.0, &[(0.0, 3.0)])]
#[case::not_in_the_next_stage("2 for 1s, 1 for 2s", 1, 0.9, &[(0.9, 1.0)])]
#[case::for_longer_than_its_stage("2 for 1s, 1 for 2s", 1, 1.0, &[])]
#[case::until_its_own_end("2 for 4s, 0 in 2s", 1, 3.0, &[(3.0, 5.0)])]
#[case::after_a_rise("1 for 4s, 2 for 4s", 1, 1.0, &[(5.0, 8.0)])]
#[case::in_its_first_window("2 for 2s, 1 for 2s, 2 for 2s", 1, 1.0, &[(1.0, 2.0), (4.0, 6.0)])]
#[case::in_its_second_window("2 for 2s, 1 for 2s, 2 for 2s", 1, 5.0, &[(5.0, 6.0)])]
#[case::one_level("2 for 1s", 1, 5.0, &[(5.0, 6.0)])]
#[case::one_level_in_two_stages("2 for 1s, 2 for 2s", 1, 5.0, &[(5.0, 8.0)])]
fn a_delayed_user_goes_on_for_as_long_as_the_others_if_all_stages_have_one_level(
    #[case] stages: &str,
    #[case] user: u32,
    #[case] delay: f64,
    #[case] expected: &[(f64, f64)],
) {
    let windows = Windows::of(&users(stages)).delayed(user, Duration::from_secs_f64(delay));
    assert_eq!(seconds(&windows), expected);
}

#[rstest]
#[case::one_level("2 for 1s, 2 for 2s", 5)]
#[case::two_levels("2 for 1s, 1 for 2s", 0)]
fn delayed_users_extend_a_load_of_one_level(#[case] stages: &str, #[case] extension: u64) {
    let extended = Windows::of(&users(stages)).extension(Duration::from_secs(5));
    assert_eq!(extended, Duration::from_secs(extension));
}

#[test]
fn arrivals_of_a_rate_are_evenly_spaced() {
    let arrivals: Vec<f64> =
        Arrivals::of(&rates("4/s for 2s")).map(|at| at.as_secs_f64()).collect();
    assert_eq!(arrivals, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]);
}

#[rstest]
#[case::up("20/s in 10s", 100)]
#[case::down("0/s in 1s, 20/s for 5s, 0/s in 10s", 200)]
#[case::slow("30/m for 10s", 5)]
#[case::between_pieces("0.5/s for 1s, 0.5/s for 1s, 0.5/s for 2s", 2)]
#[case::nothing("0/s for 10s", 0)]
fn the_number_of_arrivals_is_the_area_below_the_rate(#[case] stages: &str, #[case] count: usize) {
    let stages = rates(stages);
    let arrivals: Vec<Duration> = Arrivals::of(&stages).collect();
    assert_eq!(arrivals.len(), count);
    assert!(arrivals.is_sorted());
    assert!(arrivals.last().is_none_or(|last| *last <= total_time(&stages)), "{arrivals:?}");
}

#[test]
fn arrivals_of_a_ramp_come_faster_and_faster() {
    let arrivals: Vec<f64> =
        Arrivals::of(&rates("10/s in 20s")).map(|at| at.as_secs_f64()).collect();
    // After t seconds t^2 / 4 have come.
    for (count, expected) in [(1, 2.0), (4, 4.0), (25, 10.0), (81, 18.0)] {
        assert!((arrivals[count] - expected).abs() < 1e-9, "{count}: {}", arrivals[count]);
    }
}

#[rstest]
#[case::users("50 in 2m, 50 for 5m, 0 in 1m")]
#[case::rate("20/s in 1m 30s")]
fn stages_survive_a_round_trip_through_their_text(#[case] text: &str) {
    let again: Vec<String> = match text.parse().unwrap() {
        StageList::Users(stages) => stages.iter().map(ToString::to_string).collect(),
        StageList::Rates(stages) => stages.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(again.join(", "), text);
}

#[rstest]
#[case::empty("", "expected stages")]
#[case::an_empty_stage("50 in 2m,", "expected stages")]
#[case::mixed("50 in 2m, 20/s for 1m", "not mixed")]
#[case::no_time("50 for 0s", "longer than 0s")]
#[case::no_unit("50 for 5", "expected stages")]
#[case::negative("-5 for 5s", "expected stages")]
#[case::not_a_number("NaN/s for 5s", "expected stages")]
#[case::unknown_word("50 to 5s", "expected stages")]
fn other_stages_are_an_error(#[case] text: &str, #[case] message: &str) {
    let error = text.parse::<StageList>().unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[rstest]
#[case::per_second("20/s", 20.0, "20/s")]
#[case::fraction("0.5/s", 0.5, "30/m")]
#[case::per_minute("1/m", 1.0 / 60.0, "1/m")]
#[case::per_hour("5/h", 5.0 / 3600.0, "5/h")]
#[case::spaces(" 3 / min ", 0.05, "3/m")]
fn a_rate_is_a_count_per_time(#[case] text: &str, #[case] rate: f64, #[case] shown: &str) {
    let parsed: Rate = text.parse().unwrap();
    assert!((parsed.as_per_second() - rate).abs() < 1e-12);
    assert_eq!(parsed.to_string(), shown);
    assert_eq!(shown.parse(), Ok(parsed));
}

#[rstest]
#[case::no_unit("20")]
#[case::unknown_unit("20/d")]
#[case::negative("-1/s")]
#[case::not_a_number("NaN/s")]
#[case::infinite("inf/s")]
#[case::too_high("10001/s")]
fn another_rate_is_an_error(#[case] text: &str) {
    assert!(text.parse::<Rate>().is_err());
}

#[test]
fn a_pause_is_drawn_from_its_range() {
    let pause: Pause = "1s..3s".parse().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let drawn: Vec<Duration> = (0..100).map(|_| pause.draw(&mut random)).collect();
    let range = Duration::from_secs(1)..=Duration::from_secs(3);
    assert!(drawn.iter().all(|time| range.contains(time)), "{drawn:?}");
    assert!(drawn.iter().any(|time| *time != drawn[0]));
    let mut again = fastrand::Rng::with_seed(1);
    assert!(drawn.iter().all(|time| *time == pause.draw(&mut again)), "one seed, one sequence");
}

#[rstest]
#[case::backwards("3s..1s")]
#[case::no_unit("1")]
#[case::half("1s..")]
fn another_pause_is_an_error(#[case] text: &str) {
    assert!(text.parse::<Pause>().is_err());
}
