//! RSS of each executor over time, with its requests, for the chart of the page.
//!
//! The chart of 100 executors and an hour stays below a megabyte: a line has at most
//! [`MAX_POINTS`] points, and of the requests of a class those with the most growth are drawn.
//! Of very many executors, those with the largest RSS are drawn.

use std::cmp::Reverse;

use super::history::{self, History, Span};
use super::names::{Names, RequestKind};
use crate::analysis::recording::Recording;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::ServerRequests;
use crate::units::ByteSize;

/// Maximum number of points of an executor's line.
const MAX_POINTS: usize = 120;

/// Maximum number of executors of one class.
const MAX_EXECUTORS: usize = 300;

/// Maximum number of points of a request.
const MAX_REQUEST_POINTS: usize = 8;

/// Maximum number of requests of one class.
const MAX_REQUESTS: usize = 1_000;

/// RSS at one time.
type Point = (Timestamp, ByteSize);

/// RSS of the executors of one class over time.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorLines {
    /// Process class.
    pub class: ProcessClass,
    /// Line of each executor, the largest first.
    pub executors: Vec<ExecutorLine>,
    /// Number of executors that were left out with their requests, those with the smallest RSS.
    pub executors_left_out: usize,
    /// Requests on these lines, in the order of their growth.
    pub requests: Vec<RequestLine>,
    /// Number of requests of these executors that were left out, those with the least growth.
    pub left_out: usize,
}

/// RSS of one executor over time.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorLine {
    /// Executor.
    pub process: ProcessIdentity,
    /// RSS over time, with its maxima.
    pub points: Vec<Point>,
}

/// RSS of an executor while one request ran.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestLine {
    /// Kind of the request.
    pub kind: RequestKind,
    /// Request in words.
    pub request: String,
    /// Rise of RSS during the request.
    pub growth: ByteSize,
    /// RSS over time, with its maxima.
    pub points: Vec<Point>,
}

/// Lines of each class with readings of executors.
pub(in crate::analysis) fn assemble(
    recording: Recording<'_>,
    requests: Option<&ServerRequests>,
) -> Vec<ExecutorLines> {
    let histories = history::of(recording);
    let names = Names::of(requests, &histories, recording);
    let end = recording.samples().last().map(|sample| sample.at);
    let of_class = |class| {
        let mut histories: Vec<&History<'_>> = histories
            .iter()
            .filter(|history| history.record.class == class && !history.readings.is_empty())
            .collect();
        histories.sort_by_key(|history| Reverse(history.largest_rss()));
        let executors_left_out = histories.len().saturating_sub(MAX_EXECUTORS);
        histories.truncate(MAX_EXECUTORS);
        let spans = histories.iter().flat_map(|history| {
            history.spans().into_iter().map(|span| request_line(history, &span, &names, end))
        });
        let mut requests: Vec<RequestLine> = spans.collect();
        requests.sort_by_key(|request| Reverse(request.growth));
        requests.truncate(MAX_REQUESTS);
        let all: usize = histories.iter().map(|history| history.count()).sum();
        let left_out = all.saturating_sub(requests.len());
        let line = |history: &&History<'_>| ExecutorLine {
            process: history.record.identity,
            points: thinned(&points(history, 0..history.readings.len(), end), MAX_POINTS),
        };
        let executors: Vec<ExecutorLine> = histories.iter().map(line).collect();
        (!executors.is_empty()).then_some(ExecutorLines {
            class,
            executors,
            executors_left_out,
            requests,
            left_out,
        })
    };
    history::CLASSES.into_iter().filter_map(of_class).collect()
}

fn request_line(
    history: &History<'_>,
    span: &Span<'_>,
    names: &Names<'_>,
    end: Option<Timestamp>,
) -> RequestLine {
    let mut points = points(history, span.readings.clone(), end);
    if history.may_lack_end(span) {
        points.pop();
    }
    let first = points.first().map_or(0, |(_, rss)| rss.as_u64());
    let most = points.iter().map(|(_, rss)| rss.as_u64()).max().unwrap_or(0);
    RequestLine {
        kind: names.kind(span.id),
        request: names.request(span.id).to_string(),
        growth: ByteSize(most.saturating_sub(first)),
        points: thinned(&points, MAX_REQUEST_POINTS),
    }
}

/// RSS at these readings, just before each of them, and until the next reading or the end of the
/// executor.
fn points(
    history: &History<'_>,
    readings: std::ops::Range<usize>,
    end: Option<Timestamp>,
) -> Vec<Point> {
    let mut points = Vec::new();
    for reading in &history.readings[readings.clone()] {
        points.extend(reading.before.map(|before| (reading.at, before.rss)));
        points.push((reading.at, reading.memory.rss));
    }
    let next = history.readings.get(readings.end).map(|next| (next.at, next.before));
    let (until, before) = next.unwrap_or((history.record.exited.or(end).unwrap_or_default(), None));
    if let Some(&(at, rss)) = points.last() {
        points.push((at.max(until), before.map_or(rss, |before| before.rss)));
    }
    points
}

/// Points, `count` at most: the first, the last, and the largest of each part between them.
fn thinned(points: &[Point], count: usize) -> Vec<Point> {
    let [first, inner @ .., last] = points else { return points.to_vec() };
    if points.len() <= count {
        return points.to_vec();
    }
    let parts = inner.chunks(inner.len().div_ceil(count.saturating_sub(2).max(1)));
    let largest = parts.filter_map(|part| part.iter().max_by_key(|(_, rss)| *rss));
    std::iter::once(first).chain(largest).chain([last]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_its_ends_and_its_largest_point() {
        let point = |at: u64| {
            let size = if at == 7_777 { 900 } else { 100 };
            (Timestamp::from_micros(at), ByteSize::mib(size))
        };
        let points: Vec<Point> = (0..10_000).map(point).collect();
        let thin = thinned(&points, MAX_POINTS);
        assert!(thin.len() <= MAX_POINTS, "{}", thin.len());
        assert_eq!((thin.first(), thin.last()), (points.first(), points.last()));
        assert!(thin.contains(&point(7_777)));
        assert_eq!(thinned(&points[..2], MAX_POINTS), points[..2]);
    }
}
