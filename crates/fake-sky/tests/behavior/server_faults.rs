//! Faults injected into the whole server.

use std::time::{Duration, Instant};

use anyhow::Context;
use fake_sky::{FakeServer, http};
use serde_json::json;

use super::{submit, submit_and_wait, wait_for, wait_until_gone};

#[test]
fn a_server_may_die_after_its_first_request() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_DIE_AFTER_MS", "200")])?;
    submit(&server, "/status", &json!({}))?;
    wait_until_gone(server.pid())?;
    assert!(!http::is_healthy(&server.url()));
    server.finish()
}

#[test]
fn a_server_may_be_replaced_once() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_REPLACE_AFTER_MS", "200")])?;
    submit(&server, "/status", &json!({}))?;
    wait_until_gone(server.pid())?;
    wait_for("the successor is healthy", || http::is_healthy(&server.url()).then_some(()))?;
    let successor = server.main();
    let successor = successor
        .with_context(|| format!("no main in {:?}\n{}", server.processes(), server.log()))?;
    assert_ne!(successor.pid, server.pid());
    // The successor is not replaced again.
    submit_and_wait(&server, "/status")?;
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(server.main().map(|main| main.pid), Some(successor.pid));
    server.finish()
}

#[test]
fn the_event_loop_may_stall() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_STALL_MS", "1200"), ("FAKE_SKY_IMPORT_MS", "0")])?;
    submit(&server, "/status", &json!({}))?;
    std::thread::sleep(Duration::from_millis(150));
    let begun = Instant::now();
    assert!(http::is_healthy(&server.url()));
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
    assert!(server.log().contains("Event loop stalled 1.2"), "{}", server.log());
    server.finish()
}

#[test]
fn a_server_may_exit_at_its_start_with_a_message() {
    let error = FakeServer::start(&[("FAKE_SKY_EXIT_AT_START", "no such table: users")]);
    let error = error.expect_err("the server does not start").to_string();
    assert!(error.contains("no such table: users"), "{error}");
    assert!(FakeServer::start(&[("FAKE_SKY_NO_SUCH_SETTING", "1")]).is_err());
}

#[test]
fn the_port_may_open_late() -> anyhow::Result<()> {
    let begun = Instant::now();
    let server = FakeServer::start(&[("FAKE_SKY_NOT_READY_MS", "500")])?;
    assert!(begun.elapsed() >= Duration::from_millis(500));
    let sizing = "with 2 background workers for long requests and will allow at max 5 short";
    assert!(server.log().contains(sizing), "{}", server.log());
    server.finish()
}
