//! Suggestions for unknown words in flags and files.

/// Valid word that is most similar to an unknown one; `None` if none is similar.
pub fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.map(|word| (strsim::damerau_levenshtein(found, word), word));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    // Two typing errors, or one in four characters of a long word.
    (distance <= 2.max(found.len() / 4)).then_some(word)
}

/// Suggestion for an unknown word: the most similar valid word, or all valid words.
pub(crate) fn suggest<'a>(found: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(found, known.clone()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("valid: {}", known.collect::<Vec<_>>().join(", ")),
    }
}
