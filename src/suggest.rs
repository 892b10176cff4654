//! Suggestions for unknown words in flags and files.

/// Suggestion for an unknown word: the most similar valid word, or all valid words.
pub(crate) fn suggest<'a>(found: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known
        .clone()
        .map(|word| (strsim::damerau_levenshtein(found, word), word))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        // Two typing errors, or one in four characters of a long word.
        Some((distance, word)) if distance <= 2.max(found.len() / 4) => {
            format!("did you mean `{word}`?")
        }
        _ => format!("valid: {}", known.collect::<Vec<_>>().join(", ")),
    }
}
