//! Existing `sky` program, installed by the user.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use host::tools::{hint, is_program, on_path};
use xshell::Shell;

use super::constants::ProbeOutput;
use super::extras::Extras;
use super::{SkyEnvironment, SkyInstallation};

/// Installation of the `sky` at `path`: a program, a name on PATH, or the directory of a virtual
/// environment. An error if its Python lacks one of the `extras`.
pub(super) fn from_path(
    path: &Path,
    extras: &Extras,
    environment: SkyEnvironment,
) -> Result<SkyInstallation> {
    let shell = Shell::new().context("reading the current directory")?;
    let sky = find(&shell, path)?;
    let (python, probe) = match python_of(&shell, &sky)? {
        Some(python) => {
            let probe = ProbeOutput::of_python(&shell, &python, environment)
                .with_context(|| format!("{} runs under {}", sky.display(), python.display()))?;
            extras.ensure_in(&sky, &python, environment)?;
            (Some(python), probe)
        }
        None => {
            let probe = ProbeOutput::of_program(&shell, &sky, environment).map_err(|error| {
                hint::with_hint(
                    &error.context(format!("{} is not a Python script", sky.display())),
                    "pass the `sky` that a wrapper or a version manager's shim calls (pyenv: `pyenv \
                     which sky`)",
                )
            })?;
            (None, probe)
        }
    };
    Ok(SkyInstallation {
        sky,
        python,
        resolved_as_of: None,
        source: None,
        extras: None,
        facts: probe.into_facts(),
    })
}

fn find(shell: &Shell, path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).context("finding the current directory")?;
    let in_venv = absolute.join("bin/sky");
    if is_program(&absolute) {
        return Ok(absolute);
    }
    if is_program(&in_venv) {
        return Ok(in_venv);
    }
    // A bare name is looked up as a shell would.
    let name = path.to_str().filter(|name| !name.contains('/'));
    if let Some(found) = name.and_then(|name| on_path(shell, name)) {
        return Ok(found);
    }
    if absolute.is_file() {
        let path = absolute.display();
        bail!("{path} is not executable\n  hint: `chmod +x {path}`");
    }
    bail!(
        "no `sky` found at {}\n  hint: pass `--sky` a version (0.14.1), `nightly`, a `sky` program, \
         a virtual environment that has one, or a source checkout",
        absolute.display()
    )
}

/// Python that runs `script`, if it is a Python script.
fn python_of(shell: &Shell, script: &Path) -> Result<Option<PathBuf>> {
    let mut head = Vec::new();
    File::open(script)
        .and_then(|file| file.take(4096).read_to_end(&mut head))
        .with_context(|| format!("reading {}", script.display()))?;
    Ok(match interpreter(&String::from_utf8_lossy(&head)) {
        Some(Interpreter::At(python)) => Some(python),
        Some(Interpreter::OnPath(name)) => on_path(shell, &name),
        Some(Interpreter::Beside(name)) => {
            // The script itself follows links, by `realpath`, before it looks in its directory.
            let real = script
                .canonicalize()
                .with_context(|| format!("following the links of {}", script.display()))?;
            real.parent().map(|folder| folder.join(name))
        }
        None => None,
    })
}

/// Python interpreter that a script's first lines name.
#[derive(Debug, PartialEq, Eq)]
enum Interpreter {
    At(PathBuf),
    /// `#!/usr/bin/env python3`.
    OnPath(String),
    /// Name in the script's directory, as in a relocatable virtual environment.
    Beside(String),
}

fn interpreter(head: &str) -> Option<Interpreter> {
    let mut lines = head.lines();
    let mut words = lines.next()?.strip_prefix("#!")?.split_whitespace();
    let program = words.next()?;
    match base_name(program) {
        "env" => {
            // Options of `env`, such as `-S`, and variables stand before the program.
            let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
            is_python(name).then(|| Interpreter::OnPath(name.to_owned()))
        }
        "sh" => after_exec(lines.next()?),
        _ => is_python(program).then(|| Interpreter::At(program.into())),
    }
}

