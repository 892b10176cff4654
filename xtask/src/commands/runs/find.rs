//! Finding a run or a profile by its directory or its id.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use host::workspace::Workspace;
use skyload::ids::RunId;
use skyload::plan::UsageErrors;
use skyload::record::{ProfileDir, RunDir};

/// Maximum number of suggestions for a mistyped id.
const MAX_SUGGESTIONS: usize = 3;

/// Result of a lookup.
pub(crate) enum Found {
    Run(RunDir),
    Profile(ProfileDir),
}

/// Kind of result that a command accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Run,
    RunOrProfile,
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::RunOrProfile => "run or profile",
        })
    }
}

/// Finds a run or a profile; `latest` is the latest run.
pub(crate) fn run_or_profile(workspace: &Workspace, name: &Path) -> Result<Found> {
    look_up(workspace, name, Wanted::RunOrProfile)
}

/// Finds a run, for a command that does not accept a profile.
pub(crate) fn run(workspace: &Workspace, name: &Path) -> Result<RunDir> {
    match look_up(workspace, name, Wanted::Run)? {
        Found::Run(run) => Ok(run),
        Found::Profile(profile) => Err(usage_error(format!(
            "expected a run, got the profile `{}`\n  hint: `cargo xtask report {}` shows it, `cargo \
             xtask runs` lists the runs",
            name.display(),
            profile.id()
        ))),
    }
}

fn look_up(workspace: &Workspace, name: &Path, wanted: Wanted) -> Result<Found> {
    let folders = [workspace.runs(), workspace.profiles()];
    let by_id = || folders.iter().map(|folder| folder.join(name)).find(|path| path.is_dir());
    let path = if name.is_dir() { Some(name.to_owned()) } else { by_id() };
    let Some(path) = path else {
        let [runs, profiles] = folders.map(|folder| ids_in(&folder));
        let ids = match wanted {
            Wanted::Run => runs,
            Wanted::RunOrProfile => [runs, profiles].concat(),
        };
        return Err(usage_error(not_found(name, wanted, ids)));
    };
    if let Some(profile) = ProfileDir::open(&path)? {
        return Ok(Found::Profile(profile));
    }
    let run = RunDir::open(&path)?;
    if run.is_traced() {
        return Err(usage_error(format!(
            "expected a measured {wanted}, got `{}`, a server whose executors were traced by \
             `cargo xtask explain`",
            name.display()
        )));
    }
    let holds_run = run.plan().try_exists().with_context(|| format!("opening {}", name.display()));
    match holds_run? {
        true => Ok(Found::Run(run)),
        false => Err(usage_error(format!(
            "`{}` is not a {wanted}: no plan.json found\n  hint: `cargo xtask runs` lists the runs",
            name.display()
        ))),
    }
}

fn usage_error(message: String) -> anyhow::Error {
    UsageErrors(vec![message]).into()
}

/// Ids of the runs or profiles in a directory.
fn ids_in(folder: &Path) -> Vec<RunId> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ids = entries.map(|entry| RunId::of_directory(&entry.path()));
    ids.filter(|id| id.began().is_some()).collect()
}

/// Message on a name that was not found, with similar ids.
fn not_found(name: &Path, wanted: Wanted, mut ids: Vec<RunId>) -> String {
    ids.sort_unstable_by(|one, other| other.cmp(one));
    let not_found = format!("{wanted} `{}` not found", name.display());
    let Some(newest) = ids.first() else {
        return format!("{not_found}: no runs yet\n  hint: start one with `cargo xtask load`");
    };
    let typed = name.file_name().unwrap_or_default().to_string_lossy();
    let guess = match nearest(&typed, &ids).as_slice() {
        [] => format!("the newest is `{newest}`"),
        near => {
            let near: Vec<String> = near.iter().map(|id| format!("`{id}`")).collect();
            format!("did you mean {}?", near.join(" or "))
        }
    };
    format!("{not_found}; {guess}\n  hint: `cargo xtask runs` lists the runs")
}

/// Ids that contain the typed text, or else those within a small edit distance, nearest first.
fn nearest<'a>(typed: &str, ids: &'a [RunId]) -> Vec<&'a RunId> {
    let mut near: Vec<&RunId> =
        ids.iter().filter(|id| !typed.is_empty() && id.as_str().contains(typed)).collect();
    if near.is_empty() {
        let distance = |id: &RunId| strsim::damerau_levenshtein(typed, id.as_str());
        near = ids.iter().filter(|id| distance(id) <= id.as_str().len() / 4).collect();
        near.sort_by_key(|id| distance(id));
    }
    near.truncate(MAX_SUGGESTIONS);
    near
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const OLD: &str = "20261122-080000-00aa";
    const MIDDLE: &str = "20261123-080000-00bb";
    const NEW: &str = "20261124-080000-00cc";

    #[rstest]
    #[case::prefix("20261123", "did you mean `20261123-080000-00bb`?")]
    #[case::suffix("00aa", "did you mean `20261122-080000-00aa`?")]
    #[case::prefix_of_several("202611", "did you mean `20261124-080000-00cc` or `20261123-")]
    #[case::typo("20261123-080000-00bd", "did you mean `20261123-080000-00bb` or ")]
    #[case::nothing_similar("nope", "; the newest is `20261124-080000-00cc`\n")]
    #[case::in_another_directory("/other/20261122-080000-00aa", "did you mean `20261122-")]
    fn similar_ids_are_suggested(#[case] typed: &str, #[case] message: &str) {
        let ids = [MIDDLE, NEW, OLD].map(|id| RunId::of_directory(Path::new(id))).to_vec();
        let text = not_found(Path::new(typed), Wanted::Run, ids);
        assert!(text.starts_with(&format!("run `{typed}` not found; ")), "{text}");
        assert!(
            text.contains(message) && text.ends_with("`cargo xtask runs` lists the runs"),
            "{text}"
        );
    }
}
