//! Closed loop: times during which each user is active.

use std::time::Duration;

use super::stage::{Piece, pieces};
use super::{Level, Stage};

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
pub struct Windows(Vec<Piece>);

impl Windows {
    /// Windows of the users of these stages.
    pub fn of<T: Level>(stages: &[Stage<T>]) -> Self {
        Self(pieces(stages).collect())
    }

    /// Windows of a user, counted from 0, in order: the times at which the number of users is
    /// above the user's number.
    pub fn of_user(&self, user: u32) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for piece in &self.0 {
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
