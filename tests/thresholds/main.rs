//! Gate: thresholds of a finished run, one test case each.
//!
//! Steps and limits are free text, so the cases are those of the run that `SKYLOAD_RUN_DIR` names
//! (or of the latest one), and not a list in the code: `within_threshold::case_1_api_status_p95`.
//! Without a finished run there are none; the cases of `tests/gate` say so.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use skyload::analysis::{ThresholdCheck, ThresholdState};
use skyload::metric::ThresholdMetric;

#[path = "../support/finished_run.rs"]
mod finished_run;

fn main() -> ExitCode {
    let checks = finished_run::finished_run().map(|report| report.thresholds).unwrap_or_default();
    let cases = checks.into_iter().enumerate().map(|(index, check)| {
        let name =
            format!("within_threshold::case_{}_{}", index + 1, word(&check.threshold.metric));
        Trial::test(name, move || within_threshold(&check))
    });
    libtest_mimic::run(&Arguments::from_args(), cases.collect()).exit_code()
}

/// Name of a metric as a word for filters: `api_status_step_status_get_p95`.
fn word(metric: &ThresholdMetric) -> String {
    metric.to_string().replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
}

fn within_threshold(check: &ThresholdCheck) -> Result<(), Failed> {
    let measured = check.measured.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string());
    let figures = format!("{}: measured {measured}", check.threshold);
    match check.state {
        ThresholdState::Met
        | ThresholdState::NoIteration
        | ThresholdState::NoStep
        | ThresholdState::NoArrivalRate
        | ThresholdState::NoServerFigure => Ok(()),
        ThresholdState::Breached => Err(format!("threshold breached: {figures}").into()),
        ThresholdState::Incomplete => {
            Err(format!("metrics of the server incomplete: {figures}").into())
        }
        ThresholdState::OtherUnit => Err(format!("limit in another unit: {figures}").into()),
    }
}
