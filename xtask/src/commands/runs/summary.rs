//! Summary of a run, for one line of a list.

use std::path::PathBuf;

use host::workspace::Workspace;
use serde::Serialize;
use skyload::analysis::{Report, Verdict};
use skyload::class::ProcessClass;
use skyload::ids::ProcessIdentity;
use skyload::metric::ClassMetric;
use skyload::plan::{LoadPlan, ServerTarget};
use skyload::record::environment::{Environment, SkySource};
use skyload::record::{RunDir, read_optional};
use skyload::shell;
use skyload::units::ByteSize;

use super::RunDirectory;

/// Summary of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RunSummary {
    pub(super) run: String,
    /// Name by which commands find the run.
    #[serde(skip)]
    pub(super) name: String,
    pub(super) began: String,
    pub(super) path: PathBuf,
    pub(super) state: RunState,
    /// Version of SkyPilot, or the requested one if the run has no record of it.
    pub(super) skypilot: Option<String>,
    pub(super) commit: Option<String>,
    /// Source that SkyPilot was built from; `None` for a release or an installed program.
    pub(super) source: Option<SkySource>,
    pub(super) plan: Option<String>,
    pub(super) server: Option<&'static str>,
    pub(super) verdict: Option<Verdict>,
    pub(super) peaks: Peaks,
    pub(super) bytes: u64,
    /// Whether a cleanup record is left: processes may still run, or files remain.
    #[serde(rename = "in-custody")]
    pub(super) needs_cleanup: bool,
}

/// State of a run, from its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RunState {
    /// Run with a report.
    Finished,
    /// Run whose coordinator lives.
    #[serde(rename = "under-way")]
    Running,
    /// Run without a report, whose coordinator has exited.
    Unfinished,
    /// Run whose plan has a version that this build does not read.
    OtherVersion(u32),
    /// Run with a missing or malformed file, named in the message.
    Broken(String),
}

/// Peak of the largest process of each class that has a constant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Peaks {
    pub(super) short: Option<ByteSize>,
    pub(super) long: Option<ByteSize>,
    pub(super) server: Option<ByteSize>,
}

impl RunSummary {
    /// Summary of a run from the files that exist.
    pub(super) fn read(directory: &RunDirectory, workspace: &Workspace) -> Self {
        let run = &directory.run;
        let id = run.id();
        let mut summary = Self {
            run: id.to_string(),
            name: workspace.name_of(run),
            began: directory.date(),
            path: directory.path(),
            state: RunState::Unfinished,
            skypilot: None,
            commit: None,
            source: None,
            plan: None,
            server: None,
            verdict: None,
            peaks: Peaks::default(),
            bytes: directory.size(),
            needs_cleanup: workspace.custody().join(format!("{id}.json")).exists(),
        };
        summary.state = summary.fill_in(run);
        summary
    }

    /// Fills in the summary from the run's files. Returns the state of the run.
    fn fill_in(&mut self, run: &RunDir) -> RunState {
        // First of all, since files of a running run may be of another build's versions.
        let is_running = run.coordinator().is_some_and(ProcessIdentity::is_alive);
        let plan: LoadPlan = match read_optional(&run.plan()) {
            Ok(Some(plan)) => plan,
            Ok(None) => return RunState::Broken("no plan.json".to_owned()),
            Err(_) if is_running => return RunState::Running,
            Err(error) => {
                return match error.unsupported_version() {
                    Some(version) => RunState::OtherVersion(version),
                    None => RunState::Broken(error.in_one_line()),
                };
            }
        };
        self.of_plan(&plan);
        if let Ok(Some(environment)) = read_optional(&run.environment()) {
            self.of_environment(environment);
        }
        if is_running {
            return RunState::Running;
        }
        match read_optional::<Report>(&run.report()) {
            Ok(Some(report)) => {
                self.of_report(&report);
                RunState::Finished
            }
            Ok(None) => RunState::Unfinished,
            Err(error) => RunState::Broken(format!(
                "{error}; `cargo xtask report {}` writes it again",
                shell::word(&self.name)
            )),
        }
    }

    fn of_plan(&mut self, plan: &LoadPlan) {
        self.plan = Some(match plan.scenarios.as_slice() {
            [only] => format!("{}: {}", plan.name, only.id),
            several => format!("{}: {} scenarios", plan.name, several.len()),
        });
        self.skypilot = Some(plan.sky.to_string());
        self.server = Some(match &plan.server {
            ServerTarget::Isolated { deploy: false } => "isolated",
            ServerTarget::Isolated { deploy: true } => "deploy",
            ServerTarget::System => "system",
            ServerTarget::Remote(_) => "remote",
        });
    }

    fn of_environment(&mut self, environment: Environment) {
        self.skypilot = Some(environment.sky.short_name());
        self.commit = environment.sky.commit;
        self.source = environment.sky.source;
    }

    fn of_report(&mut self, report: &Report) {
        self.verdict = Some(report.verdict);
        let peak = |class| report.of_class(class, ClassMetric::MaxPeak).size();
        let of_web_workers = peak(ProcessClass::ServerWorker);
        self.peaks = Peaks {
            short: peak(ProcessClass::ShortExecutor),
            long: peak(ProcessClass::LongExecutor),
            server: peak(ProcessClass::Server).max(of_web_workers),
        };
    }
}
