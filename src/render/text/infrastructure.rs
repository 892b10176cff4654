//! Infra, modifications for loopback, and shared resources in the text report.

use std::io::{self, Write};

use super::INDENT;
use crate::analysis::Report;
use crate::record::resources::{ResourceLog, Stage};
use crate::render::format::seconds;
use crate::render::table::Table;

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if let Some(environment) = &report.environment
        && !environment.infrastructure.is_empty()
    {
        writeln!(out, "\nINFRA {}", environment.infrastructure.join(", "))?;
        for change in &environment.modifications {
            writeln!(out, "  modified for loopback: {change}")?;
        }
        if let Some(catalog) = &environment.catalog {
            writeln!(out, "  catalog: {}", catalog.in_words())?;
        }
    }
    match &report.resources {
        Some(log) if !log.steps.is_empty() => resources(log, out),
        _ => Ok(()),
    }
}

fn resources(log: &ResourceLog, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nSETUP AND TEARDOWN, in seconds (not in the load)")?;
    let mut rows = Table::new(&["step", "resource", "infra", "seconds"], 3);
    for step in &log.steps {
        let stage = match step.stage {
            Stage::SetUp => "set up",
            Stage::TearDown => "tear down",
        };
        let took = match step.failure {
            None => seconds(step.took),
            Some(_) => format!("{} FAILED", seconds(step.took)),
        };
        rows.row([stage.to_owned(), step.what.clone(), step.infra.clone(), took]);
    }
    rows.text(INDENT, out)
}
