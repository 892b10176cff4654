//! Words that docs/glossary.md gives up, and a search for them.

use std::fs;
use std::path::Path;

/// Words of the glossary that have no other use.
pub(crate) struct GivenUp(Vec<String>);

impl GivenUp {
    /// Reads the column *not*, and the list of words that are not used at all.
    pub(crate) fn read(glossary: &Path) -> Self {
        let text = fs::read_to_string(glossary).expect("docs/glossary.md is there");
        let mut words = Vec::new();
        let mut column = None;
        for line in text.lines() {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells.iter().position(|cell| *cell == "not") {
                Some(found) => column = Some(found),
                None if line.starts_with('|') => {
                    words.extend(column.and_then(|column| cells.get(column)).map(|it| quoted(it)));
                }
                None if line.starts_with('`') => words.push(quoted(line)),
                None => {}
            }
        }
        let words: Vec<String> = words.concat();
        assert!(words.len() > 40, "the glossary gives up few words: {words:?}");
        Self(words)
    }

    /// Words that occur in `text`, as whole words in any case and over line breaks.
    pub(crate) fn in_text<'a>(&'a self, text: &str) -> Vec<&'a str> {
        let text = format!(" {} ", spaced(text));
        let is_there = |word: &&String| text.contains(&format!(" {} ", spaced(word)));
        self.0.iter().filter(is_there).map(String::as_str).collect()
    }
}

/// Texts between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Words of a text in lower case, with one space between them.
fn spaced(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    words.join(" ")
}
