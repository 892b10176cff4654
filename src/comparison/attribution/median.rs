//! Median over the runs of a version.

/// Median of sorted amounts: one of them, the lower of two in the middle. `None` without any.
pub(super) fn median<T: Copy>(sorted: &[T]) -> Option<T> {
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}
