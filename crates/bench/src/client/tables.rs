//! Tables of the results, with notes.

use std::io::{self, Write};

use skyload::record::outcome::Latencies;
use skyload::render::table::Table;
use skyload::units::{as_gib, as_mib, in_minutes};

use super::http_client::ClientKind;
use super::measured::ProcessCost;
use super::requests::RequestMeasurement;
use super::result::ClientResults;
use super::sdk::{SdkClient, SdkComparison, SdkMeasurement};
use super::targets::targets;
use crate::statistics::{Micros, Ratio, Spread};
use crate::titled::{Titled, write_markdown, write_text};

/// Cell of a figure that was not measured.
const NONE: &str = "-";

/// Writes all tables and notes for a terminal.
pub(crate) fn text(results: &ClientResults, out: &mut impl Write) -> io::Result<()> {
    write_text(&setting(results), &tables(results), &notes(results), out)
}

/// Writes all tables and notes as Markdown, for docs/load-generator.md.
pub(crate) fn markdown(results: &ClientResults, out: &mut impl Write) -> io::Result<()> {
    write_markdown(&setting(results), &tables(results), &notes(results), out)
}

fn setting(results: &ClientResults) -> String {
    let setting = &results.setting;
    let tools: String = setting.tools.iter().map(|tool| format!(", {tool}")).collect();
    format!(
        "Measured on {}: skyload {}{tools}; {} CPUs, {:.0} GiB, Linux {}, load average {:.1} \
         (15 min); rounds: {}.",
        setting.date,
        setting.skyload,
        setting.cpus,
        as_gib(setting.memory),
        setting.kernel,
        results.load_average.0,
        results.plan.rounds
    )
}

fn tables(results: &ClientResults) -> Vec<Titled> {
    let mut tables = vec![check(results), requests(results), lateness(results), memory(results)];
    tables.extend(results.sdk.as_ref().map(|sdk| sdk_table(results, sdk)));
    tables
}

fn check(results: &ClientResults) -> Titled {
    let mut table = Table::new(&["target", "limit", "median", "status"], 2);
    for target in targets(results) {
        let value = target.value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.2}"));
        table.row([
            target.figure.to_owned(),
            target.limit.to_string(),
            value,
            target.status().to_owned(),
        ]);
    }
    Titled { title: "Targets".to_owned(), table }
}

fn requests(results: &ClientResults) -> Titled {
    let plan = &results.plan;
    let headings = [
        "client",
        "CPU per request, us (min to max)",
        "skyload / client (min to max)",
        "requests",
        "failed",
        "peak MiB",
    ];
    let title = format!(
        "CPU per request on a static server, {} connections, each window {}",
        plan.users,
        in_minutes(plan.window)
    );
    let mut table = Table::new(&headings, 1);
    use ClientKind::{Oha, PythonSession, Skyload, Wrk};
    for client in [Skyload, Oha, Wrk, PythonSession] {
        let measurements = results.requests_of(client);
        let cpu: Option<Vec<Micros>> =
            measurements.iter().map(RequestMeasurement::micros_per_request).collect();
        let sum =
            |count: fn(&RequestMeasurement) -> u64| -> u64 { measurements.iter().map(count).sum() };
        let cells = match cpu.as_deref().and_then(Spread::of) {
            Some(cpu) => [
                micros(cpu),
                results.requests_ratio(client).map_or_else(|| NONE.to_owned(), ratio),
                sum(|one| one.requests.succeeded).to_string(),
                sum(|one| one.requests.failed).to_string(),
                peak(measurements.iter().map(|one| one.cost)),
            ],
            None => ["not measured", NONE, NONE, NONE, NONE].map(str::to_owned),
        };
        table.row([client.to_string()].into_iter().chain(cells));
    }
    Titled { title, table }
}

