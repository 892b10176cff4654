//! SkyPilot's own wheel, built by SkyPilot's code as its API server does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use host::progress::Step;
use host::tools::python::for_installers;
use host::tools::run::run;
use host::tools::uv::Uv;
use host::tools::version::ToolVersion;
use host::tools::{remove_folder, shell_in};
use host::workspace::Workspace;
use serde::Deserialize;
use skyload::env;
use xshell::{Shell, cmd};

use super::ImageKind;
use crate::base_dir::{BaseDir, short_hash};
use crate::skypilot::SkyPilot;

const BUILD: &str = include_str!("../site/wheel.py");

/// Wheel of SkyPilot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wheel {
    #[serde(rename = "wheel")]
    pub(super) path: PathBuf,
    /// Hash by SkyPilot, which compares it with the hash on a node.
    pub(super) hash: String,
    /// Packages that SkyPilot installs on a node of a cloud, next to the wheel; empty if the
    /// release has others than expected.
    #[serde(default)]
    pub(super) requirements: Vec<String>,
}

impl Wheel {
    /// Version of Ray on nodes of clouds.
    pub(super) fn ray(&self) -> Result<ToolVersion> {
        let ray = self.requirements.iter().find_map(|it| it.strip_prefix("ray[default]=="));
        ray.and_then(ToolVersion::find_in).with_context(|| {
            format!(
                "expected a version of Ray among the packages of SkyPilot's nodes, got `{}`",
                self.requirements.join(" ")
            )
        })
    }
}

/// Output of `wheel.py`, as JSON.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum BuildOutput {
    Built(Wheel),
    /// Name of a module that SkyPilot cannot import.
    Missing(String),
}

pub(super) fn build(
    kind: ImageKind,
    base_dir: &BaseDir,
    workspace: &Workspace,
    sky: &SkyPilot,
    uv: &Uv,
    step: &Step,
) -> Result<Wheel> {
    let python = sky.python.as_ref().with_context(|| {
        format!(
            "expected a `sky` with a Python, to build the wheel for the nodes, got `{}`\n  hint: \
             pass the `sky` of a Python environment",
            sky.program.display()
        )
    })?;
    let shell = shell_in(&workspace.state)?;
    // SkyPilot caches wheels in its home, and builds a new one only if its files have changed.
    let home = base_dir.images().join(format!("wheels-of-{}", short_hash(&sky.program)));
    fs::create_dir_all(&home).context("creating a home to build the wheel in")?;
    let temporary = tempfile::tempdir().context("creating a folder to build the wheel in")?;
    // The environment of installers, since SkyPilot calls pip, which downloads build tools.
    let nodes = match kind {
        ImageKind::Slurm => "slurm",
        ImageKind::Aws => "aws",
    };
    let mut build = for_installers(cmd!(shell, "{python} -c {BUILD} {nodes}"))
        .env("HOME", &home)
        .env("TMPDIR", temporary.path())
        .env(env::NO_USAGE, "1");
    // SkyPilot builds with pip, which environments made by uv do not have.
    if !has_pip(&shell, python, None) {
        build = build.env("PYTHONPATH", pip_beside(&shell, python, &workspace.state, uv, step)?);
    }
    step.update("importing SkyPilot");
    let output = run(build, step)?.into_output().context("building SkyPilot's wheel")?;
    match parse_output(&output)? {
        BuildOutput::Built(wheel) => Ok(wheel),
        // Old releases lack SkyPilot's own modules for Slurm.
        BuildOutput::Missing(module) if module.starts_with("sky") => {
            bail!("{}", no_slurm(&sky.version))
        }
        BuildOutput::Missing(module) => bail!(
            "`{}` lacks `{module}`, which SkyPilot needs for Slurm\n  hint: `{} -m pip install \
             'skypilot[slurm]'`",
            sky.program.display(),
            python.display()
        ),
    }
}

/// Folder with a pip for a Python without one: a folder of skyload, since the Python's environment
/// may be the user's.
fn pip_beside(shell: &Shell, python: &Path, state: &Path, uv: &Uv, step: &Step) -> Result<PathBuf> {
    let pip = state.join("tools/pip");
    if has_pip(shell, python, Some(&pip)) {
        return Ok(pip);
    }
    step.update("downloading pip");
    // uv writes one file after the other: an installation may end in between.
    let new = pip.with_extension("new");
    for leftover in [&pip, &new] {
        remove_folder(leftover)?;
    }
    let install = uv.command(shell).args(["pip", "install", "--python"]).arg(python);
    run(install.arg("--target").arg(&new).arg("pip"), step)?.into_output()?;
    fs::rename(&new, &pip)
        .with_context(|| format!("renaming `{}` to `{}`", new.display(), pip.display()))?;
    Ok(pip)
}

