//! `cargo xtask infra up|status|down`: an infrastructure that stays, for one load
//! after the other and for use by hand.

use std::io::Write as _;
use std::time::SystemTime;

use anyhow::{Result, bail};
use host::print;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use loopback::{Loopback, NodePriority, Record, ServerSetup, Stay, Terms};
use skyload::env;
use skyload::plan::{PINNED_SKYPILOT, SkySelection, UsageErrors};

use crate::flags;
use crate::sky::{SkyEnvironment, SkyInstallation, speed};

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
                "--sky: `{text}` is none of a version (such as {PINNED_SKYPILOT}), nightly and the \
                 path of a sky program (with a `/` in it)"
            )])
        })?,
    };
    let _lock = workspace.lock()?;
    let (signals, progress) = (Signals::listen()?, Progress::new());
    let sky = SkyInstallation::prepare(&selection, &workspace.state, &progress)?;
    signals.check()?;
    let measured = speed::measure(&sky, SkyEnvironment::Filtered, &signals, progress)?;
    let priority = NodePriority::on(measured.map(|measured| measured.speed));
    let terms = Terms { stay: Stay::UntilTakenDown, priority };
    let loopback = Loopback::up(workspace, &sky.for_nodes(), terms, &signals, progress)?;
    let usage = usage(&sky, loopback.server_setup());
    let was_up = loopback.was_up();
    let record = loopback.keep();
    let head = if was_up { "It is up already" } else { "It is up" };
    say(&format!("{head}: slurm/loop, for SkyPilot {}.\n\n{usage}", record.sky_version))
}

/// How to use it from a shell. Lines to be pasted begin at the margin, where a shell
/// wants the end of a text.
fn usage(sky: &SkyInstallation, setup: &ServerSetup) -> String {
    const PORT: u16 = 46_680;
    let mut lines = vec![
        "A load takes it by itself. By hand, with a home and a port of its own:".to_owned(),
        String::new(),
        format!("export HOME=$(mktemp -d) {}=1", env::NO_USAGE),
        format!("export {}={PORT}", env::LOCAL_PORT),
    ];
    let variables = setup.variables().into_iter();
    lines.extend(variables.map(|(name, value)| format!("export {name}={value}")));
    let bin = sky.sky.parent().unwrap_or(&sky.sky).display();
    lines.push(format!("export PATH={}", setup.path(&format!("{bin}:$PATH"))));
    lines.push("mkdir -p ~/.sky ~/.slurm".to_owned());
    for file in &setup.home_files {
        let name = file.path.display();
        lines.push(format!("cat > ~/{name} <<'END'\n{}END", file.content));
        lines.push(format!("chmod {:o} ~/{name}", file.mode));
    }
    lines.push(format!("cat > ~/.sky/config.yaml <<'END'\n{}END", setup.config));
    lines.push(format!("cp -r {} ~/.sky/wheels", setup.wheels.display()));
    lines.push(format!("sky api start --port {PORT} && sky check slurm"));
    lines.push(format!("sky launch -y -c mine --infra {} --cpus 1 'echo hello'", setup.infra));
    lines.push(String::new());
    lines.push("To end it: `sky api stop` there, then `cargo xtask infra down`.".to_owned());
    lines.push("What is not as in an ordinary SkyPilot:".to_owned());
    lines.extend(setup.changes.iter().map(|change| format!("* {change}")));
    lines.join("\n") + "\n"
}

fn status(workspace: &Workspace) -> Result<()> {
    let Some(record) = Record::read(workspace)? else {
        return say("down: there is no infrastructure\n");
    };
    if !record.is_up() {
        return say(&format!(
            "down: the supervisor of {} was killed\n  hint: `cargo xtask infra down` clears away \
             what is left\n",
            record.id
        ));
    }
    let figures = record.figures()?;
    let since = record.folder.metadata().and_then(|folder| folder.created());
    let age = since.ok().and_then(|since| SystemTime::now().duration_since(since).ok());
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
        None => "stays until `cargo xtask infra down`\n",
        Some(_) => "ends with the load that brought it up\n",
    });
    text.push_str(&format!(
        "nodes: {} processes, {} now, {} at most, {:.1} s of CPU\n",
        figures.processes,
        figures.memory,
        figures.peak_memory,
        figures.cpu.as_secs_f64()
    ));
    for exposed in &figures.exposed {
        text.push_str(&format!("warning: reachable from elsewhere: {exposed}\n"));
    }
    match loopback::jobs(&record, workspace, Progress::new()) {
        Ok(jobs) if jobs.is_empty() => text.push_str("jobs: none\n"),
        Ok(jobs) => text.push_str(&format!("jobs: {}\n", jobs.join(", "))),
        Err(error) => text.push_str(&format!("jobs: unknown ({error:#})\n")),
    }
    say(&text)
}

fn down(workspace: &Workspace) -> Result<()> {
    let _lock = workspace.lock()?;
    let Some(record) = Record::read(workspace)? else {
        return say("There is no infrastructure.\n");
    };
    if record.is_in_use() {
        bail!(
            "another run is using the infrastructure\n  hint: wait for it, or press Ctrl-C there"
        );
    }
    let was_up = record.is_up();
    let step = Progress::new().step("Taking the infrastructure down");
    let (figures, left) = record.clear(workspace)?;
    step.done(if was_up && left == 0 {
        format!("its nodes used {:.1} s of CPU", figures.cpu.as_secs_f64())
    } else {
        format!("{left} processes were left of it, which are gone now")
    });
    say("Nothing is left of it; packages and node images stay.\n")
}

fn say(text: &str) -> Result<()> {
    print::text("the answer", |out| out.write_all(text.as_bytes()))
}
