//! `cargo xtask infra`, as far as possible without a real SkyPilot.

use predicates::prelude::predicate;

use crate::support::Site;

#[test]
fn status_and_down_work_without_an_infra() -> anyhow::Result<()> {
    let site = Site::new()?;
    let status = site.xtask(["infra", "status"]).run()?;
    status.assert().code(0).stdout("down: no local infra\n");
    let down = site.xtask(["infra", "down"]).run()?;
    down.assert().code(0).stdout("No local infra to stop.\n");
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_skypilot_without_python_cannot_have_nodes() -> anyhow::Result<()> {
    let site = Site::new()?;
    let sky = fake_sky::executable().display().to_string();
    let up = site.xtask(["infra", "up", "--sky", &sky]).run()?;
    up.assert().code(1).stdout("").stderr(predicate::str::contains("error: "));
    assert!(!site.path("state/infrastructure.json").exists());
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn an_unknown_infra_and_a_malformed_sky_are_reported_together() -> anyhow::Result<()> {
    let site = Site::new()?;
    let up =
        site.xtask(["infra", "up", "-c", "loopback", "emulated-azure", "--sky", "14"]).run()?;
    up.assert().code(2).stdout("").stderr(predicate::str::contains(
        "-c: expected `loopback`, `emulated-aws` or `emulated-kubernetes`, got `emulated-azure`\n--sky: expected",
    ));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_malformed_sky_is_an_error_with_the_valid_forms() -> anyhow::Result<()> {
    let site = Site::new()?;
    let up = site.xtask(["infra", "up", "--sky", "14"]).run()?;
    up.assert().code(2).stdout("").stderr(predicate::str::contains(
        "expected a version (0.14.1), nightly, a path to sky or to a source checkout (with a `/`), or git:REPO@REF, got `14`",
    ));
    site.assert_nothing_is_left();
    Ok(())
}
