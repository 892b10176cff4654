//! Commands `cargo xtask infra up|status|down`: persistent local infras, for several loads and for
//! use by hand.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::SystemTime;

use anyhow::{Result, bail};
use host::print;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use loopback::{InfraOptions, Lifetime, LocalInfras, NodePriority, Record, ServerSetup, Start};
use skyload::env;
use skyload::infrastructure::{KubernetesSize, LocalInfra};
use skyload::plan::{SkySelection, UsageErrors};
use skyload::shell;

use crate::commands::load::catalog_error;
use crate::flags;
use crate::sky::{Extras, SkyEnvironment, SkyInstallation, speed};

pub(crate) fn run(flags: &flags::Infra) -> Result<()> {
    let workspace = Workspace::locate()?;
    match flags {
        flags::Infra::Up(flags) => up(flags, &workspace),
        flags::Infra::Status => status(&workspace),
        flags::Infra::Down => down(&workspace),
    }
}

fn up(flags: &flags::InfraUp, workspace: &Workspace) -> Result<()> {
    let Up { infras, selection, options } = Up::of(flags)?;
    let _lock = workspace.lock()?;
    let (signals, progress) = (Signals::listen()?, Progress::new());
    let extras = Extras::of_infras(infras.iter().map(|infra| infra.infra()));
    let sky = SkyInstallation::prepare(&selection, &extras, &workspace.state, &progress)?;
    signals.check()?;
    let measured = speed::measure(&sky, SkyEnvironment::Filtered, &signals, progress)?;
    let priority = NodePriority::on(measured.map(|measured| measured.speed));
    let options = InfraOptions { priority, ..options };
    let for_nodes = sky.for_nodes();
    let (options, signals) = (&options, &signals);
    let start = Start { workspace, sky: &for_nodes, options, signals, progress };
    let started = LocalInfras::start(start, &infras)?;
    let mut text = String::new();
    for record in started.records() {
        text.push_str(&format!(
            "{} ({}) is running, for SkyPilot {}.\n",
            record.name(),
            record.infra().infra(),
            record.sky_version
        ));
    }
    if let Some(setup) = started.server_setup() {
        text.push_str(&format!("\n{}", usage(&sky, &setup, &infras)));
    }
    started.keep();
    write_output(&text)
}

/// Meaning of the flags of `infra up`.
struct Up {
    infras: BTreeSet<LocalInfra>,
    selection: SkySelection,
    /// Options, with the default priority.
    options: InfraOptions,
}

impl Up {
    /// Meaning of `flags`, or all usage errors.
    fn of(flags: &flags::InfraUp) -> Result<Self, UsageErrors> {
        let infras = infras(&flags.infra);
        let selection = selection(flags.sky.as_deref());
        let size =
            flags.kubernetes_size.as_deref().map_or(Ok(KubernetesSize::default()), str::parse);
        let size = size.map_err(|message: String| format!("--kubernetes-size: {message}"));
        let catalog = flags.catalog.as_deref().and_then(catalog_error);
        match (infras, selection, size, catalog) {
            (Ok(infras), Ok(selection), Ok(kubernetes_size), None) => {
                let options = InfraOptions {
                    lifetime: Lifetime::UntilInfraDown,
                    priority: NodePriority::default(),
                    catalog: flags.catalog.clone(),
                    kubernetes_size,
                };
                Ok(Self { infras, selection, options })
            }
            (infras, selection, size, catalog) => {
                let errors = [infras.err(), selection.err(), size.err(), catalog];
                Err(UsageErrors(errors.into_iter().flatten().collect()))
            }
        }
    }
}

/// Infras of `-c`, or an error message.
fn infras(typed: &[String]) -> Result<BTreeSet<LocalInfra>, String> {
    let words: Vec<&str> = typed
        .iter()
        .flat_map(|list| list.split([',', ' ']))
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return match typed.is_empty() {
            true => Ok(BTreeSet::from([LocalInfra::Loopback])),
            false => Err("-c: expected an infra, got an empty list".to_owned()),
        };
    }
    let infra = |word: &&str| {
        LocalInfra::with_argument(word).ok_or_else(|| {
            let [first @ .., last] = LocalInfra::ALL.map(|infra| format!("`{}`", infra.argument()));
            format!("-c: expected {} or {last}, got `{word}`", first.join(", "))
        })
    };
    words.iter().map(infra).collect()
}

/// SkyPilot of `--sky`, or an error message.
fn selection(typed: Option<&str>) -> Result<SkySelection, String> {
    let Some(text) = typed else { return Ok(SkySelection::pinned()) };
    SkySelection::parse(text).map_err(|error| format!("--sky: {error}"))
}

