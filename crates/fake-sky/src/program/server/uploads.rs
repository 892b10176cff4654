//! Uploaded files: each blob is known by its user and its id.
//!
//! Contents are dropped; a submission with the id of a missing blob fails.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Uploaded blobs.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<Received>);

/// Parts that were received, and the blobs that are complete.
#[derive(Debug, Default)]
struct Received {
    parts: BTreeSet<(String, String, u64)>,
    blobs: BTreeSet<(String, String)>,
}

impl Uploads {
    /// Whether a user has uploaded a blob.
    pub(crate) fn has(&self, user: &str, blob: &str) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.blobs.contains(&(user.to_owned(), blob.to_owned()))
    }

    /// Adds a part of a blob, and returns the parts that are missing now.
    pub(crate) fn add(&self, user: &str, blob: &str, part: u64, parts: u64) -> Vec<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |part| (user.to_owned(), blob.to_owned(), part);
        state.parts.insert(key(part));
        let missing: Vec<_> =
            (0..parts).filter(|part| !state.parts.contains(&key(*part))).collect();
        if missing.is_empty() {
            state.blobs.insert((user.to_owned(), blob.to_owned()));
        }
        missing.into_iter().map(|part| part.to_string()).collect()
    }
}