fn lateness(results: &ClientResults) -> Titled {
    let plan = &results.plan;
    let title = format!(
        "Lateness at {}/s, each window {}, in microseconds (min to max of the rounds)",
        plan.rate,
        in_minutes(plan.rate_window)
    );
    let mut table = Table::new(&["open loop", "p50", "p99", "max", "starts"], 1);
    let mut row = |name: &str, rounds: Vec<&Latencies>| {
        let at = |percent: f64| {
            let of_rounds = rounds.iter().map(|round| Micros::percentile(round, percent));
            let spread = of_rounds.collect::<Option<Vec<_>>>().as_deref().and_then(Spread::of);
            spread.map_or_else(|| NONE.to_owned(), micros)
        };
        let starts: u64 = rounds.iter().map(|round| round.count()).sum();
        table.row([name.to_owned(), at(50.0), at(99.0), at(100.0), starts.to_string()]);
    };
    row("skyload", results.lateness.iter().map(|round| &round.skyload).collect());
    row("timer loop", results.lateness.iter().map(|round| &round.timer_loop).collect());
    Titled { title, table }
}

fn memory(results: &ClientResults) -> Titled {
    let title = format!("Memory of skyload, {} users", results.plan.users);
    let mut table = Table::new(&["load", "iterations", "peak MiB"], 1);
    for (name, memory) in ["short", "long"].into_iter().zip(results.memory) {
        table.row([
            name.to_owned(),
            memory.iterations.to_string(),
            peak([memory.cost].into_iter()),
        ]);
    }
    Titled { title, table }
}

fn sdk_table(results: &ClientResults, sdk: &SdkComparison) -> Titled {
    let users = results.plan.sdk.map_or(0, |plan| plan.users);
    let title = format!("Status of all clusters on a server (SkyPilot {}), {users} users", sdk.sky);
    let headings = [
        "client",
        "CPU per iteration, us (min to max)",
        "iterations",
        "failed",
        "start-up CPU, s",
        "peak MiB",
    ];
    let mut table = Table::new(&headings, 1);
    let rows = [
        ("skyload, api:status", SdkClient::Skyload),
        ("SkyPilot's SDK in threads", SdkClient::Sdk),
    ];
    for (name, client) in rows {
        let measurements = results.sdk_of(client);
        let cpu: Option<Vec<Micros>> =
            measurements.iter().map(SdkMeasurement::micros_per_iteration).collect();
        let start_up = measurements.iter().map(|one| one.start_up).max();
        let start_up = match client {
            SdkClient::Skyload => "counted as work".to_owned(),
            SdkClient::Sdk => start_up
                .map_or_else(|| NONE.to_owned(), |time| format!("{:.1}", time.as_secs_f64())),
        };
        table.row([
            name.to_owned(),
            cpu.as_deref().and_then(Spread::of).map_or_else(|| NONE.to_owned(), micros),
            measurements.iter().map(|one| one.succeeded).sum::<u64>().to_string(),
            measurements.iter().map(|one| one.failed).sum::<u64>().to_string(),
            start_up,
            peak(measurements.iter().map(|one| one.cost)),
        ]);
    }
    Titled { title, table }
}

fn micros(spread: Spread<Micros>) -> String {
    format!("{:.0} ({:.0} to {:.0})", spread.median.0, spread.min.0, spread.max.0)
}

fn ratio(spread: Spread<Ratio>) -> String {
    format!("{:.2} ({:.2} to {:.2})", spread.median.0, spread.min.0, spread.max.0)
}

/// Largest peak of several processes, in MiB.
fn peak(costs: impl Iterator<Item = ProcessCost>) -> String {
    let largest = costs.map(|cost| cost.peak).max();
    largest.map_or_else(|| NONE.to_owned(), |peak| format!("{:.1}", as_mib(peak)))
}

/// Notes that are needed to read the tables correctly.
fn notes(results: &ClientResults) -> Vec<String> {
    let mut notes: Vec<String> =
        results.setting.missing.iter().map(|missing| format!("Not measured: {missing}")).collect();
    notes.push(
        "CPU is that of the whole process, start-up included. Ratios are of the same round. oha \
         runs a thread per core, the others one (the Python session one at a time)."
            .to_owned(),
    );
    if let Some(sdk) = &results.sdk {
        notes.push(format!(
            "With the server, an iteration is the SDK's `status` and its result; the SDK (SkyPilot \
             {}) requests the server's health at most every 5 s, skyload in each iteration. The \
             import of the SDK is not in its CPU per iteration.",
            sdk.sky
        ));
    }
    let failed = results.failed();
    if failed > 0 {
        notes.push(format!("Warning: {failed} requests or iterations failed or were dropped."));
    }
    notes
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
