//! Finished command, and the results of its run.

use std::fs;
use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, anyhow};
use assert_cmd::assert::{Assert, OutputAssertExt as _};
use boon::{Compiler, SchemaIndex, Schemas};
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use serde_json::Value;
use skyload::analysis::{Report, ScenarioReport, Severity, Verdict};
use skyload::record::profile::Phase;
use skyload::record::{RunDir, read_json};
use skyload::scenario::ScenarioId;

use super::Site;

/// Finished command.
pub(crate) struct Finished {
    pub(crate) output: Output,
    /// Directory of the run, if the command created one.
    pub(crate) run: Option<RunDir>,
}

impl Finished {
    /// Assertion on the command's exit code and output.
    pub(crate) fn assert(&self) -> Assert {
        self.output.clone().assert()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Directory of the run, which must exist.
    pub(crate) fn run_dir(&self) -> anyhow::Result<&RunDir> {
        self.run.as_ref().with_context(|| format!("no run was created:\n{}", self.stderr()))
    }

    /// Asserts what holds at the end of every run: exit code, last lines, files and gate agree with
    /// the verdict, and no process or file of the server is left. Returns the report.
    #[track_caller]
    pub(crate) fn expect(&self, site: &Site, verdict: Verdict) -> anyhow::Result<Report> {
        let last = format!("VERDICT: {} (exit code {})", verdict.name(), verdict.exit_code());
        self.assert()
            .code(i32::from(verdict.exit_code()))
            .stdout(predicate::str::contains(last))
            .stderr(predicate::str::contains("error:").not());
        self.expect_in_files(site, verdict)
    }

    /// Asserts the part of [`expect`](Self::expect) that needs no output. Returns the report.
    #[track_caller]
    pub(crate) fn expect_in_files(&self, site: &Site, verdict: Verdict) -> anyhow::Result<Report> {
        site.assert_nothing_is_left();
        let run = self.run_dir()?;
        let json: Value = read_json(&run.report(), "report")?;
        let report: Report = serde_json::from_value(json.clone())?;
        Schema::of_reports()?.check(&json).context("report.json")?;
        let cases = fs::read_to_string(run.junit()).context("reading junit.xml")?;
        let all_passed = !cases.contains("<failure") && !cases.contains("<error");
        assert_eq!(all_passed, verdict == Verdict::Pass, "{cases}");
        let markdown = fs::read_to_string(run.report_markdown()).context("reading report.md")?;
        let first = format!(" **{}**: ", verdict.name());
        assert!(markdown.lines().next().is_some_and(|line| line.contains(&first)), "{markdown}");
        assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
        let gate = self.junit("gate")?;
        assert_eq!(gate.contains("<failure"), verdict != Verdict::Pass, "{gate}");
        if report.phases.iter().any(|span| span.phase == Phase::Load) {
            assert!(self.junit("load")?.contains("<testcase "), "the load's tests are listed");
        }
        assert!(!run.instance().exists(), "the server's directory is gone");
        Ok(report)
    }

    /// Text of `junit-load.xml` or `junit-gate.xml` of the run.
    pub(crate) fn junit(&self, of: &str) -> anyhow::Result<String> {
        let path = self.run_dir()?.path().join(format!("junit-{of}.xml"));
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    }
}

/// JSON schema in the repository.
pub(crate) struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    pub(crate) fn of_reports() -> anyhow::Result<Self> {
        Self::of(skyload::schema::FILE)
    }

    /// Schema in a file of the repository.
    pub(crate) fn of(file: &str) -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let schema = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        // The compiler's errors are not Send, so only their text is kept.
        compiler
            .add_resource(file, serde_json::from_slice(&schema)?)
            .map_err(|error| anyhow!("{error:#}"))?;
        let index = compiler.compile(file, &mut schemas).map_err(|error| anyhow!("{error:#}"))?;
        Ok(Self { schemas, index })
    }

    /// Fails with every place that does not conform to the schema.
    pub(crate) fn check(&self, json: &Value) -> anyhow::Result<()> {
        self.schemas.validate(json, self.index).map_err(|error| anyhow!("{error:#}"))
    }
}

/// Entry of a scenario in the report.
pub(crate) fn scenario(report: &Report, id: ScenarioId) -> anyhow::Result<&ScenarioReport> {
    let mut scenarios = report.scenarios.iter();
    scenarios.find(|scenario| scenario.id == id).with_context(|| format!("no report on {id}"))
}

/// Asserts that the report has a finding with this text.
#[track_caller]
pub(crate) fn assert_finding(report: &Report, severity: Severity, text: &str) {
    let findings = &report.findings;
    let is_there = findings
        .iter()
        .any(|finding| finding.severity == severity && finding.message.contains(text));
    assert!(is_there, "no {severity:?} finding contains `{text}`: {findings:#?}");
}
