//! Load generator that has run out of its own resources, which is no failure of the server.

use fake_sky::FakeServer;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use skyload::analysis::{ScenarioState, state};
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::test_run::{counts, kinds};

/// Limit on open files: enough for the driver, too low for concurrent connections of
/// [`USERS`].
const FEW: u64 = 48;
const USERS: u32 = 120;

#[tokio::test]
async fn the_limit_on_open_files_is_raised_for_all_users() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, FEW, hard)?;
    let test = TestRun::of(&server, &[ScenarioId::ApiValidate])?.users(USERS, USERS);
    let outcome = test.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (u64::from(USERS), 0, 0), "{:?}", kinds(segment));
    Ok(())
}

#[tokio::test]
async fn running_out_of_open_files_is_no_failure_of_the_server() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiValidate])?.users(USERS, USERS);
    setrlimit(Resource::RLIMIT_NOFILE, FEW, FEW)?;
    let plan = test.plan().clone();
    let outcome = test.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(segment.failed, 0, "{:?}", kinds(segment));
    assert!(kinds(segment).iter().all(|(_, kind, _)| *kind == "load-generator-out-of-open-files"));
    assert_eq!(segment.client_failed + segment.succeeded, u64::from(USERS));
    // Requests that were not sent must not count as fast ones.
    assert_eq!(segment.iteration_duration.count(), segment.succeeded);
    assert_eq!(state(&outcome, &plan), ScenarioState::ClientFailed);
    Ok(())
}
