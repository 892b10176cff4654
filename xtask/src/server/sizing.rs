//! Stated size of an isolated server: variables by which SkyPilot sizes its workers, and the
//! control group that holds the server's processes to the size.

use anyhow::{Context as _, Error, Result};
use skyload::env;
use skyload::limits::{CpuLimit, Cpus, GroupFigures, OomKills, Place, ServerGroup};
use skyload::machine_size::MachineSize;
use skyload::plan::{LoadPlan, PinnedWorkers};
use skyload::record::{HeldTo, RunDir, SizeRecord, Version, write_json};

use super::Context;
use super::cleanup_record::CleanupRecord;

/// Stated size of a server, and what holds it to that.
pub(crate) struct StatedSize {
    size: MachineSize,
    group: Result<ServerGroup, String>,
}

impl StatedSize {
    /// Makes the control group of a plan's server, in the first place that this machine grants;
    /// `None` without a stated size. The cleanup record names each group before it exists.
    pub(super) fn begin(
        context: &Context<'_>,
        cleanup: &mut CleanupRecord,
    ) -> Result<Option<Self>> {
        let Some(size) = context.plan.size else { return Ok(None) };
        let name = format!("skyload-{}", context.run.id());
        let mut refusals = Vec::new();
        for place in Place::candidates(&name) {
            cleanup.add_groups(place.folders())?;
            match ServerGroup::create(place, size, why_without_cpus(size)) {
                Ok(group) => return Ok(Some(Self { size, group: Ok(group) })),
                Err(refusal) => refusals.push(refusal.to_string()),
            }
        }
        let why = match refusals.is_empty() {
            true => "this machine has no control groups that limit memory".to_owned(),
            false => format!("no control group granted: {}", refusals.join("; ")),
        };
        Ok(Some(Self { size, group: Err(why) }))
    }

    /// Control group of the server; `None` if none was granted.
    pub(crate) fn group(&self) -> Option<&ServerGroup> {
        self.group.as_ref().ok()
    }

    /// Prints what holds the server to its size.
    pub(super) fn announce(&self, context: &Context<'_>) {
        context.progress.note(match &self.group {
            Ok(group) => {
                let without_cpus = match group.cpus() {
                    CpuLimit::Cpus(_) => String::new(),
                    CpuLimit::None(reason) => format!("; CPUs not held: {reason}"),
                };
                let folder = group.memory_folder().display();
                format!("Server held to {} by {folder}{without_cpus}", self.size)
            }
            Err(reason) => format!("Server sized as {}, not held to it: {reason}", self.size),
        });
    }

    /// Writes the size, with the counts of the kernel once there are any.
    pub(crate) fn write(&self, run: &RunDir, figures: Option<GroupFigures>) -> Result<()> {
        let group = match &self.group {
            Ok(group) => HeldTo::Group {
                folder: group.memory_folder().display().to_string(),
                cpus: group.cpus().clone(),
                figures,
            },
            Err(reason) => HeldTo::Nothing(reason.clone()),
        };
        let record = SizeRecord { version: Version, size: self.size, group };
        write_json(&run.server_size(), &record).context("writing the size of the server")
    }
}

/// Error of a server's start, with the processes that the kernel killed in the server's group.
pub(super) fn with_kills(stated: Option<&StatedSize>, error: Error) -> Error {
    match stated.and_then(StatedSize::group).and_then(ServerGroup::kills_so_far) {
        None => error,
        Some(OomKills::AtSize(kills)) => error.context(format!(
            "the kernel killed {kills} process(es) of the starting server at its size; use a larger \
             --size"
        )),
        Some(OomKills::BelowSize(kills)) => error.context(format!(
            "the kernel killed {kills} process(es) of the starting server below its size: memory \
             was short on this machine, or in a control group above the server's"
        )),
    }
}

/// Reason for which the CPUs of a size are not held; `None` if they can be.
pub(crate) fn why_without_cpus(size: MachineSize) -> Option<String> {
    let cpus = Cpus::here();
    (f64::from(size.cpus) > cpus.usable()).then(|| format!("this machine has {cpus}"))
}

/// Variables of a server of a stated size.
pub(crate) fn variables(plan: &LoadPlan) -> Vec<(String, String)> {
    let PinnedWorkers { long, short } = plan.workers;
    let variables = [
        (env::POD_CPUS, plan.size.map(|size| size.cpus.to_string())),
        (env::POD_MEMORY_GIB, plan.size.map(|size| size.gibibytes())),
        (env::LONG_WORKERS, long.map(|count| count.to_string())),
        (env::SHORT_WORKERS, short.map(|count| count.to_string())),
    ];
    let set = variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    set.collect()
}

/// Names of the variables that only a server of a stated size gets.
pub(super) const NAMES: [&str; 4] =
    [env::POD_CPUS, env::POD_MEMORY_GIB, env::LONG_WORKERS, env::SHORT_WORKERS];
