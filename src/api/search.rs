//! Search for a text in output that arrives in chunks.

/// Search for one text.
pub(super) struct Search<'a> {
    wanted: &'a [u8],
    /// End of the output so far, since the text may span several chunks.
    tail: Vec<u8>,
    pub(super) found: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(wanted: &'a str) -> Self {
        Self { wanted: wanted.as_bytes(), tail: Vec::new(), found: wanted.is_empty() }
    }

    /// Searches the next chunk.
    pub(super) fn read(&mut self, chunk: &[u8]) {
        if self.found {
            return;
        }
        self.tail.extend_from_slice(chunk);
        // `wanted` is not empty here, since an empty text is found from the start.
        self.found = self.tail.windows(self.wanted.len()).any(|window| window == self.wanted);
        // One byte less than the text: a match that begins here ends in a later chunk.
        let keep = self.tail.len().min(self.wanted.len() - 1);
        self.tail.drain(..self.tail.len() - keep);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::in_one_chunk(&["well, hello there"], true)]
    #[case::across_chunks(&["well, he", "l", "lo"], true)]
    #[case::in_chunks_that_are_not_adjacent(&["hel", "p", "lo"], false)]
    #[case::in_nothing(&[], false)]
    fn a_text_is_found_wherever_chunks_end(#[case] chunks: &[&str], #[case] found: bool) {
        let mut search = Search::new("hello");
        chunks.iter().for_each(|chunk| search.read(chunk.as_bytes()));
        assert_eq!(search.found, found);
        assert!(search.tail.len() < 5);
    }
}
