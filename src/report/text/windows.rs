//! Memory peaks of each phase and of each family's load, where the plan wanted them.

use std::io::{self, Write};

use super::{print, table};
use crate::class::ProcessClass;
use crate::report::MemoryReport;
use crate::units::as_mib;

pub(super) fn render(memory: Option<&MemoryReport>, out: &mut impl Write) -> io::Result<()> {
    let windows = memory.map_or(&[][..], |memory| &memory.windows);
    if windows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nPEAKS of the largest process by phase, in MiB (marks lowered at its beginning)"
    )?;
    let names: Vec<String> = windows.iter().map(|peaks| peaks.window.to_string()).collect();
    let mut headings = vec!["class"];
    headings.extend(names.iter().map(String::as_str));
    let mut rows = table(&headings, 1);
    for class in ProcessClass::ALL {
        let peaks: Vec<_> = windows.iter().map(|peaks| peaks.classes.get(&class)).collect();
        if peaks.iter().all(Option::is_none) {
            continue;
        }
        let peaks = peaks.into_iter().map(|peak| {
            peak.map_or_else(|| "-".to_owned(), |peak| format!("{:.1}", as_mib(*peak)))
        });
        rows.add_row(std::iter::once(class.to_string()).chain(peaks));
    }
    print(out, &rows)?;
    for peaks in windows.iter().filter(|peaks| peaks.not_reset > 0) {
        writeln!(
            out,
            "  {}: the marks of {} process(es) could not be lowered, and may be of an earlier time",
            peaks.window, peaks.not_reset
        )?;
    }
    Ok(())
}