/// Whether a Python has a pip that starts, of its own or in the folder `beside`.
fn has_pip(shell: &Shell, python: &Path, beside: Option<&Path>) -> bool {
    let mut pip = for_installers(cmd!(shell, "{python} -m pip --version"));
    if let Some(folder) = beside {
        pip = pip.env("PYTHONPATH", folder);
    }
    pip.quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Error text for a release without support for Slurm.
pub(super) fn no_slurm(version: &str) -> String {
    format!("SkyPilot {version} does not support Slurm")
}

/// JSON in the output of `wheel.py`, which is the last line: SkyPilot may print others before.
fn parse_output(output: &str) -> Result<BuildOutput> {
    let last = output.lines().rfind(|line| line.starts_with('{')).unwrap_or(output);
    serde_json::from_str(last).with_context(|| format!("reading the wheel's path from `{last}`"))
}

#[cfg(test)]
mod tests {
    use host::progress::Progress;
    use rstest::rstest;

    use super::*;
    use crate::testing::{script, shell};

    #[test]
    fn a_pip_that_is_incomplete_is_installed_again() {
        let state = tempfile::tempdir().unwrap();
        let (shell, progress) = (shell(state.path()), Progress::new());
        let python = state.path().join("python");
        script(&python, "[ -e \"$PYTHONPATH/pip/__main__.py\" ]");
        let uv = state.path().join("bin/uv");
        let prepare = |install: &str| {
            script(&uv, &format!("case $1 in --version) echo uv 0.13.9 ;; *) {install} ;; esac"));
            let uv = Uv::find_or_install_with(&shell, state.path(), &progress).unwrap().unwrap();
            pip_beside(&shell, &python, state.path(), &uv, &progress.step("Building"))
        };
        let pip = state.path().join("tools/pip");
        // As `uv pip install --python PYTHON --target FOLDER pip` leaves it when it is killed.
        fs::create_dir_all(pip.join("pip")).unwrap();
        assert!(prepare("/bin/mkdir -p \"$6/pip\"; exit 1").is_err());
        assert!(!pip.exists());
        let complete = "/bin/mkdir \"$6\" \"$6/pip\" && : > \"$6/pip/__main__.py\"";
        assert_eq!(prepare(complete).unwrap(), pip);
        assert!(pip.join("pip/__main__.py").exists());
        assert_eq!(prepare("exit 1").unwrap(), pip, "installed once");
    }

    #[test]
    fn the_json_is_found_after_other_output_of_skypilot() {
        let output = "Building..\n{\"built\": {\"wheel\": \"/w/sky.whl\", \"hash\": \"ab\"}}\n";
        let wheel =
            Wheel { path: "/w/sky.whl".into(), hash: "ab".into(), requirements: Vec::new() };
        assert_eq!(parse_output(output).unwrap(), BuildOutput::Built(wheel));
    }

    #[test]
    fn no_output_is_too_odd_to_be_parsed() {
        let output = "Building..\n{\"built\": {\"wheel\": \"/w/sky.whl\", \"hash\": \"ab\"}}\n";
        crate::changes::try_changes(output.as_bytes(), |output| {
            _ = parse_output(&String::from_utf8_lossy(output));
        });
    }

    /// Output of `wheel.py` with the system's Python and a fake SkyPilot that has `adaptor` as its
    /// module `sky.adaptors.slurm`.
    fn build_with(adaptor: &str) -> BuildOutput {
        let folder = tempfile::tempdir().unwrap();
        let wheels = "import pathlib\nWHEEL_DIR = pathlib.Path(__file__).parent\n\
                      def build_sky_wheel():\n    return None, 'ab'\n";
        for (name, text) in [
            ("clouds/slurm.py", ""),
            ("adaptors/slurm.py", adaptor),
            ("backends/wheel_utils.py", wheels),
            ("backends/ab/sky.whl", ""),
        ] {
            let path = folder.path().join("sky").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let shell = xshell::Shell::new().unwrap();
        let python = cmd!(shell, "python3 -c {BUILD} slurm").env("PYTHONPATH", folder.path());
        parse_output(&python.quiet().read().unwrap()).unwrap()
    }

    #[test]
    fn a_missing_module_is_named() {
        // As in SkyPilot 0.14.1.
        let missing = build_with(
            "class Lazy:\n    def __getattr__(self, name):\n        try:\n            \
             import hostlist_of_slurm\n        except ImportError as error:\n            \
             raise ImportError('Failed to import dependencies.') from error\n\
             hostlist = Lazy()\n",
        );
        assert_eq!(missing, BuildOutput::Missing("hostlist_of_slurm".to_owned()));
    }

    #[rstest]
    #[case::of_0_14("2.9.3")]
    #[case::filled_in_later("{ray_version}")]
    fn the_packages_of_nodes_are_those_that_skypilot_installs(#[case] ray: &str) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "backends/wheel_utils.py",
                "import pathlib\nWHEEL_DIR = pathlib.Path(__file__).parent\n\
              def build_sky_wheel():\n    return None, 'ab'\n",
            ),
            ("backends/ab/sky.whl", ""),
            (
                "skylet/constants.py",
                "SKY_REMOTE_RAY_VERSION = '2.9.3'\n\
              RAY_INSTALLATION_COMMANDS = ('uv pip install \"setuptools<70\"; \
              list | grep ray || uv pip install -U \"ray[default]==RAY\" \"click<8.3.0\"; ')\n",
            ),
        ] {
            let path = folder.path().join("sky").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("RAY\"", &format!("{ray}\""))).unwrap();
        }
        let shell = xshell::Shell::new().unwrap();
        let python = cmd!(shell, "python3 -c {BUILD} aws").env("PYTHONPATH", folder.path());
        let BuildOutput::Built(wheel) = parse_output(&python.quiet().read().unwrap()).unwrap()
        else {
            panic!("no wheel");
        };
        assert_eq!(wheel.requirements, ["setuptools<70", "ray[default]==2.9.3", "click<8.3.0"]);
        assert_eq!(wheel.ray().unwrap(), ToolVersion(2, 9, 3));
    }

    #[rstest]
    #[case::includes_it("class hostlist:\n    expand_hostlist = list\n")]
    #[case::does_not_use_it("")]
    fn hostlist_is_not_missing_if_skypilot(#[case] adaptor: &str) {
        let built = build_with(adaptor);
        assert!(matches!(&built, BuildOutput::Built(wheel) if wheel.hash == "ab"), "{built:?}");
    }
}
