//! Open loop: times at which iterations start.

use std::time::Duration;

use super::stage::{Piece, pieces};
use super::{Level, Stage};

/// Offsets of all arrivals of a load from the start of its first stage, in order.
#[derive(Clone, Debug)]
pub struct Arrivals {
    pieces: Vec<Piece>,
    /// Index of the piece of the next arrival.
    at: usize,
    /// Arrivals in all pieces before that one, a fraction included.
    before: f64,
    /// Number of the next arrival.
    next: f64,
}

impl Arrivals {
    /// Arrivals of these stages.
    pub fn of<T: Level>(stages: &[Stage<T>]) -> Self {
        Self { pieces: pieces(stages).collect(), at: 0, before: 0.0, next: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let piece = self.pieces.get(self.at)?;
            let in_piece = piece.area();
            let wanted = self.next - self.before;
            if wanted < in_piece {
                self.next += 1.0;
                return Some(Duration::from_secs_f64(piece.start + time_of(piece, wanted)));
            }
            self.before += in_piece;
            self.at += 1;
        }
    }
}

/// Seconds from the start of a piece until `count` arrivals have come.
fn time_of(piece: &Piece, count: f64) -> f64 {
    // The count after t seconds is `from * t + slope / 2 * t^2`. This form of the solution has no
    // difference of nearly equal numbers, and holds for a slope of zero.
    let slope = (piece.to - piece.from) / piece.time;
    let root = (piece.from * piece.from + 2.0 * slope * count).max(0.0).sqrt();
    let divisor = piece.from + root;
    if divisor > 0.0 { (2.0 * count / divisor).min(piece.time) } else { 0.0 }
}
