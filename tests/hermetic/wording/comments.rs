//! Doc comments: rustdoc shows them one by one, so none may lean on its neighbour.

use std::fs;
use std::path::{Path, PathBuf};

/// First words that point at something outside of the comment.
const LEANING: [&str; 52] = [
    "above",
    "after",
    "all",
    "also",
    "and",
    "another",
    "as",
    "at",
    "because",
    "before",
    "behind",
    "below",
    "beside",
    "between",
    "but",
    "by",
    "everything",
    "for",
    "from",
    "has",
    "have",
    "how",
    "if",
    "in",
    "is",
    "it",
    "its",
    "nobody",
    "of",
    "on",
    "other",
    "same",
    "so",
    "somebody",
    "such",
    "that",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "to",
    "what",
    "whatever",
    "when",
    "where",
    "which",
    "who",
    "whose",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it is listed").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// First lines of doc comments, with their numbers.
fn comments(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let comment = |line: &'_ str| line.trim_start().starts_with("///") || line.starts_with("//!");
    let mut was_comment = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_first = comment(line) && !was_comment;
        was_comment = comment(line);
        is_first
    })
}

/// Whether the first word of a comment leans on something outside of it.
fn leans(comment: &str) -> bool {
    let text = comment.trim_start().trim_start_matches(['/', '!']).trim_start();
    let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let first = first.to_lowercase();
    let rest = text.to_lowercase();
    LEANING.contains(&first.as_str()) || rest.starts_with("the same") || rest.starts_with("the one")
}

#[test]
fn a_comment_that_leans_on_its_neighbour_is_found() {
    for comment in ["/// What it is.", "    /// The same for a profile.", "//! It ends.", "/// How"]
    {
        assert!(leans(comment), "{comment}");
    }
    for comment in ["/// Path of the plan.", "/// `sky` program.", "/// Whether any ran.", "///"] {
        assert!(!leans(comment), "{comment}");
    }
}

#[test]
fn doc_comments_stand_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "crates", "xtask"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 300, "{}", files.len());
    let mut leaning = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source is text");
        for (number, comment) in comments(&text).filter(|(_, comment)| leans(comment)) {
            leaning.push(format!("{}:{}: {}", file.display(), number + 1, comment.trim()));
        }
    }
    assert!(leaning.is_empty(), "{} comments:\n{}", leaning.len(), leaning.join("\n"));
}