/// Interpreter in the second line of a script that is both shell and Python:
/// `'''exec' "/path/with a space/python" "$0" "$@"`. Installers write such scripts since the
/// kernel takes neither long paths nor paths with spaces after `#!`.
fn after_exec(line: &str) -> Option<Interpreter> {
    let command = line.trim().strip_prefix("'''exec'")?.trim_start();
    if let Some((_, name)) = command.split_once(")\"/") {
        // "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"
        let name = name.split_whitespace().next()?.trim_matches('\'');
        return is_python(name).then(|| Interpreter::Beside(name.to_owned()));
    }
    let quote = command.chars().next()?;
    let program = if matches!(quote, '"' | '\'') {
        command[1..].split(quote).next()?
    } else {
        command.split_whitespace().next()?
    };
    is_python(program).then(|| Interpreter::At(program.into()))
}

fn is_python(program: &str) -> bool {
    let name = base_name(program);
    name.starts_with("python") || name.starts_with("pypy")
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use rstest::rstest;

    fn at(path: &str) -> Option<Interpreter> {
        Some(Interpreter::At(path.into()))
    }

    #[rstest]
    #[case("#!/venv/bin/python\nimport sys", at("/venv/bin/python"))]
    #[case("#! /venv/bin/python3.11 -E\n", at("/venv/bin/python3.11"))]
    #[case("#!/usr/bin/env python3\n", Some(Interpreter::OnPath("python3".into())))]
    #[case("#!/usr/bin/env -S python3 -u\n", Some(Interpreter::OnPath("python3".into())))]
    #[case("#!/bin/sh\n'''exec' /long/bin/python \"$0\" \"$@\"\n' '''\n", at("/long/bin/python"))]
    #[case("#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\n", at("/a b/bin/python"))]
    #[case("#!/bin/sh\n'''exec' '/a b/bin/python' \"$0\" \"$@\"\n' '''\n", at("/a b/bin/python"))]
    #[case(
        "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n",
        Some(Interpreter::Beside("python".into()))
    )]
    #[case("#!/usr/bin/env bash\nexec pyenv exec sky \"$@\"\n", None)]
    #[case("#!/bin/sh\nexec /venv/bin/sky \"$@\"\n", None)]
    #[case("\u{7f}ELF\u{2}\u{1}", None)]
    #[case("", None)]
    fn the_python_of_a_script(#[case] head: &str, #[case] expected: Option<Interpreter>) {
        assert_eq!(interpreter(head), expected);
    }

    #[test]
    fn a_program_that_is_no_script_prints_its_constants() {
        let folder = tempfile::tempdir().unwrap();
        let stand_in = folder.path().join("fake-sky");
        testing::script(
            &stand_in,
            r#"[ "$1" = constants ] && echo '{"version": "0.14.1", "commit": "abc",
               "constants": {"SHORT_WORKER_MEM_GB": 0.3}, "source": "fake"}'"#,
        );
        let installation =
            from_path(&stand_in, &Extras::default(), SkyEnvironment::Filtered).unwrap();
        assert_eq!(installation.python, None);
        assert_eq!(installation.facts.version, "0.14.1");
    }

    #[test]
    fn a_wrapper_that_hides_its_python_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let wrapper = folder.path().join("sky");
        testing::script(&wrapper, "exit 2");
        let error = format!(
            "{:#}",
            from_path(&wrapper, &Extras::default(), SkyEnvironment::Filtered).unwrap_err()
        );
        assert!(error.contains("pyenv which sky"), "{error}");
    }

    #[test]
    fn a_virtual_environment_stands_for_its_sky() {
        let folder = tempfile::tempdir().unwrap();
        testing::script(&folder.path().join("bin/sky"), "");
        let shell = Shell::new().unwrap();
        assert_eq!(find(&shell, folder.path()).unwrap(), folder.path().join("bin/sky"));
    }

    #[test]
    fn a_path_without_sky_is_an_error_with_a_hint() {
        let shell = Shell::new().unwrap();
        let error = find(&shell, Path::new("/nowhere/sky")).unwrap_err().to_string();
        assert!(error.starts_with("no `sky` found at /nowhere/sky\n  hint:"), "{error}");
    }
}
