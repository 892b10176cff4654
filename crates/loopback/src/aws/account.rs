//! Account of emulated AWS: parts that SkyPilot expects and that moto's account lacks.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use host::environment::{Environment, For};
use host::progress::Step;
use host::tools::run::run;
use xshell::{Shell, cmd};

use super::moto::{Moto, endpoint};

/// Regions with a way to the internet, in which nodes can be launched.
pub(crate) const REGIONS: [&str; 1] = ["us-east-1"];

const SCRIPT: &str = include_str!("site/account.py");

/// Fills the account of a moto that listens at `api` and was not filled yet: a way to the
/// internet in the default network of each of [`REGIONS`], SkyPilot's security group, and the
/// role of nodes.
pub(crate) fn fill(moto: &Moto, api: SocketAddr, step: &Step) -> Result<()> {
    ensure!(api.ip().is_loopback(), "expected AWS's API on loopback, got `{api}`");
    let shell = Shell::new().context("reading the current directory")?;
    let (python, endpoint) = (moto.python(), endpoint(api));
    let fill = cmd!(shell, "{python} -c {SCRIPT} {endpoint} {REGIONS...}").quiet();
    // No files of the user's with credentials or another endpoint, and no proxies.
    let fill = Environment::of(For::SkyPilot)
        .apply_to(fill)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    run(fill, step)?.into_output().context("filling the account of emulated AWS")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_api_elsewhere_is_refused() {
        let moto = Moto::for_tests("/nowhere".into());
        let step = host::progress::Progress::new().step("Filling");
        let error = fill(&moto, "192.0.2.1:80".parse().unwrap(), &step).unwrap_err();
        assert_eq!(error.to_string(), "expected AWS's API on loopback, got `192.0.2.1:80`");
    }

    #[test]
    fn the_script_refuses_an_endpoint_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        // Stand-in for the library, which is not needed to refuse.
        std::fs::write(folder.path().join("boto3.py"), "").unwrap();
        let output = Command::new("python3")
            .args(["-c", SCRIPT, "https://192.0.2.1", "us-east-1"])
            .env("PYTHONPATH", folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.starts_with("expected an endpoint on"), "{text}");
    }
}
