//! Settings of an API server that launches on infras of this machine.

mod config;

use std::path::PathBuf;

use serde_json::{Value, json};
use skyload::record::environment::CatalogFacts;

use crate::site;

/// Settings of an API server that launches on infras of this machine.
#[derive(Clone, Debug)]
pub struct ServerSetup {
    /// Values of SkyPilot's `--infra`.
    pub infras: Vec<String>,
    /// Content of `~/.sky/config.yaml`, sections by name.
    pub(crate) config: Value,
    /// Environment variables, next to PATH and PYTHONPATH.
    pub(crate) variables: Vec<(String, String)>,
    /// Further files below the server's home.
    pub home_files: Vec<HomeFile>,
    /// Folders to copy into the server's home.
    pub home_folders: Vec<HomeFolder>,
    /// Catalogs of clouds among the folders; `None` if the infras need none.
    pub catalog: Option<CatalogFacts>,
    /// Modifications for loopback: one statement for each difference from an unmodified
    /// SkyPilot.
    pub modifications: Vec<String>,
    /// Folders to put first on the server's PATH, with programs that are missing there.
    pub(crate) programs: Vec<PathBuf>,
    /// Folder with the `sitecustomize` that patches the API server, for all infras.
    pub(crate) site: PathBuf,
}

/// File below a home directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeFile {
    /// Path relative to the home.
    pub path: PathBuf,
    /// Content of the file.
    pub content: String,
    /// Mode bits of the file.
    pub mode: u32,
}

/// Folder to copy below a home directory. Copies must have the time of copying: SkyPilot builds
/// a new wheel if its own files are newer than the wheel, and downloads a catalog again that is
/// hours old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeFolder {
    /// Folder with the content.
    pub from: PathBuf,
    /// Path relative to the home.
    pub to: PathBuf,
}

impl ServerSetup {
    /// Setup with the settings that every local infra needs, and the infra's `modifications`
    /// before those. `site` has the patches of the API server.
    pub(crate) fn new<'a>(
        infra: String,
        site: PathBuf,
        modifications: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let modifications = modifications.into_iter().chain(site::MODIFICATIONS);
        Self {
            infras: vec![infra],
            config: Value::Null,
            variables: Vec::new(),
            home_files: Vec::new(),
            home_folders: Vec::new(),
            catalog: None,
            modifications: modifications.map(str::to_owned).collect(),
            programs: Vec::new(),
            site,
        }
    }

    /// Setup with a folder that has the nodes' wheel, so that the server finds the wheel built.
    pub(crate) fn with_wheels(mut self, wheels: PathBuf) -> Self {
        self.home_folders.push(HomeFolder { from: wheels, to: ".sky/wheels".into() });
        self
    }

    /// Setup for all of the infras of `setups`; `None` if there are none. What several have in
    /// common occurs once.
    pub(crate) fn merged(setups: impl IntoIterator<Item = Self>) -> Option<Self> {
        setups.into_iter().reduce(|mut merged, next| {
            append(&mut merged.infras, next.infras);
            config::merge(&mut merged.config, next.config);
            append(&mut merged.variables, next.variables);
            append(&mut merged.home_files, next.home_files);
            append(&mut merged.home_folders, next.home_folders);
            merged.catalog = merged.catalog.or(next.catalog);
            append(&mut merged.modifications, next.modifications);
            append(&mut merged.programs, next.programs);
            // `site` stays: patches are the same for all infras, and Python imports one
            // `sitecustomize` alone.
            merged
        })
    }

    /// Content of `~/.sky/config.yaml`.
    pub fn config(&self) -> String {
        // Consolidation runs the jobs and serve controllers in the API server, not on clusters
        // of their own.
        let consolidated = json!({ "controller": { "consolidation_mode": true } });
        let mut config = self.config.clone();
        config::merge(&mut config, json!({ "jobs": consolidated, "serve": consolidated }));
        config::yaml(&config)
    }

    /// Environment variables of the API server, PATH excepted (see [`Self::path`]). Clients of
    /// the server need none.
    pub fn variables(&self) -> Vec<(String, String)> {
        let patches = ("PYTHONPATH".to_owned(), self.site.display().to_string());
        self.variables.iter().cloned().chain([patches]).collect()
    }

    /// Value of PATH for the API server: `path`, with the missing programs first.
    pub fn path(&self, path: &str) -> String {
        let programs = self.programs.iter().map(|folder| folder.display().to_string());
        programs.chain([path.to_owned()]).collect::<Vec<_>>().join(":")
    }
}

/// Appends those of `more` that the list does not have.
fn append<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(infra: &str, modification: &str) -> ServerSetup {
        let folder = |name: &str| PathBuf::from(format!("/{infra}/{name}"));
        ServerSetup {
            config: json!({ infra: { "setting": modification } }),
            variables: vec![("INFRA".to_owned(), infra.to_owned())],
            ..ServerSetup::new(infra.to_owned(), folder("site"), [modification])
                .with_wheels(folder("wheels"))
        }
    }

    #[test]
    fn no_infra_needs_no_setup() {
        assert!(ServerSetup::merged([]).is_none());
    }

    #[test]
    fn a_merged_setup_has_the_settings_of_all_infras_and_common_ones_once() {
        let setup = ServerSetup::merged([setup("slurm", "one"), setup("aws", "two")]).unwrap();
        assert_eq!(setup.infras, ["slurm", "aws"]);
        let expected = "aws:
  setting: \"two\"
jobs:
  controller:
    consolidation_mode: true
serve:
  controller:
    consolidation_mode: true
slurm:
  setting: \"one\"
";
        assert_eq!(setup.config(), expected);
        let common = &site::MODIFICATIONS;
        let of = |text: &str| setup.modifications.iter().filter(|it| *it == text).count();
        assert!(common.iter().chain(&["one", "two"]).all(|text| of(text) == 1));
        assert_eq!(setup.home_folders.len(), 2);
        let names: Vec<String> = setup.variables().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["INFRA", "INFRA", "PYTHONPATH"]);
    }
}
