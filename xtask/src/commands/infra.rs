//! Commands `cargo xtask infra up|status|down`: a persistent loopback Slurm cluster, for several
//! loads and for use by hand.

use std::io::Write as _;
use std::time::SystemTime;

use anyhow::{Result, bail};
use host::print;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use loopback::{Lifetime, Loopback, LoopbackOptions, NodePriority, Record, ServerSetup};
use skyload::env;
use skyload::plan::{PINNED_SKYPILOT, SkySelection, UsageErrors};

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
    let selection = match flags.sky.as_deref() {
        None => SkySelection::pinned(),
        Some(text) => SkySelection::parse(text).ok_or_else(|| {
            UsageErrors(vec![format!(
                "--sky: expected a version ({PINNED_SKYPILOT}), nightly or a path to sky (with a \
                 `/`), got `{text}`"
            )])
        })?,
    };
    let _lock = workspace.lock()?;
    let (signals, progress) = (Signals::listen()?, Progress::new());
    let sky =
        SkyInstallation::prepare(&selection, &Extras::default(), &workspace.state, &progress)?;
    signals.check()?;
    let measured = speed::measure(&sky, SkyEnvironment::Filtered, &signals, progress)?;
    let priority = NodePriority::on(measured.map(|measured| measured.speed));
    let options = LoopbackOptions { lifetime: Lifetime::UntilInfraDown, priority };
    let loopback = Loopback::start(workspace, &sky.for_nodes(), options, &signals, progress)?;
    let usage = usage(&sky, loopback.server_setup());
    let state = if loopback.is_reused() { "already running" } else { "running" };
    let record = loopback.keep();
    write_output(&format!(
        "Loopback Slurm cluster {state}: slurm/loop, for SkyPilot {}.\n\n{usage}",
        record.sky_version
    ))
}

/// Instructions to use the cluster from a shell. Lines to paste are not indented: the end marker
/// of a here-document must be at the start of its line.
fn usage(sky: &SkyInstallation, setup: &ServerSetup) -> String {
    // Not SkyPilot's default port 46580, which the user's own server may have.
    const PORT: u16 = 46_680;
    let mut lines = vec![
        "`cargo xtask load` uses this cluster. To use it by hand, with a separate home and port:"
            .to_owned(),
        String::new(),
        format!("export HOME=$(mktemp -d) {}=1", env::NO_USAGE),
        format!("export {}={PORT}", env::LOCAL_PORT),
    ];
    let variables = setup.variables().into_iter();
    lines.extend(variables.map(|(name, value)| format!("export {name}={value}")));
    let bin = sky.sky.parent().unwrap_or(&sky.sky).display();
    lines.push(format!("export PATH={}", setup.path(&format!("{bin}:$PATH"))));
    for file in &setup.home_files {
        let name = file.path.display();
        lines.push(format!("mkdir -p $(dirname ~/{name})"));
        lines.push(format!("cat > ~/{name} <<'END'\n{}END", file.content));
        lines.push(format!("chmod {:o} ~/{name}", file.mode));
    }
    lines.push("mkdir -p ~/.sky".to_owned());
    lines.push(format!("cat > ~/.sky/config.yaml <<'END'\n{}END", setup.config()));
    for folder in &setup.home_folders {
        let (from, to) = (folder.from.display(), folder.to.display());
        lines.push(format!("mkdir -p ~/{to} && cp -r {from}/. ~/{to}"));
    }
    lines.push(format!("sky api start --port {PORT} && sky check"));
    for infra in &setup.infras {
        lines.push(format!("sky launch -y -c mine --infra {infra} --cpus 1+ 'echo hello'"));
    }
    lines.push(String::new());
    lines.push("To stop: `sky api stop` in that shell, then `cargo xtask infra down`.".to_owned());
    lines.push("Modified for loopback:".to_owned());
    lines.extend(setup.modifications.iter().map(|modification| format!("* {modification}")));
    lines.join("\n") + "\n"
}

fn status(workspace: &Workspace) -> Result<()> {
    let Some(record) = Record::read(workspace)? else {
        return write_output("down: no loopback Slurm cluster\n");
    };
    if !record.is_up() {
        return write_output(&format!(
            "down: the supervisor of cluster {} was killed\n  hint: remove leaked processes and \
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
        "up: slurm/loop, for SkyPilot {} (`{}`)\n",
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
    for exposed in &figures.exposed {
        text.push_str(&format!("warning: reachable from other machines: {exposed}\n"));
    }
    match loopback::jobs(&record, workspace, Progress::new()) {
        Ok(jobs) if jobs.is_empty() => text.push_str("jobs: none\n"),
        Ok(jobs) => text.push_str(&format!("jobs: {}\n", jobs.join(", "))),
        Err(error) => text.push_str(&format!("jobs: unknown ({error:#})\n")),
    }
    write_output(&text)
}

fn down(workspace: &Workspace) -> Result<()> {
    let _lock = workspace.lock()?;
    let Some(record) = Record::read(workspace)? else {
        return write_output("No loopback Slurm cluster to stop.\n");
    };
    if record.is_in_use() {
        bail!(
            "another run is using the loopback Slurm cluster\n  hint: wait for it, or press Ctrl-C \
             there"
        );
    }
    let was_up = record.is_up();
    let step = Progress::new().step("Stopping the loopback Slurm cluster");
    let (figures, leaked) = record.tear_down(workspace)?;
    step.done(if was_up && leaked == 0 {
        format!("nodes used {:.1} CPU-s", figures.cpu.as_secs_f64())
    } else {
        format!("killed {leaked} leaked processes")
    });
    write_output("Cluster removed; packages and node images are kept.\n")
}

/// Writes `text` to standard output.
fn write_output(text: &str) -> Result<()> {
    print::text("the output", |out| out.write_all(text.as_bytes()))
}
