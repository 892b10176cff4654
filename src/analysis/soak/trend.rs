//! Trend of a series of readings: slope by Theil-Sen with a 95 % interval.
//!
//! Readings of memory are autocorrelated, and daemons make it rise and fall periodically. Therefore
//! the time is split into at most [`MOST_WINDOWS`] windows, of which only the medians count. The
//! slope is the median of the slopes between all pairs of windows; the interval is Sen's, by the
//! variance of Kendall's S. What correlation is left between the medians of neighbouring windows
//! widens the interval, as if there were fewer windows (Hamed and Rao).

use super::{RateEstimate, RateInterval};
use crate::units::GrowthRate;

/// Largest number of windows.
const MOST_WINDOWS: usize = 24;

/// Smallest number of windows for an interval.
const FEWEST_WINDOWS: usize = 12;

/// Shortest length of a window, in hours.
const SHORTEST_WINDOW: f64 = 30.0 / 3600.0;

/// Half width of the interval in standard deviations. A little more than the 1.96 of a normal
/// distribution, since the correlation of a few windows is an estimate itself: by simulation, the
/// interval then covers the true slope in 95 % of soaks.
const Z: f64 = 2.2;

/// Reading of memory: hours since the first one, and bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) hours: f64,
    pub(super) bytes: f64,
}

/// Trend of readings in the order of time.
pub(super) fn of(points: &[Point]) -> RateEstimate {
    let medians = window_medians(points);
    if medians.len() < FEWEST_WINDOWS {
        return RateEstimate::TooShort;
    }
    RateEstimate::Interval(interval(&medians))
}

/// Medians of the windows that have readings, at the middle of each.
fn window_medians(points: &[Point]) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let span = last.hours - first.hours;
    // A little more, since a reading may be early by the time that it took.
    let windows = windows_in(span * 1.001);
    let length = span / as_number(windows.max(1));
    let middle_of = |window: usize| first.hours + (as_number(window) + 0.5) * length;
    let mut rest = points;
    let medians = (0..windows).filter_map(|window| {
        let end = middle_of(window) + length / 2.0;
        let is_last = window + 1 == windows;
        let count = rest.partition_point(|point| is_last || point.hours < end);
        let (inside, after) = rest.split_at(count);
        rest = after;
        let bytes = median(inside.iter().map(|point| point.bytes).collect())?;
        Some(Point { hours: middle_of(window), bytes })
    });
    medians.collect()
}

/// Number of windows in a time of this many hours.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and a float-to-integer `as` saturates"
)]
fn windows_in(hours: f64) -> usize {
    ((hours / SHORTEST_WINDOW).max(0.0) as usize).min(MOST_WINDOWS)
}

/// Slope between the windows with its interval.
fn interval(medians: &[Point]) -> RateInterval {
    let mut slopes: Vec<f64> = Vec::with_capacity(medians.len() * medians.len() / 2);
    for (index, one) in medians.iter().enumerate() {
        let later = medians[index + 1..].iter();
        slopes.extend(later.map(|other| (other.bytes - one.bytes) / (other.hours - one.hours)));
    }
    let slope = median(slopes.clone()).unwrap_or_default();
    slopes.sort_by(f64::total_cmp);
    let windows = as_number(medians.len());
    let variance = windows * (windows - 1.0) * (2.0 * windows + 5.0) / 18.0;
    let residuals: Vec<f64> =
        medians.iter().map(|point| point.bytes - slope * point.hours).collect();
    let spread = Z * (variance * inflation(&residuals)).sqrt();
    let pairs = as_number(slopes.len());
    // If the correlation leaves no interval, its ends are the extreme slopes: memory then grows if
    // each window is above all windows before it.
    let low = ((pairs - spread) / 2.0).floor().max(0.0);
    let high = ((pairs + spread) / 2.0).ceil().min(pairs - 1.0);
    let rate = |index: f64| GrowthRate::bytes_per_hour(slopes[as_index(index)]);
    RateInterval { low: rate(low), estimate: GrowthRate::bytes_per_hour(slope), high: rate(high) }
}

/// Factor of the variance for the correlation between neighbouring windows.
fn inflation(residuals: &[f64]) -> f64 {
    let count = as_number(residuals.len());
    let mean = residuals.iter().sum::<f64>() / count;
    let all = residuals.iter().map(|one| (one - mean).powi(2)).sum::<f64>();
    if all == 0.0 {
        return 1.0;
    }
    let neighbours = residuals.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean));
    let found = neighbours.sum::<f64>() / all;
    // Residuals of a fitted line are less correlated than the readings, by about this much.
    let correlation = ((count * found + 2.0) / (count - 4.0)).clamp(0.0, 0.95);
    (1.0 + correlation) / (1.0 - correlation)
}

/// Median of numbers; `None` of none.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    match numbers.len() % 2 {
        0 => Some((numbers[numbers.len() / 2 - 1] + upper) / 2.0),
        _ => Some(upper),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of windows are far below 2^52")]
fn as_number(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and a float-to-integer `as` saturates"
)]
fn as_index(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod simulation;
