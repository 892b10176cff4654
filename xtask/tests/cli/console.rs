//! Output of a load without `--verbose`.

use std::ffi::OsStr;

use skyload::analysis::Verdict;

use crate::support::{Finished, Site};

/// Runs a load with the flags that a user gives, and no `--verbose`.
fn plain_load(site: &Site, args: &[&str], fault: Option<(&str, u32)>) -> anyhow::Result<Finished> {
    let (sky, config) = (fake_sky::executable(), site.path("skyload.toml"));
    let command = [OsStr::new("load"), OsStr::new("--sky"), sky.as_ref()];
    let config = [OsStr::new("--config"), config.as_ref()];
    let load = site.xtask(command.into_iter().chain(config).chain(args.iter().map(OsStr::new)));
    match fault {
        Some((setting, value)) => load.fake(setting, value).run(),
        None => load.run(),
    }
}

#[test]
fn a_plain_load_prints_a_screenful_that_ends_with_verdict_and_next_command() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = plain_load(&site, &["--api", "status validate"], None)?;
    run.expect_in_files(&site, Verdict::Pass)?;
    let stdout = String::from_utf8_lossy(&run.output.stdout).into_owned();
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines.len() <= 75, "{} lines:\n{stdout}", lines.len());
    let tables = lines.iter().take_while(|line| **line != "FINDINGS");
    // Causes of peaks are sentences with names of the server's, as findings are.
    let tables = tables.filter(|line| !line.contains("-executor peak "));
    let too_wide: Vec<_> = tables.filter(|line| line.chars().count() > 100).collect();
    assert!(too_wide.is_empty(), "{too_wide:#?}");
    let [.., results, page, verdict, next, _] = lines[..] else { panic!("{stdout}") };
    assert!(results.starts_with("Results: ") && page.starts_with("HTML report: "), "{stdout}");
    assert!(verdict.starts_with("VERDICT: PASS (exit code 0): all budgets met"), "{stdout}");
    assert!(next.starts_with("NEXT: cargo xtask "), "{stdout}");
    Ok(())
}

#[test]
fn progress_has_the_plan_in_a_line_and_of_the_gate_only_failures() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = plain_load(&site, &["--api", "status"], None)?;
    let plan = "Plan default: 1 scenario, 2 users, 2 iterations, health probe at ";
    assert!(run.stderr().contains(plan), "{}", run.stderr());
    assert!(!run.stderr().contains("gate:"), "{}", run.stderr());
    let args = ["--api", "status", "--budget", "short-executor=8MiB"];
    let run = plain_load(&site, &args, None)?;
    run.expect_in_files(&site, Verdict::OverBudget)?;
    let gate: Vec<_> =
        run.stderr().lines().filter(|l| l.starts_with("gate:")).map(str::to_owned).collect();
    assert!(!gate.is_empty() && gate.iter().all(|line| line.contains("FAIL")), "{gate:#?}");
    Ok(())
}

#[test]
fn progress_of_the_load_has_a_line_for_each_change() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = plain_load(&site, &["--api", "status validate"], Some(("SERVICE_MS", 3_000)))?;
    let stderr = run.stderr();
    let steps: Vec<&str> = stderr.lines().filter(|line| line.contains(" scenarios done")).collect();
    assert!((1..=4).contains(&steps.len()), "{steps:#?}");
    let mut distinct = steps.iter().map(|line| line.split(';').next()).collect::<Vec<_>>();
    distinct.dedup();
    assert_eq!(distinct.len(), steps.len(), "{steps:#?}");
    Ok(())
}
