//! Imports of a package's files, read from their text.
//!
//! A parser of Rust would do better, and costs more to build than all of these tests. What
//! counts is what `use` names, and paths from `crate` and `super` elsewhere. A file and the
//! folder that it stands in belong together: neither imports the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module by its path below the crate.
pub(super) type Module = Vec<String>;

/// The files of a package, by their modules, without tests and comments.
pub(super) struct Sources(BTreeMap<Module, String>);

impl Sources {
    pub(super) fn read(folder: &Path) -> Self {
        let mut sources = BTreeMap::new();
        collect(folder, &Vec::new(), &mut sources);
        Self(sources)
    }

    /// What each file imports of the others.
    pub(super) fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let names = self.0.keys().map(|module| (module.clone(), self.public_names(module)));
        let names: BTreeMap<Module, BTreeMap<String, Module>> = names.collect();
        let of = |module: &Module| {
            let found = self.paths(module).into_iter();
            let found = found.filter_map(|path| self.resolve(&path, &names, 0));
            found.filter(|other| !belong_together(module, other)).collect()
        };
        self.0.keys().map(|module| (module.clone(), of(module))).collect()
    }

    /// All paths that a file names, from the root of the crate.
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

    /// Names that a file hands on from others.
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
            first => {
                let child = [base.as_slice(), &[first.to_owned()]].concat();
                self.0.contains_key(&child).then_some(())?;
            }
        }
        base.extend(segments.map(str::to_owned));
        Some(base)
    }

    /// The file that a path leads to.
    fn resolve(
        &self,
        path: &[String],
        names: &BTreeMap<Module, BTreeMap<String, Module>>,
        depth: u32,
    ) -> Option<Module> {
        let length = (1..=path.len()).rev().find(|end| self.0.contains_key(&path[..*end]))?;
        let module = path[..length].to_vec();
        let handed_on = path.get(length).and_then(|name| names[&module].get(name));
        match handed_on {
            Some(target) if target.as_slice() != path && depth < 5 => {
                let rest = [target.as_slice(), &path[length + 1..]].concat();
                self.resolve(&rest, names, depth + 1)
            }
            _ => Some(module),
        }
    }
}

/// Whether one is the other, or the folder that the other stands in.
fn belong_together(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Whether what stands before `use` ends an item or begins a file, so that it is a statement.
fn is_statement(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with(['}', ']', '{', ')']) || before.ends_with("pub")
}

/// The paths of a tree of imports: `a::{b, c::{d, e}}`.
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

/// Paths from `crate` and `super` in a text.
fn inline_paths(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let words = text.split(|letter: char| !is_part(letter));
    let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    paths.map(|path| path.trim_end_matches(':').to_owned()).collect()
}

fn collect(folder: &Path, above: &Module, sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("the sources are beside their tests") {
        let path = entry.expect("they can be listed").path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let module = [above.as_slice(), &[name.to_owned()]].concat();
        if path.is_dir() {
            if !["tests", "fake"].contains(&name) {
                collect(&path, &module, sources);
            }
        } else if path.extension().is_some_and(|it| it == "rs") && !name.ends_with("tests") {
            let text = fs::read_to_string(&path).expect("they can be read");
            match name {
                // The root names all modules, and none of them imports it.
                "lib" | "main" if above.is_empty() => {}
                "mod" => _ = sources.insert(above.clone(), code(&text)),
                _ => _ = sources.insert(module, code(&text)),
            }
        }
    }
}

/// A text without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}
