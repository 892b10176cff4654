//! Tables about the run: versions, host, setup and teardown, phases, and overhead.

use super::table::Table;
use crate::analysis::{PhaseSpan, Report};
use crate::clock::Timestamp;
use crate::plan::ServerTarget;
use crate::record::environment::{
    CatalogFacts, Environment, PythonPackages, SkySource, SkyUnderTest,
};
use crate::record::resources::Stage;
use crate::render::format::seconds;
use crate::render::tables::{overhead, server_size};
use crate::units::in_minutes;
use crate::units::{as_gib, as_mib};

/// Time in UTC: `2026-11-24 16:03:35 UTC`.
pub(super) fn in_utc(at: Timestamp) -> String {
    let text = humantime::format_rfc3339_seconds(at.to_system_time()).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}

/// Versions and host.
pub(super) fn versions(report: &Report) -> Table {
    let mut table = Table::facts("Software and host under test");
    table.fact("run", Some(report.run.to_string()));
    table.fact("plan", Some(report.plan.name.clone()));
    // Without the URL of a remote server: it may contain credentials.
    let server = match report.plan.server {
        ServerTarget::Isolated { deploy: false } => "isolated, local mode",
        ServerTarget::Isolated { deploy: true } => "isolated, deploy mode",
        ServerTarget::System => "local (--server system)",
        ServerTarget::Remote(_) => "remote",
    };
    table.fact("server", Some(server.to_owned()));
    let metrics = report.plan.server_metrics.as_ref();
    table.fact(
        "server metrics",
        metrics.map(|metrics| {
            let interval = humantime::format_duration(metrics.interval);
            format!("read every {interval}")
        }),
    );
    match &report.environment {
        Some(environment) => of_environment(&mut table, environment),
        None => table.fact("SkyPilot", Some("unknown, the server was never ready".to_owned())),
    }
    table
}

fn of_environment(table: &mut Table, environment: &Environment) {
    let (sky, server, machine) = (&environment.sky, &environment.server, &environment.machine);
    let with_commit = |version: &str, commit: &Option<String>| match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    table.fact("SkyPilot", Some(with_commit(&sky.version, &sky.commit)));
    table.fact("source of SkyPilot", sky.source.as_ref().map(SkySource::in_words));
    table.fact("packages of SkyPilot", sky.packages.as_ref().map(PythonPackages::in_words));
    table.fact("extras of SkyPilot", sky.extras.as_ref().map(|extras| extras.join(", ")));
    table.fact("server version", Some(with_commit(&server.version, &server.commit)));
    table.fact("server API version", Some(server.api_version.clone()));
    let workers = server.workers.map(|workers| {
        format!("{} web, {} long, {} short", workers.server, workers.long, workers.short)
    });
    table.fact("server workers", workers);
    table.fact("constants", constants(sky));
    let infrastructure = environment.infrastructure.join(", ");
    table.fact("launched on", (!infrastructure.is_empty()).then_some(infrastructure));
    for change in &environment.modifications {
        table.fact("modified for loopback", Some(change.clone()));
    }
    table.fact("catalog", environment.catalog.as_ref().map(CatalogFacts::in_words));
    table.fact(
        "machine",
        Some(format!(
            "{} CPUs, {:.1} GiB, {}",
            machine.cpus,
            as_gib(machine.memory_total),
            machine.system
        )),
    );
    for limit in machine.limits.in_words() {
        table.fact("limit", Some(limit));
    }
    table.fact("skyload", Some(environment.skyload.clone()));
}

fn constants(sky: &SkyUnderTest) -> Option<String> {
    let constants = [
        ("LONG", sky.constants.long),
        ("SHORT", sky.constants.short),
        ("SERVER", sky.constants.server),
    ];
    let known: Vec<String> = constants
        .into_iter()
        .filter_map(|(name, size)| Some(format!("{name} {:.1} MiB", as_mib(size?))))
        .collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// Start and duration of each phase; `None` if none began.
pub(super) fn phases(report: &Report) -> Option<Table> {
    let mut table = Table::new("Phases", &["phase", "began", "took"], 2);
    for PhaseSpan { phase, began, ended } in &report.phases {
        let took = in_minutes(ended.since(*began));
        table.row([phase.name().to_owned(), in_utc(*began), took]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Setup and teardown of shared resources; `None` if nothing was launched.
pub(super) fn resources(report: &Report) -> Option<Table> {
    let log = report.resources.as_ref()?;
    let mut table = Table::new(
        "Setup and teardown, in seconds (not in the load)",
        &["resource", "step", "infra", "failure", "seconds"],
        4,
    );
    for step in &log.steps {
        let stage = match step.stage {
            Stage::SetUp => "set up",
            Stage::TearDown => "tear down",
        };
        let failure = step.failure.as_ref().map(|failure| format!("FAILED: {failure}"));
        table.row([
            step.what.clone(),
            stage.to_owned(),
            step.infra.clone(),
            failure.unwrap_or_default(),
            seconds(step.took),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Stated size of the server, with the counts of its control group; `None` without one.
pub(super) fn server_size(report: &Report) -> Option<Table> {
    let mut table = Table::facts("Server size");
    for (name, text) in server_size::of_run(report) {
        table.fact(name, Some(text));
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Method of reading peaks, and overhead; `None` if nothing was measured.
pub(super) fn overhead(report: &Report) -> Option<Table> {
    let mut table = Table::facts("Method and overhead");
    table.fact("peaks", report.profiler.map(|profiler| profiler.peaks()));
    for (name, text) in overhead::of_run(report) {
        table.fact(name, Some(text));
    }
    table.fact("run duration", report.duration.map(in_minutes));
    (!table.rows.is_empty()).then_some(table)
}
