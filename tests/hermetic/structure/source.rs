//! Imports of a package's files, from their text.
//!
//! A Rust parser would be more exact, but takes longer to build than all of these tests. Imports
//! are the paths of `use` statements, and inline paths that start with `crate` or `super`. A file
//! and the module of its folder belong together: imports between them do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Path of a module below the crate.
pub(super) type Module = Vec<String>;

/// Code of a package's files by module, without tests and comments.
pub(super) struct Sources(BTreeMap<Module, String>);

impl Sources {
    pub(super) fn read(folder: &Path) -> Self {
        let mut sources = BTreeMap::new();
        collect(folder, &Vec::new(), &mut sources);
        Self(sources)
    }

    /// Imports of each file from other files.
    pub(super) fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let names = self.0.keys().map(|module| (module.clone(), self.public_names(module)));
        let names: BTreeMap<Module, BTreeMap<String, Module>> = names.collect();
        let imports_of = |module: &Module| {
            let paths = self.paths(module).into_iter();
            let files = paths.filter_map(|path| self.resolve(&path, &names, 0));
            files.filter(|other| !belong_together(module, other)).collect()
        };
        self.0.keys().map(|module| (module.clone(), imports_of(module))).collect()
    }

    /// Paths in a file, as paths from the root of the crate. A `pub use` is not an import: only
    /// files that use the exported name import from its origin.
    fn paths(&self, module: &Module) -> Vec<Module> {
        let mut paths = Vec::new();
        let mut rest = String::new();
        for part in self.0[module].split(';') {
            match part.rsplit_once("use ") {
                Some((before, tree)) if is_statement(before) => {
                    rest.push_str(before);
                    if !before.trim_end().ends_with("pub") && !before.trim_end().ends_with(')') {
                        paths.extend(expand(tree));
                    }
                }
                _ => rest.push_str(part),
            }
        }
        paths.extend(inline_paths(&rest));
        paths.iter().filter_map(|path| self.absolute(module, path)).collect()
    }

    /// Names that a file re-exports, with the paths of their origins.
    fn public_names(&self, module: &Module) -> BTreeMap<String, Module> {
        let mut names = BTreeMap::new();
        for part in self.0[module].split(';') {
            let Some((before, tree)) = part.rsplit_once("use ") else { continue };
            let before = before.trim_end();
            if !before.ends_with("pub") && !before.ends_with("pub(crate)") {
                continue;
            }
            for path in expand(tree) {
                if let Some(path) = self.absolute(module, &path)
                    && let Some(name) = path.last()
                {
                    names.insert(name.clone(), path);
                }
            }
        }
        names
    }

    fn absolute(&self, module: &Module, path: &str) -> Option<Module> {
        let mut segments = path.split("::").map(str::trim).peekable();
        let mut base = module.clone();
        match *segments.peek()? {
            "crate" => {
                segments.next();
                base.clear();
            }
            "self" => _ = segments.next(),
            "super" => {
                while segments.next_if_eq(&"super").is_some() {
                    base.pop();
                }
            }
            // A path without a keyword is of this crate if it starts with a child module.
            first => {
                let child = [base.as_slice(), &[first.to_owned()]].concat();
                self.0.contains_key(&child).then_some(())?;
            }
        }
        base.extend(segments.map(str::to_owned));
        Some(base)
    }

    /// Module of the file in which the item of a path is defined, through re-exports.
    fn resolve(
        &self,
        path: &[String],
        names: &BTreeMap<Module, BTreeMap<String, Module>>,
        depth: u32,
    ) -> Option<Module> {
        let length = (1..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
        let module = path[..length].to_vec();
        let re_exported = path.get(length).and_then(|name| names[&module].get(name));
        match re_exported {
            // The depth is bounded since re-exports may form a cycle.
            Some(target) if target.as_slice() != path && depth < 5 => {
                let rest = [target.as_slice(), &path[length + 1..]].concat();
                self.resolve(&rest, names, depth + 1)
            }
            _ => Some(module),
        }
    }
}

/// Whether two modules are the same, or one is a folder that contains the other.
fn belong_together(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Whether the text before `use` is the end of an item or the start of the file, so that `use`
/// begins a statement.
fn is_statement(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with(['}', ']', '{', ')']) || before.ends_with("pub")
}

/// Paths of an import tree: `a::{b, c::{d, e}}`.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.trim().to_owned()];
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut paths, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = inner[start..at].trim();
                if !part.is_empty() {
                    paths.extend(expand(part).iter().map(|path| format!("{before}{path}")));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

/// Paths in a text that start with `crate` or `super`.
fn inline_paths(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = text.split(|letter: char| !is_part(letter));
    let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    paths.map(|path| path.trim_end_matches(':').to_owned()).collect()
}

fn collect(folder: &Path, above: &Module, sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("the package has sources") {
        let path = entry.expect("the folder can be listed").path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let module = [above.as_slice(), &[name.to_owned()]].concat();
        if path.is_dir() {
            if !["tests", "fake"].contains(&name) {
                collect(&path, &module, sources);
            }
        } else if path.extension().is_some_and(|it| it == "rs") && !name.ends_with("tests") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            match name {
                // The root declares all modules, and no module imports from the root.
                "lib" | "main" if above.is_empty() => {}
                "mod" => _ = sources.insert(above.clone(), code(&text)),
                _ => _ = sources.insert(module, code(&text)),
            }
        }
    }
}

/// Text of a file without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}
