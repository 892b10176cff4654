//! Commands that are started with ignored signals: `nohup cargo xtask ..`.

use fake_sky::FakeServer;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::profiles::{end, wait_for_samples};
use crate::support::Site;

#[rstest]
#[case::a_hangup("HUP", Signal::SIGHUP, Signal::SIGINT)]
#[case::an_interrupt("INT", Signal::SIGINT, Signal::SIGHUP)]
fn a_signal_that_is_ignored_from_the_start_has_no_effect(
    #[case] name: &str,
    #[case] ignored: Signal,
    #[case] handled: Signal,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let pid = server.pid().to_string();
    let ignoring = format!("trap '' {name}");
    let profile = site.xtask(["profile", "--pid", &pid]).after(&ignoring).start()?;
    wait_for_samples(&site, 3)?;
    profile.signal(ignored)?;
    wait_for_samples(&site, 40)?;
    end(profile, &site, handled)?;
    server.finish()
}
