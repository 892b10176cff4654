//! Managed job that is shared by its followers.

use skyload::record::read;
use skyload::record::resources::ResourceLog;
use skyload::scenario::Need;
use skyload::scenario::ScenarioId::{ApiJobsLogs, ApiTailLogs};

use super::TestRun;
use super::launching::{requests, server, set_up_test};
use super::shapes::timed;

/// Status of each managed job, once the shared resources of followers of `stages` are set up, and
/// the log of the setup.
async fn set_up(
    settings: &[(&str, &str)],
    stages: Option<&str>,
) -> anyhow::Result<(Vec<String>, ResourceLog)> {
    let server = server(settings)?;
    let mut test = TestRun::of(&server, &[ApiJobsLogs])?.on(&["aws"]);
    if let Some(stages) = stages {
        test = test.shaped(timed(stages, "0s"), 1);
    }
    let test = set_up_test(&server, test.write()?).await?;
    let (list, names) =
        (&skyload::scenario::shared_calls::JOBS, skyload::scenario::IterationNames::none());
    let rows = requests(&test, &server)?.ask(list, &names).await.map_err(anyhow::Error::msg)?;
    let rows = rows.as_array().into_iter().flatten();
    let states = rows.filter_map(|row| row["status"].as_str()).map(str::to_owned).collect();
    Ok((states, read(&test.dir.resources())?))
}

#[tokio::test]
async fn a_job_that_is_followed_for_a_time_runs_before_the_load() -> anyhow::Result<()> {
    let slow = [("FAKE_SKY_LAUNCH_MS", "1000"), ("FAKE_SKY_SLEEP_MS", "1000")];
    let (states, log) = set_up(&slow, Some("1 for 60s")).await?;
    assert_eq!((states, log.failed().count()), (vec!["RUNNING".to_owned()], 0));
    // As upstream's load test: users of a burst follow it from its submission.
    let (states, log) = set_up(&slow, None).await?;
    assert_eq!((states, log.failed().count()), (vec!["PENDING".to_owned()], 0));
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_followed_for_a_time_is_submitted_when_all_else_is_set_up()
-> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LAUNCH_MS", "300"), ("FAKE_SKY_SLEEP_MS", "1000")])?;
    let test = TestRun::of(&server, &[ApiJobsLogs, ApiTailLogs])?.on(&["aws"]);
    let test = set_up_test(&server, test.shaped(timed("1 for 60s", "0s"), 1).write()?).await?;
    let log: ResourceLog = read(&test.dir.resources())?;
    let ended = |need| {
        let step = log.steps.iter().find(|step| step.need == Some(need));
        step.map(|step| (step.ended, step.took))
    };
    let (Some((Some(cluster), _)), Some((Some(job), took))) =
        (ended(Need::Cluster), ended(Need::Job))
    else {
        panic!("both are set up: {log:?}")
    };
    assert!(job.since(cluster) >= took, "{log:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_that_fails_before_the_load_that_follows_it_is_a_failure() -> anyhow::Result<()> {
    let settings = [
        ("FAKE_SKY_JOB_FAILED", "sky.jobs.launch:1"),
        ("FAKE_SKY_LAUNCH_MS", "0"),
        ("FAKE_SKY_SLEEP_MS", "0"),
    ];
    let (_, log) = set_up(&settings, Some("1 for 60s")).await?;
    let (step, failure) = log.failed().next().expect("it failed");
    assert_eq!(
        (step.what.as_str(), failure.error_type.as_str(), failure.message.as_str()),
        (
            "a managed job (skyload-run-job)",
            "failed",
            "expected status RUNNING of job skyload-run-job, got FAILED"
        )
    );
    Ok(())
}
