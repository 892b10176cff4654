//! Looking for a text in output that comes in pieces.

/// A search for one text.
pub(super) struct Search<'a> {
    wanted: &'a [u8],
    /// The end of what was read: the text may begin in one piece and end in another.
    tail: Vec<u8>,
    pub(super) found: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(wanted: &'a str) -> Self {
        Self { wanted: wanted.as_bytes(), tail: Vec::new(), found: wanted.is_empty() }
    }

    /// Takes the next piece.
    pub(super) fn read(&mut self, piece: &[u8]) {
        if self.found {
            return;
        }
        self.tail.extend_from_slice(piece);
        self.found = self.tail.windows(self.wanted.len()).any(|window| window == self.wanted);
        let keep = self.tail.len().min(self.wanted.len() - 1);
        self.tail.drain(..self.tail.len() - keep);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::in_one_piece(&["well, hello there"], true)]
    #[case::across_pieces(&["well, he", "l", "lo"], true)]
    #[case::in_pieces_that_do_not_follow_one_another(&["hel", "p", "lo"], false)]
    #[case::in_nothing(&[], false)]
    fn a_text_is_found_wherever_pieces_end(#[case] pieces: &[&str], #[case] found: bool) {
        let mut search = Search::new("hello");
        pieces.iter().for_each(|piece| search.read(piece.as_bytes()));
        assert_eq!(search.found, found);
        assert!(search.tail.len() < 5);
    }
}
