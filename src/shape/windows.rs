//! Closed loop: times during which each user is active.

use std::time::Duration;

use super::stage::{Piece, pieces};
use super::{Change, Level, Stage};

/// Time during which a user is active, from the start of the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start of the user's first iteration in the window.
    pub start: Duration,
    /// Time from which the user starts no iteration.
    pub end: Duration,
}

/// Windows of all users of a load.
#[derive(Clone, Debug)]
pub struct Windows {
    pieces: Vec<Piece>,
    /// Whether the number of users is the same from the start to the end.
    has_one_level: bool,
}

impl Windows {
    /// Windows of the users of these stages.
    pub fn of<T: Level>(stages: &[Stage<T>]) -> Self {
        let has_one_level = stages.first().is_some_and(|first| {
            first.change == Change::Hold && stages.iter().all(|stage| stage.level == first.level)
        });
        Self { pieces: pieces(stages).collect(), has_one_level }
    }

    /// Windows of a user, counted from 0, whose first start a ramp delays. With one level, the
    /// user then goes on for as long as the others. With several, the user ends as planned, since
    /// a stage would otherwise have users of the one before.
    pub fn delayed(&self, user: u32, delay: Duration) -> Vec<Window> {
        let mut windows = self.of_user(user);
        let Some(first) = windows.first().map(|window| window.start.saturating_add(delay)) else {
            return windows;
        };
        if self.has_one_level {
            windows.iter_mut().for_each(|window| {
                window.start = window.start.saturating_add(delay);
                window.end = window.end.saturating_add(delay);
            });
            return windows;
        }
        windows.retain_mut(|window| {
            window.start = window.start.max(first);
            window.start < window.end
        });
        windows
    }

    /// Time for which users go on after the last stage, if a ramp delays the last of them by
    /// `longest_delay`.
    pub const fn extension(&self, longest_delay: Duration) -> Duration {
        if self.has_one_level { longest_delay } else { Duration::ZERO }
    }

    /// Windows of a user, counted from 0, in order: the times at which the number of users is
    /// above the user's number.
    pub fn of_user(&self, user: u32) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for piece in &self.pieces {
            let Some((start, end)) = above(piece, f64::from(user)) else { continue };
            let window =
                Window { start: Duration::from_secs_f64(start), end: Duration::from_secs_f64(end) };
            match windows.last_mut() {
                Some(last) if last.end == window.start => last.end = window.end,
                _ => windows.push(window),
            }
        }
        windows
    }
}

/// Times in seconds between which the level of a piece is above `level`; `None` if it never is.
fn above(piece: &Piece, level: f64) -> Option<(f64, f64)> {
    let Piece { start, time, from, to } = *piece;
    let end = start + time;
    let crossing = || start + time * (level - from) / (to - from);
    match (from > level, to > level) {
        (true, true) => Some((start, end)),
        (false, true) => Some((crossing(), end)),
        (true, false) => Some((start, crossing())),
        (false, false) => None,
    }
}
