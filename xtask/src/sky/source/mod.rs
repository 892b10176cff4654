//! SkyPilot built from source: a checkout with its present files, or a commit of a repository.
//!
//! * [`checkout`]: which commit a folder is at, and which files differ from it.
//! * [`repository`]: a commit by its branch, tag, hash or pull request, fetched if it is remote.
//! * [`files`]: hashes and copies of files.
//! * [`merge_base`]: the commit that a checkout is compared with; [`history`]: commits between two.
//! * [`unused`] removes environments and repositories that have not been used for a month.
//!
//! A build writes beside the source, so it runs in a copy. Its environment is named by the commit,
//! by the folder's tree in a larger repository, and by the hash of what is not committed: changed
//! files are never tested with an old build.

mod checkout;
mod files;
pub(super) mod history;
mod merge_base;
mod repository;
mod unused;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use host::progress::Step;
use host::tools::lock::SetupLock;
use host::tools::{remove_folder, shell_in};
use skyload::plan::{Dependencies, ResolutionDate};
use skyload::record::environment::SkySource;
use skyload::target::sky::{GitReference, is_source};

use super::installer::Installer;
use super::wanted::{Found, Wanted, dependencies_in_words};
use super::{SkyInstallation, release_date};
use checkout::Checkout;
pub(crate) use merge_base::merge_base;
use repository::Repository;

/// Prefix of the names of environments that were built from source.
const SOURCE: &str = "source-";

/// Number of digits of a tree's hash in the name of an environment.
const DIGITS: usize = 12;

/// Builds the present files of a checkout.
pub(super) fn checkout(folder: &Path, wanted: Wanted<'_>) -> Result<SkyInstallation> {
    let checkout = Checkout::open(folder, &shell_in(wanted.state_dir)?)?;
    let source = checkout.source()?;
    let name = environment_name(&source, checkout.tree()?.as_deref());
    install(source.clone(), &name, wanted, |copy| {
        checkout.copy_to(copy)?;
        // The name of the environment would be of other files than those that were copied.
        if checkout.source()? != source {
            bail!(
                "files in `{}` changed while they were copied\n  hint: start the command again",
                folder.display()
            );
        }
        Ok(())
    })
}

/// Builds a commit of a repository.
pub(super) fn commit(reference: &GitReference, wanted: Wanted<'_>) -> Result<SkyInstallation> {
    let repository = Repository::open(reference, wanted.state_dir, wanted.progress)?;
    let commit = repository.commit()?;
    let source = SkySource {
        repository: reference.repository.clone(),
        reference: Some(reference.reference.clone()),
        commit: Some(commit.clone()),
        uncommitted: None,
    };
    let name = environment_name(&source, None);
    install(source, &name, wanted, |folder| {
        repository.export(&commit, folder)?;
        if !is_source(folder) {
            bail!(
                "expected the source of SkyPilot (sky/__init__.py, and setup.py or \
                 pyproject.toml) in {} of {}, found none",
                reference.reference,
                reference.repository
            );
        }
        Ok(())
    })
}

/// Name of the environment of a source; `tree` is the hash of a folder's files in the commit, for
/// one below the top of its repository.
fn environment_name(source: &SkySource, tree: Option<&str>) -> String {
    let commit = source.short_commit();
    match tree {
        Some(tree) => format!("{SOURCE}{commit}-tree-{}", tree.get(..DIGITS).unwrap_or(tree)),
        None => format!("{SOURCE}{commit}"),
    }
}

/// Environment `name` with a SkyPilot that is built from `source`, whose files `export` writes
/// into a folder; an existing one if it was built before.
fn install(
    source: SkySource,
    name: &str,
    wanted: Wanted<'_>,
    export: impl FnOnce(&Path) -> Result<()>,
) -> Result<SkyInstallation> {
    let installed = match wanted.find(name)? {
        Found::Complete(installed) => wanted.used_again(*installed),
        Found::Missing(folder) => {
            let _lock = SetupLock::take(wanted.state_dir)?;
            let installer = Installer::choose(&wanted)?;
            let step = wanted.progress.step(format!(
                "Building SkyPilot from {} {} (once, about a minute)",
                source.in_words(),
                wanted.extras
            ));
            let installed = build(&source, &installer, wanted, &folder, &step, export)?;
            unused::remove(wanted.state_dir)?;
            step.done(dependencies_in_words(installed.resolved_as_of.as_ref(), &folder));
            installed
        }
    };
    let mut facts = installed.facts;
    // Also of a release without a line for its commit.
    facts.commit = Some(source.reported_commit());
    Ok(SkyInstallation { facts, source: Some(source), ..installed })
}

fn build(
    source: &SkySource,
    installer: &Installer,
    wanted: Wanted<'_>,
    folder: &Path,
    step: &Step,
    export: impl FnOnce(&Path) -> Result<()>,
) -> Result<SkyInstallation> {
    installer.make_environment(folder, step)?;
    let as_of = match wanted.dependencies {
        Dependencies::At(date) => Some(date.clone()),
        Dependencies::OwnDate => installer.has_dates(folder, step)?.then(|| own_date(source)),
    };
    // Inside of the environment, so that an interrupted build leaves nothing elsewhere.
    let (copy, wheels) = (folder.join("source"), folder.join("wheel"));
    step.update("copying the source");
    fs::create_dir_all(&copy).with_context(|| format!("creating {}", copy.display()))?;
    export(&copy)?;
    write_commit(&copy, &source.reported_commit())?;
    let wheel = installer.build_wheel(folder, &copy, &wheels, as_of.as_ref(), step)?;
    remove_folder(&copy)?;
    let requirement = format!("{}{}", wheel.display(), wanted.extras);
    installer.install(folder, &requirement, as_of.as_ref(), step)?.into_output()?;
    remove_folder(&wheels)?;
    let stamp = installer.finish(folder, as_of, step)?;
    Ok(wanted.installation(stamp, folder))
}

/// Date of a source's dependencies: that of the commit, or now for files without a commit.
fn own_date(source: &SkySource) -> ResolutionDate {
    let now = SystemTime::now();
    match (&source.commit, &source.uncommitted) {
        (Some(commit), None) => release_date::of_commit(commit.date, now),
        _ => release_date::of_files(now),
    }
}

/// Writes the commit into the copy of SkyPilot's source, as SkyPilot's own builds do. Without it,
/// SkyPilot asks git at each start, for the repository that the environment happens to be in.
fn write_commit(copy: &Path, commit: &str) -> Result<()> {
    let path = copy.join("sky/__init__.py");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let line = |line: &str| match line.starts_with(COMMIT_LINE) {
        true => format!("{COMMIT_LINE}'{commit}'\n"),
        false => line.to_owned(),
    };
    let text: String = text.split_inclusive('\n').map(line).collect();
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

/// Beginning of the line with the commit in `sky/__init__.py`.
const COMMIT_LINE: &str = "_SKYPILOT_COMMIT_SHA = ";

#[cfg(test)]
mod tests;
