//! SkyPilot's own wheel, built by SkyPilot itself as its API server would.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use host::progress::Step;
use host::tools::python::for_installers;
use host::tools::run::run;
use host::tools::shell_in;
use host::tools::uv::Uv;
use host::workspace::Workspace;
use serde::Deserialize;
use skyload::env;
use xshell::cmd;

use crate::place::{Place, short_sum};
use crate::skypilot::SkyPilot;

const BUILD: &str = include_str!("../site/wheel.py");

/// A wheel and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wheel {
    #[serde(rename = "wheel")]
    pub(super) path: PathBuf,
    pub(super) hash: String,
}

/// What `wheel.py` prints.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Answer {
    Built(Wheel),
    /// A module that isn't there.
    Missing(String),
}

pub(super) fn build(
    place: &Place,
    workspace: &Workspace,
    sky: &SkyPilot,
    uv: &Uv,
    step: &Step,
) -> Result<Wheel> {
    let python = sky.python.as_ref().with_context(|| {
        format!(
            "finding the Python of `{}`, which builds the wheel for the nodes\n  hint: give the \
             `sky` of a Python environment",
            sky.program.display()
        )
    })?;
    let shell = shell_in(&workspace.state)?;
    // SkyPilot keeps its wheels there and builds no new one while they fit.
    let home = place.images().join(format!("wheels-of-{}", short_sum(&sky.program)));
    fs::create_dir_all(&home).context("making a home to build the wheel in")?;
    let temporary = tempfile::tempdir().context("making a folder to build the wheel in")?;
    // It calls pip, which fetches what it builds with.
    let mut build = for_installers(cmd!(shell, "{python} -c {BUILD}"))
        .env("HOME", &home)
        .env("TMPDIR", temporary.path())
        .env(env::NO_USAGE, "1");
    let has_pip = for_installers(cmd!(shell, "{python} -m pip --version"));
    let has_pip = has_pip.quiet().ignore_stdout().ignore_stderr().run();
    if has_pip.is_err() {
        // SkyPilot builds with pip, which environments made by uv don't have. Ours
        // is put beside, not into, an environment that may be somebody else's.
        let pip = workspace.state.join("tools/pip");
        if !pip.join("pip").is_dir() {
            step.update("fetching pip");
            let install = uv.command(&shell).args(["pip", "install", "--python"]).arg(python);
            run(install.arg("--target").arg(&pip).arg("pip"), step)?.into_output()?;
        }
        build = build.env("PYTHONPATH", pip);
    }
    step.update("importing SkyPilot");
    let output = run(build, step)?.into_output().context("building SkyPilot's wheel")?;
    match answer(&output)? {
        Answer::Built(wheel) => Ok(wheel),
        Answer::Missing(module) if module.starts_with("sky") => {
            bail!("{}", no_slurm(&sky.version))
        }
        Answer::Missing(module) => bail!(
            "`{}` lacks `{module}`, which SkyPilot needs for Slurm\n  hint: `{} -m pip install \
             'skypilot[slurm]'`",
            sky.program.display(),
            python.display()
        ),
    }
}

/// What to say of a release that is too old.
pub(super) fn no_slurm(version: &str) -> String {
    format!("SkyPilot {version} has no Slurm")
}

/// SkyPilot may print before.
fn answer(output: &str) -> Result<Answer> {
    let last = output.lines().rfind(|line| line.starts_with('{')).unwrap_or(output);
    serde_json::from_str(last).with_context(|| format!("reading where the wheel is from `{last}`"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_answer_is_found_behind_what_skypilot_prints() {
        let output = "Building..\n{\"built\": {\"wheel\": \"/w/sky.whl\", \"hash\": \"ab\"}}\n";
        let wheel = Wheel { path: "/w/sky.whl".into(), hash: "ab".into() };
        assert_eq!(answer(output).unwrap(), Answer::Built(wheel));
    }

    #[test]
    fn no_answer_is_too_odd_to_be_read() {
        let output = "Building..\n{\"built\": {\"wheel\": \"/w/sky.whl\", \"hash\": \"ab\"}}\n";
        crate::changes::try_changes(output.as_bytes(), |output| {
            _ = answer(&String::from_utf8_lossy(output));
        });
    }

    /// Asks the system's Python, with a made-up SkyPilot of which this is `sky.adaptors.slurm`.
    fn build_with(adaptor: &str) -> Answer {
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
        let python = cmd!(shell, "python3 -c {BUILD}").env("PYTHONPATH", folder.path());
        answer(&python.quiet().read().unwrap()).unwrap()
    }

    #[test]
    fn a_missing_module_is_named() {
        // As SkyPilot 0.14.1 does it.
        let missing = build_with(
            "class Lazy:\n    def __getattr__(self, name):\n        try:\n            \
             import hostlist_of_slurm\n        except ImportError as error:\n            \
             raise ImportError('Failed to import dependencies.') from error\n\
             hostlist = Lazy()\n",
        );
        assert_eq!(missing, Answer::Missing("hostlist_of_slurm".to_owned()));
    }

    #[rstest]
    #[case::brings_it_along("class hostlist:\n    expand_hostlist = list\n")]
    #[case::does_without("")]
    fn nothing_is_missing_where_skypilot(#[case] adaptor: &str) {
        let built = build_with(adaptor);
        assert!(matches!(&built, Answer::Built(wheel) if wheel.hash == "ab"), "{built:?}");
    }
}
