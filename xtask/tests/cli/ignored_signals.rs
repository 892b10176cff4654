//! Commands that were started to outlive their terminal: `nohup cargo xtask ..`.

use fake_sky::FakeServer;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::profiles::{end, ticks};
use crate::support::Site;

#[rstest]
#[case::a_hangup("HUP", Signal::SIGHUP, Signal::SIGINT)]
#[case::an_interrupt("INT", Signal::SIGINT, Signal::SIGHUP)]
fn a_signal_that_is_ignored_from_the_start_ends_nothing(
    #[case] name: &str,
    #[case] ignored: Signal,
    #[case] heard: Signal,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let pid = server.pid().to_string();
    let ignoring = format!("trap '' {name}");
    let profile = site.xtask(["profile", "--pid", &pid]).after(&ignoring).start()?;
    ticks(&site, 3)?;
    profile.signal(ignored)?;
    ticks(&site, 40)?;
    end(profile, &site, heard)?;
    server.finish()
}
