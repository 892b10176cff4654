//! Extras of SkyPilot's Python package: the dependencies of one cloud each.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use host::environment::{Environment, For};
use xshell::{Shell, cmd};

use super::SkyEnvironment;

/// Extra that every environment has, for the loopback Slurm cluster.
const SLURM: &str = "slurm";

/// Clouds with an extra, and the module of that extra which shows whether the extra is installed;
/// `None` for an extra without packages of its own. Names are those of SkyPilot's `--infra`.
/// Source: `sky/setup_files/dependencies.py` of SkyPilot 0.14.1.
const CLOUDS: [(&str, &str, Option<&str>); 27] = [
    ("aws", "aws", Some("boto3")),
    ("azure", "azure", Some("azure.identity")),
    ("cudo", "cudo", Some("cudo_compute")),
    ("digitalocean", "do", Some("pydo")),
    ("do", "do", Some("pydo")),
    ("fluidstack", "fluidstack", None),
    ("gcp", "gcp", Some("googleapiclient")),
    ("hyperbolic", "hyperbolic", None),
    ("ibm", "ibm", Some("ibm_vpc")),
    ("k8s", "kubernetes", Some("kubernetes")),
    ("kubernetes", "kubernetes", Some("kubernetes")),
    ("lambda", "lambda", None),
    ("mithril", "mithril", None),
    ("nebius", "nebius", Some("nebius")),
    ("oci", "oci", Some("oci")),
    ("paperspace", "paperspace", None),
    ("primeintellect", "primeintellect", None),
    ("runpod", "runpod", Some("runpod")),
    ("scp", "scp", None),
    ("seeweb", "seeweb", Some("ecsapi")),
    ("shadeform", "shadeform", None),
    // The wheel for the nodes cannot be built without it, which is reported there.
    ("slurm", SLURM, None),
    ("ssh", "ssh", Some("kubernetes")),
    ("vast", "vast", Some("vastai_sdk")),
    ("verda", "verda", None),
    ("vsphere", "vsphere", Some("pyVmomi")),
    ("yotta", "yotta", None),
];

/// Set of extras that a SkyPilot is installed with. `slurm` is always one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extras(BTreeSet<&'static str>);

impl Default for Extras {
    fn default() -> Self {
        Self(BTreeSet::from([SLURM]))
    }
}

impl Extras {
    /// Extras for clusters on these infras, values of SkyPilot's `--infra` such as
    /// `aws/us-east-1`. A cloud that is unknown here has none: SkyPilot reports what is missing.
    pub(crate) fn of_infras<'a>(infras: impl IntoIterator<Item = &'a str>) -> Self {
        let extra = |infra: &str| {
            let cloud = infra.split('/').next().unwrap_or_default().to_ascii_lowercase();
            CLOUDS.iter().find(|(name, ..)| *name == cloud).map(|(_, extra, _)| *extra)
        };
        Self(infras.into_iter().filter_map(extra).chain([SLURM]).collect())
    }

    /// Names of the extras, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Name of a virtual environment with these extras; `base` is that of one with `slurm`
    /// alone.
    pub(super) fn folder_name(&self, base: &str) -> String {
        if *self == Self::default() {
            return base.to_owned();
        }
        // No version of a package has an underscore, so no version is taken for this name.
        format!("{base}_{}", self.names().join("_"))
    }

    /// Name of the virtual environment that [`Self::folder_name`] made `folder` of; `None` if
    /// that one had other extras.
    pub(super) fn base_of<'a>(&self, folder: &'a str) -> Option<&'a str> {
        let base = folder.split('_').next()?;
        (self.folder_name(base) == folder).then_some(base)
    }

    /// Error if an extra is missing in the SkyPilot at `program`, which skyload does not install.
    pub(super) fn ensure_in(
        &self,
        program: &Path,
        python: &Path,
        environment: SkyEnvironment,
    ) -> Result<()> {
        let modules = |extra: &str| CLOUDS.iter().find(|(_, it, _)| *it == extra)?.2;
        let needed: Vec<(&str, &str)> =
            self.0.iter().filter_map(|extra| Some((*extra, modules(extra)?))).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let missing = missing(python, &needed, environment)?;
        if missing.is_empty() {
            return Ok(());
        }
        let modules = missing.iter().map(|(_, module)| format!("`{module}`"));
        let extras: Vec<&str> = missing.iter().map(|(extra, _)| *extra).collect();
        bail!(
            "`{}` cannot import {}, which SkyPilot needs for {}\n  hint: `{} -m pip install \
             'skypilot[{}]'`, in the version that is installed",
            program.display(),
            modules.collect::<Vec<_>>().join(", "),
            extras.join(", "),
            python.display(),
            extras.join(",")
        )
    }
}

