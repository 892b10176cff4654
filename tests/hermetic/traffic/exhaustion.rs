//! A client that has run out of something of its own: that says nothing of the server.

use fake_sky::FakeServer;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use skyload::analysis::{ScenarioState, state};
use skyload::scenario::ScenarioId;
use skyload::units::Percent;

use super::Scene;
use super::scene::{counts, kinds};

/// Less than so many users need at once, and enough to be driven at all.
const FEW: u64 = 48;
const USERS: u32 = 120;

#[tokio::test]
async fn a_client_raises_its_limit_on_open_files_to_what_its_users_need() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, FEW, hard)?;
    let scene = Scene::of(&server, &[ScenarioId::ApiValidate])?.users(USERS, USERS);
    let outcome = scene.play().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (u64::from(USERS), 0, 0), "{:?}", kinds(segment));
    Ok(())
}

#[tokio::test]
async fn a_client_without_open_files_is_no_failure_of_the_server() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ScenarioId::ApiValidate])?.users(USERS, USERS);
    setrlimit(Resource::RLIMIT_NOFILE, FEW, FEW)?;
    let outcome = scene.play().await?;
    let segment = &outcome.segments[0];
    assert_eq!(segment.failed, 0, "{:?}", kinds(segment));
    assert!(kinds(segment).iter().all(|(_, kind, _)| *kind == "load-generator-out-of-open-files"));
    assert_eq!(segment.client_failed + segment.succeeded, u64::from(USERS));
    // A connection that was never made is not a fast one.
    assert_eq!(segment.iteration_duration.count(), segment.succeeded);
    assert_eq!(state(&outcome, Percent::default()), ScenarioState::ClientFailed);
    Ok(())
}