/// Instructions to use the infras from a shell. Lines to paste are not indented: the end marker
/// of a here-document must be at the start of its line.
fn usage(sky: &SkyInstallation, setup: &ServerSetup, infras: &BTreeSet<LocalInfra>) -> String {
    // Not SkyPilot's default port 46580, which the user's own server may have.
    const PORT: u16 = 46_680;
    let mut lines = vec![
        "`cargo xtask load` uses what is running. To use it by hand, with a separate home and port:"
            .to_owned(),
        String::new(),
        format!("export HOME=$(mktemp -d) {}=1", env::NO_USAGE),
        format!("export {}={PORT}", env::LOCAL_PORT),
    ];
    // Variables of the user's could lead to a real account.
    lines.push("unset ${!AWS_@} KUBECONFIG".to_owned());
    let variables = setup.variables().into_iter();
    lines.extend(variables.map(|(name, value)| format!("export {name}={}", shell::word(&value))));
    let bin = sky.sky.parent().unwrap_or(&sky.sky).display().to_string();
    lines.push(format!("export PATH={}:$PATH", shell::word(&setup.path(&bin))));
    for file in &setup.home_files {
        let name = file.path.display();
        lines.push(format!("mkdir -p $(dirname ~/{name})"));
        lines.push(format!("cat > ~/{name} <<'END'\n{}END", file.content));
        lines.push(format!("chmod {:o} ~/{name}", file.mode));
    }
    lines.push("mkdir -p ~/.sky".to_owned());
    lines.push(format!("cat > ~/.sky/config.yaml <<'END'\n{}END", setup.config()));
    for folder in &setup.home_folders {
        let (from, to) = (shell::path(&folder.from), folder.to.display());
        lines.push(format!("mkdir -p ~/{to} && cp -r {from}/. ~/{to}"));
    }
    let clouds: Vec<&str> = infras.iter().filter_map(|it| it.infra().split('/').next()).collect();
    lines.push(format!("sky api start --port {PORT} && sky check {}", clouds.join(" ")));
    for infra in infras.iter().filter(|infra| infra.can_launch()) {
        let name = format!("on-{}", infra.argument());
        let infra = infra.infra();
        lines.push(format!("sky launch -y -c {name} --infra {infra} --cpus 2+ 'echo hello'"));
    }
    lines.push(String::new());
    lines.push("To stop: `sky api stop` in that shell, then `cargo xtask infra down`.".to_owned());
    lines.push("Modified for loopback:".to_owned());
    lines.extend(setup.modifications.iter().map(|modification| format!("* {modification}")));
    lines.join("\n") + "\n"
}

fn status(workspace: &Workspace) -> Result<()> {
    let mut text = String::new();
    for infra in LocalInfra::ALL {
        if let Some(record) = Record::read(workspace, infra)? {
            text.push_str(&status_of(&record, workspace)?);
        }
    }
    if text.is_empty() {
        text.push_str("down: no local infra\n");
    }
    write_output(&text)
}

fn status_of(record: &Record, workspace: &Workspace) -> Result<String> {
    let name = record.name();
    if !record.is_up() {
        return Ok(format!(
            "down: the supervisor of {name} ({}) was killed\n  hint: remove leaked processes and \
             files with `cargo xtask infra down`\n",
            record.id
        ));
    }
    let figures = record.figures()?;
    // Not all file systems record the time of creation.
    let since = record.folder.metadata().and_then(|folder| folder.created());
    let age = since.ok().and_then(|since| SystemTime::now().duration_since(since).ok());
    // Whole seconds, since humantime would print nanoseconds.
    let age = age.map(|age| std::time::Duration::from_secs(age.as_secs()));
    let mut text = format!(
        "up: {name} ({}), for SkyPilot {} (`{}`)\n",
        record.infra().infra(),
        record.sky_version,
        record.sky.display()
    );
    if let Some(age) = age {
        text.push_str(&format!("since: {} ago\n", humantime::format_duration(age)));
    }
    text.push_str(match record.owner {
        None => "until: `cargo xtask infra down`\n",
        Some(_) => "until: the end of the load that started it\n",
    });
    text.push_str(&format!(
        "nodes: {} processes, RSS sum {} (max {}), {:.1} CPU-s\n",
        figures.processes,
        figures.memory,
        figures.peak_memory,
        figures.cpu.as_secs_f64()
    ));
    if let Some(api) = figures.cloud_api {
        text.push_str(&format!(
            "cloud API: RSS sum {} (max {}), {:.1} CPU-s\n",
            api.memory,
            api.peak_memory,
            api.cpu.as_secs_f64()
        ));
    }
    for exposed in &figures.exposed {
        text.push_str(&format!("warning: reachable from other machines: {exposed}\n"));
    }
    match loopback::clusters(record, workspace, Progress::new()) {
        Ok(clusters) if clusters.is_empty() => text.push_str("clusters: none\n"),
        Ok(clusters) => text.push_str(&format!("clusters: {}\n", clusters.join(", "))),
        Err(error) => text.push_str(&format!("clusters: unknown ({error:#})\n")),
    }
    Ok(text)
}

fn down(workspace: &Workspace) -> Result<()> {
    let _lock = workspace.lock()?;
    let records = LocalInfra::ALL.map(|infra| Record::read(workspace, infra));
    let records = records.into_iter().collect::<Result<Vec<_>>>()?;
    let records: Vec<Record> = records.into_iter().flatten().collect();
    if records.is_empty() {
        return write_output("No local infra to stop.\n");
    }
    // Before any is stopped.
    if let Some(record) = records.iter().find(|record| record.is_in_use()) {
        bail!("another run is using {}\n  hint: wait for it, or press Ctrl-C there", record.name());
    }
    for record in records {
        let was_up = record.is_up();
        let step = Progress::new().step(format!("Stopping {}", record.name()));
        let (figures, leaked) = record.tear_down(workspace)?;
        step.done(if was_up && leaked == 0 {
            format!("nodes used {:.1} CPU-s", figures.cpu.as_secs_f64())
        } else {
            format!("killed {leaked} leaked processes")
        });
    }
    write_output("Stopped and removed; packages and node images are kept.\n")
}

/// Writes `text` to standard output.
fn write_output(text: &str) -> Result<()> {
    print::text("the output", |out| out.write_all(text.as_bytes()))
}
