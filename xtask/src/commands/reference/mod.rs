//! `cargo xtask reference`: a stored set of runs, with which later ones are compared.
//!
//! * [`file`]: the file of a reference, and the request that made its runs.
//! * [`check`]: comparison with the reference.
//! * [`make_runs`]: runs with the load of the reference.

mod check;
mod file;
mod make_runs;

use std::io::Write as _;

use anyhow::Result;
use host::print;
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::comparison::Reference;
use skyload::plan::UsageErrors;
use skyload::record::write_json;
use skyload::render::reference as render;
use skyload::units::counted;

use crate::commands::{compare, report};
use crate::flags::{self, Format};
use file::ReferenceFile;

pub(crate) fn run(flags: flags::Reference) -> Result<u8> {
    let workspace = Workspace::locate()?;
    match flags {
        flags::Reference::Set(flags) => set(&flags, &workspace).map(|()| 0),
        flags::Reference::Show(flags) => show(&flags, &workspace).map(|()| 0),
        flags::Reference::Check(flags) => check::run(*flags, &workspace),
    }
}

/// Stores runs in the file, in the place of those that it had.
fn set(flags: &flags::ReferenceSet, workspace: &Workspace) -> Result<()> {
    let file = ReferenceFile::locate(&flags.file, workspace)?;
    let reports = report::of_runs(workspace, &flags.runs, |report, _| report)?;
    let mut mistakes = compare::named_twice(&reports);
    let assembled =
        Reference::assemble(&reports).map_err(|UsageErrors(of_runs)| mistakes.extend(of_runs));
    let (Ok((mut reference, left_out)), true) = (assembled, mistakes.is_empty()) else {
        return Err(UsageErrors(mistakes).into());
    };
    for excluded in left_out {
        Progress::new().note(format!("Left out: {}: {}", excluded.run, excluded.reason));
    }
    reference.arguments = file.portable(&reference.request()?)?.to_args();
    write_json(file.path(), &reference)?;
    print::text("the name of the file", |out| {
        let runs = counted(reference.runs.len(), "run");
        writeln!(out, "Wrote {}: {runs} of SkyPilot {}", file.path().display(), reference.sky)
    })
}

fn show(flags: &flags::ReferenceShow, workspace: &Workspace) -> Result<()> {
    const WHAT: &str = "the reference";
    let reference = ReferenceFile::locate(&flags.file, workspace)?.read()?;
    match flags.format {
        Format::Json => print::json(WHAT, &reference),
        Format::Text => print::text(WHAT, |out| render::render(&reference, out)),
    }
}
