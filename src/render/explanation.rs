//! Text of an explanation for a terminal.

use std::io::{self, Write};
use std::path::Path;

use super::table::{Cell, Table};
use super::text::{INDENT, one_line};
use crate::explanation::{Answer, ExplainedPeak, Explanation, packages};
use crate::record::trace::{AllocationSite, Allocations, Frame, Trace};
use crate::units::{ByteSize, as_mib, counted};

/// Maximum number of rows of a table; the JSON has all.
const MAX_ROWS: usize = 20;

/// Writes the explanation: each peak with the trace of its cause, the import of SkyPilot, and the
/// path of the results.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render(
    explanation: &Explanation,
    results: Option<&Path>,
    out: &mut impl Write,
) -> io::Result<()> {
    let Explanation { run, sky, peaks, .. } = explanation;
    writeln!(out, "EXPLANATION of run {run}, SkyPilot {sky}")?;
    writeln!(
        out,
        "{INDENT}Each request once more, in fresh servers; allocations under tracemalloc. Not \
         comparable with measured peaks."
    )?;
    for (index, peak) in peaks.iter().enumerate() {
        writeln!(out, "\nPEAK {} {}", index + 1, heading(peak))?;
        match &peak.answer {
            Answer::Repeated { scenario, trace, notes } => {
                let by =
                    scenario.map_or_else(|| "the server itself".to_owned(), |id| id.to_string());
                let earlier = match trace.earlier_requests {
                    0 => "first request of its executor".to_owned(),
                    count => format!("after {} of its executor", counted(count, "request")),
                };
                let end = if trace.is_whole { "" } else { ", has not ended" };
                writeln!(out, "{INDENT}Repeated by {by}: {earlier}{end}")?;
                of_trace(trace, out)?;
                if trace.allocations.is_none() {
                    writeln!(out, "{INDENT}Allocations unknown: no trace under tracemalloc")?;
                }
                for note in notes {
                    writeln!(out, "{INDENT}Note: {}", one_line(note))?;
                }
            }
            Answer::Import if explanation.import.is_some() => {
                writeln!(out, "{INDENT}Explained below: IMPORT")?;
            }
            Answer::Import => {
                writeln!(out, "{INDENT}Not explained: no trace of the import of SkyPilot")?;
            }
            Answer::NotExplained { reason } => {
                writeln!(out, "{INDENT}Not explained: {}", one_line(reason))?;
            }
        }
    }
    if let Some(trace) = &explanation.import {
        writeln!(out, "\nIMPORT of SkyPilot, before the first request of an executor")?;
        of_trace(trace, out)?;
    }
    if !explanation.notes.is_empty() {
        writeln!(out)?;
    }
    for note in &explanation.notes {
        writeln!(out, "Note: {}", one_line(note))?;
    }
    if let Some(results) = results {
        writeln!(out, "\nResults: {}", results.display())?;
    }
    Ok(())
}

fn heading(peak: &ExplainedPeak) -> String {
    format!("{} {:.1} MiB: {}", peak.class, as_mib(peak.peak), one_line(&peak.cause))
}

fn of_trace(trace: &Trace, out: &mut impl Write) -> io::Result<()> {
    let mib = |size: ByteSize| format!("{:.1}", as_mib(size));
    let of_python = match (&trace.allocations, trace.untraced()) {
        (Some(Allocations { peak, .. }), Some(untraced)) => format!(
            ", {} of them allocated through Python, {} not (native code, free memory)",
            mib((*peak).min(trace.growth())),
            mib(untraced)
        ),
        _ => String::new(),
    };
    writeln!(
        out,
        "{INDENT}RSS {} -> {} MiB in {:.1} s; high-water mark +{} MiB{of_python}",
        mib(trace.rss_before),
        mib(trace.rss_after),
        trace.seconds.as_secs_f64(),
        mib(trace.growth()),
    )?;
    if let Some(allocations) = &trace.allocations {
        let sites = sites(allocations);
        writeln!(
            out,
            "{INDENT}ALLOCATION SITES at {} MiB, in MiB{}",
            mib(allocations.at_sites),
            of_all(sites.rows.len(), allocations.site_count as usize)
        )?;
        sites.text(&INDENT.repeat(2), out)?;
    }
    let (modules, all) = modules(trace);
    match all {
        0 => writeln!(out, "{INDENT}No module was imported"),
        _ => {
            let count = trace.modules.len();
            writeln!(
                out,
                "{INDENT}{} IMPORTED, by package, growth of RSS in MiB{}",
                counted(count, "module").to_uppercase(),
                of_all(modules.rows.len(), all)
            )?;
            modules.text(&INDENT.repeat(2), out)
        }
    }
}

/// Number of rows among all, if the table has not all of them.
fn of_all(shown: usize, all: usize) -> String {
    if shown < all { format!(" (the largest {shown} of {all})") } else { String::new() }
}

fn sites(allocations: &Allocations) -> Table {
    let mut table = Table::new(&["site", "called by", "blocks", "size"], 2);
    for site in allocations.sites.iter().take(MAX_ROWS) {
        let own = site.frames.first().map_or_else(String::new, place);
        table.row([
            Cell::Plain(one_line(&own)),
            Cell::Plain(one_line(&caller(site))),
            Cell::Plain(site.count.to_string()),
            Cell::Plain(format!("{:.2}", as_mib(site.size))),
        ]);
    }
    table
}

/// Nearest caller in another file: SkyPilot's, if one of the frames is.
fn caller(site: &AllocationSite) -> String {
    let Some((own, callers)) = site.frames.split_first() else { return String::new() };
    let others = || callers.iter().filter(|frame| frame.file != own.file);
    let of_sky = others().find(|frame| is_of_sky(&frame.file));
    of_sky.or_else(|| others().next()).map_or_else(String::new, place)
}

/// Whether a file is SkyPilot's: in its package among others, or in a checkout. The folder alone
/// does not tell, since skyload installs all packages below a folder `sky`.
fn is_of_sky(file: &str) -> bool {
    match below_packages(file) {
        Some(path) => path.starts_with("sky/"),
        None => file.contains("/sky/"),
    }
}

/// Line of code, with the path below the folder of packages.
fn place(frame: &Frame) -> String {
    format!("{}:{}", below_packages(&frame.file).unwrap_or(&frame.file), frame.line)
}

/// Path below the folder of packages or of Python's own modules; `None` for a file elsewhere.
fn below_packages(file: &str) -> Option<&str> {
    let below = |folder: &str| file.rsplit_once(folder).map(|(_, path)| path);
    let of_python = || {
        let (_, path) = file.rsplit_once("/lib/python3")?;
        path.split_once('/').map(|(_, path)| path)
    };
    below("/site-packages/").or_else(|| below("/dist-packages/")).or_else(of_python)
}

/// Table of the packages that were imported, and the number of all.
fn modules(trace: &Trace) -> (Table, usize) {
    let packages = packages(&trace.modules);
    let headings = ["package", "imported by", "modules", "growth", "s"];
    let mut table = Table::new(&headings, 2);
    for package in packages.iter().take(MAX_ROWS) {
        table.row([
            Cell::Plain(one_line(package.name)),
            Cell::Plain(one_line(package.imported_by.unwrap_or_default())),
            Cell::Plain(package.modules.to_string()),
            Cell::Plain(format!("{:.2}", as_mib(package.rss))),
            Cell::Plain(format!("{:.2}", package.seconds.as_secs_f64())),
        ]);
    }
    (table, packages.len())
}