/// Notation of pip, such as `[aws,slurm]`.
impl fmt::Display for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.names().join(","))
    }
}

/// Extras and modules of `needed` whose module `python` does not find.
fn missing<'a>(
    python: &Path,
    needed: &[(&'a str, &'a str)],
    environment: SkyEnvironment,
) -> Result<Vec<(&'a str, &'a str)>> {
    // Only looks for modules: importing the SDK of a cloud takes a second.
    const FIND: &str = "import importlib.util, sys
for name in sys.argv[1:]:
    try:
        found = importlib.util.find_spec(name)
    except ImportError:
        found = None
    if found is None:
        print(name)
";
    let shell = Shell::new().context("reading the current directory")?;
    // Python looks for modules in the working directory, too.
    let _folder = shell.push_dir("/");
    let names = needed.iter().map(|(_, module)| *module);
    let find = cmd!(shell, "{python} -c {FIND} {names...}").quiet();
    let find = match environment {
        SkyEnvironment::Filtered => Environment::of(For::SkyPilot).apply_to(find),
        SkyEnvironment::Shell => find,
    };
    let output = find.read().with_context(|| {
        format!("looking for the modules of SkyPilot's clouds with `{}`", python.display())
    })?;
    let is_missing = |module: &str| output.lines().any(|line| line.trim() == module);
    Ok(needed.iter().filter(|(_, module)| is_missing(module)).copied().collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testing::script;

    #[test]
    fn every_cloud_of_skypilot_has_an_entry() {
        let names: Vec<&str> = CLOUDS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, skyload::infrastructure::CLOUDS);
    }

    #[rstest]
    #[case::none(&[], "[slurm]")]
    #[case::loopback(&["slurm/loop"], "[slurm]")]
    #[case::a_region(&["aws/us-east-1"], "[aws,slurm]")]
    #[case::several(&["kubernetes", "gcp", "aws"], "[aws,gcp,kubernetes,slurm]")]
    #[case::an_alias(&["k8s/context", "AWS"], "[aws,kubernetes,slurm]")]
    #[case::an_unknown_one(&["newcloud"], "[slurm]")]
    fn infras_need_the_extras_of_their_clouds(#[case] infras: &[&str], #[case] extras: &str) {
        assert_eq!(Extras::of_infras(infras.iter().copied()).to_string(), extras);
    }

    #[test]
    fn each_set_of_extras_has_an_environment_of_its_own() {
        let (slurm, aws) = (Extras::default(), Extras::of_infras(["aws"]));
        assert_eq!(slurm.folder_name("0.14.1"), "0.14.1");
        assert_eq!(aws.folder_name("0.14.1"), "0.14.1_aws_slurm");
        assert_eq!(aws.base_of("nightly-2026-11-27_aws_slurm"), Some("nightly-2026-11-27"));
        assert_eq!(aws.base_of("nightly-2026-11-27"), None);
        assert_eq!(slurm.base_of("nightly-2026-11-27_aws_slurm"), None);
    }

    #[test]
    fn a_missing_extra_is_one_line_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python");
        script(&python, "echo boto3");
        let check = |infra| {
            let extras = Extras::of_infras([infra]);
            extras.ensure_in(Path::new("/v/bin/sky"), &python, SkyEnvironment::Filtered)
        };
        let error = check("aws").unwrap_err().to_string();
        let (line, hint) = error.split_once("\n  hint: ").unwrap();
        assert_eq!(line, "`/v/bin/sky` cannot import `boto3`, which SkyPilot needs for aws");
        assert!(hint.contains("-m pip install 'skypilot[aws]'"), "{hint}");
        check("gcp").unwrap();
    }

    #[test]
    fn extras_without_modules_start_no_python() {
        let nowhere = Path::new("/nowhere/python");
        let extras = Extras::of_infras(["slurm/loop", "lambda"]);
        extras.ensure_in(Path::new("sky"), nowhere, SkyEnvironment::Filtered).unwrap();
    }
}
