//! Simulated soaks: series without growth, with correlated noise or a daemon's sawtooth, in which
//! growth must be found in at most one of twenty; and a leak, which must be found.

use rstest::rstest;

use super::*;

const MIB: f64 = 1024.0 * 1024.0;
const SOAKS: u32 = 200;

/// Time between two readings, in seconds.
const PERIOD: f64 = 10.0;

/// Random numbers (SplitMix64), the same in every run of the tests.
struct Random(u64);

impl Random {
    /// Number from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Number with the standard normal distribution (Box-Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Readings over this many seconds: MiB at each time.
fn readings(seconds: f64, mut mib: impl FnMut(f64) -> f64) -> Vec<Point> {
    let times = (0_u32..).map(|index| f64::from(index) * PERIOD).take_while(|at| *at <= seconds);
    times.map(|at| Point { hours: at / 3600.0, bytes: mib(at) * MIB }).collect()
}

/// Noise of 1 MiB whose correlation falls to 1/e in this many seconds.
fn noise(random: &mut Random, lasts: f64) -> impl FnMut() -> f64 {
    let kept = (-PERIOD / lasts).exp();
    let mut now = random.normal();
    move || {
        now = kept * now + (1.0 - kept * kept).sqrt() * random.normal();
        now
    }
}

/// Share of soaks with an interval above zero, in percent.
fn alarms(mut soak: impl FnMut(&mut Random) -> Vec<Point>) -> f64 {
    let mut random = Random(7);
    let is_alarm = |points: Vec<Point>| match of(&points) {
        RateEstimate::Interval(slope) => slope.is_growth(),
        RateEstimate::TooShort => panic!("all of these soaks are long enough"),
    };
    let found = (0..SOAKS).filter(|_| is_alarm(soak(&mut random))).count();
    100.0 * as_number(found) / f64::from(SOAKS)
}

#[rstest]
#[case::short_soak(900.0)]
#[case::shortest_soak(360.0)]
#[case::eight_hours(27_000.0)]
fn noise_without_growth_is_no_growth(#[case] seconds: f64) {
    for lasts in [1.0, 30.0, seconds / 10.0, seconds / 5.0] {
        let alarms = alarms(|random| {
            let mut noise = noise(random, lasts);
            readings(seconds, |_| 200.0 + noise())
        });
        assert!(alarms <= 5.0, "{alarms} % with a correlation of {lasts} s");
    }
}

#[rstest]
#[case::short_soak(900.0)]
#[case::eight_hours(27_000.0)]
fn the_sawtooth_of_a_daemon_is_no_growth(#[case] seconds: f64) {
    for period in [0.02, 0.05, 0.1, 0.2, 0.33].map(|share| share * seconds) {
        let alarms = alarms(|random| {
            let shift = random.uniform() * period;
            readings(seconds, |at| {
                200.0 + 20.0 * ((at + shift) / period).fract() + 0.3 * random.normal()
            })
        });
        assert!(alarms <= 5.0, "{alarms} % with a period of {period} s");
    }
}

#[test]
fn spikes_of_a_daemon_are_no_growth() {
    let alarms = alarms(|random| {
        let shift = random.uniform() * 300.0;
        readings(900.0, |at| {
            let is_spike = (at + shift) % 300.0 < 30.0;
            200.0 + if is_spike { 100.0 } else { 0.0 } + random.normal()
        })
    });
    assert!(alarms <= 5.0, "{alarms} %");
}

#[test]
fn a_single_step_is_no_growth() {
    let alarms = alarms(|random| {
        let step = 900.0 * (0.2 + 0.6 * random.uniform());
        readings(900.0, |at| if at < step { 200.0 } else { 230.0 } + 0.3 * random.normal())
    });
    assert!(alarms <= 5.0, "{alarms} %");
}

#[test]
fn an_interval_covers_the_true_slope_in_95_percent_of_soaks() {
    let leak = GrowthRate::mib_per_hour(60.0);
    for lasts in [1.0, 20.0, 60.0, 90.0] {
        let mut random = Random(11);
        let soaks = 2 * SOAKS;
        let covers = (0..soaks).filter(|_| {
            let mut noise = noise(&mut random, lasts);
            match of(&readings(900.0, |at| 200.0 + at / 60.0 + noise())) {
                RateEstimate::Interval(slope) => slope.low <= leak && leak <= slope.high,
                RateEstimate::TooShort => panic!("the time suffices"),
            }
        });
        let covers = 100.0 * as_number(covers.count()) / f64::from(soaks);
        assert!(covers >= 95.0, "{covers} % with a correlation of {lasts} s");
    }
}

#[test]
fn a_leak_of_1_mib_per_minute_is_found_in_a_quarter_of_an_hour() {
    let mut random = Random(3);
    let mut noise = noise(&mut random, 30.0);
    let RateEstimate::Interval(slope) =
        of(&readings(900.0, |at| 200.0 + (at / 60.0).floor() + noise()))
    else {
        panic!("the time suffices")
    };
    assert!(slope.low > GrowthRate::mib_per_hour(40.0), "{slope:?}");
    assert!(slope.high < GrowthRate::mib_per_hour(80.0), "{slope:?}");
}

#[test]
fn memory_that_never_changes_has_a_growth_of_exactly_zero() {
    let RateEstimate::Interval(slope) = of(&readings(900.0, |_| 200.0)) else {
        panic!("it is measured")
    };
    let zero = GrowthRate::default();
    assert_eq!((slope.low, slope.estimate, slope.high), (zero, zero, zero));
}

#[test]
fn fewer_than_twelve_windows_are_too_short() {
    assert_eq!(of(&readings(340.0, |_| 200.0)), RateEstimate::TooShort);
    assert_eq!(of(&[]), RateEstimate::TooShort);
}

#[test]
fn windows_without_readings_do_not_count() {
    let mut points = readings(900.0, |_| 200.0);
    points.retain(|point| point.hours < 0.05 || point.hours > 0.24);
    assert_eq!(of(&points), RateEstimate::TooShort);
}

#[test]
fn a_wave_that_takes_the_whole_time_is_no_growth() {
    for shift in 0..12_u32 {
        let shift = f64::from(shift) * 75.0;
        let wave = |at: f64| 200.0 + 20.0 * ((at + shift) / 900.0 * std::f64::consts::TAU).sin();
        let found = of(&readings(900.0, wave));
        let RateEstimate::Interval(slope) = found else { panic!("the time suffices") };
        assert!(!slope.is_growth() && slope.high > GrowthRate::default(), "{slope:?}");
    }
}
