//! The server at the ends of phases: what it consisted of, what it kept, and what it
//! left behind.

use std::io::{self, Write};

use super::budgets::{amount, bounded};
use super::{budgets, print, table};
use crate::budget::{Amount, BudgetSubject};
use crate::report::{ClassGrowth, Growth, MemoryReport, Report};
use crate::units::{ByteSize, as_mib};

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(memory) = &report.memory else { return Ok(()) };
    ends(memory, out)?;
    whole(report, memory, out)
}

/// What the server consisted of at the end of each phase, and how it grew.
pub(super) fn ends(memory: &MemoryReport, out: &mut impl Write) -> io::Result<()> {
    phases(memory, out)?;
    memory.growth.as_ref().map_or(Ok(()), |growth| classes(growth, out))
}

fn phases(memory: &MemoryReport, out: &mut impl Write) -> io::Result<()> {
    if memory.snapshots.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nPHASES: the server at the end of each, in MiB")?;
    let mut rows = table(&["phase", "processes", "threads", "zombies", "PSS", "USS"], 1);
    for snapshot in &memory.snapshots {
        let is_read = snapshot.processes > 0;
        let read = |figure: Amount| bounded(is_read.then_some(figure), snapshot.unread > 0);
        rows.add_row([
            snapshot.phase.name().to_owned(),
            read(Amount::Count(snapshot.processes.into())),
            read(Amount::Count(snapshot.threads.into())),
            amount(count(snapshot.zombies)),
            read(Amount::Size(snapshot.pss)),
            read(Amount::Size(snapshot.uss)),
        ]);
    }
    print(out, &rows)
}

fn classes(growth: &Growth, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\nGROWTH by class, from the end of the baseline to that of the last phase, in MiB"
    )?;
    let unread = [(growth.unread_before, "before"), (growth.unread_after, "after")];
    for (count, when) in unread.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "  without {count} process(es) that could not be read {when}")?;
    }
    let changed: Vec<&ClassGrowth> =
        growth.classes.iter().filter(|class| class.before != class.after).collect();
    if changed.is_empty() {
        return writeln!(out, "  no class changed");
    }
    let mut rows = table(&["class", "processes", "threads", "PSS", "USS"], 1);
    for ClassGrowth { class, before, after } in changed {
        let sizes =
            |one: ByteSize, other: ByteSize| format!("{:.1} -> {:.1}", as_mib(one), as_mib(other));
        rows.add_row([
            class.to_string(),
            format!("{} -> {}", before.count, after.count),
            format!("{} -> {}", before.threads, after.threads),
            sizes(before.pss, after.pss),
            sizes(before.uss, after.uss),
        ]);
    }
    print(out, &rows)
}

/// What is told of all processes together, and has no row among the peaks.
fn whole(report: &Report, memory: &MemoryReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nTHE WHOLE SERVER beyond its peaks")?;
    let headings = ["", "measured"].into_iter().chain(budgets::HEADINGS);
    let mut rows = table(&headings.collect::<Vec<_>>(), 1);
    let growth = memory.growth.as_ref();
    let unread = growth.map_or(0, |growth| growth.unread_after);
    let grown = growth.and_then(|growth| growth.pss).map(Amount::Size);
    let figures = [
        ("growth after the drain (PSS, MiB)", BudgetSubject::Growth, grown, unread),
        ("threads, most at one tick", BudgetSubject::Threads, count(memory.most_threads), 0),
        ("zombies after the drain", BudgetSubject::Zombies, count(memory.zombies), 0),
        ("leftovers of the stop", BudgetSubject::Leftovers, count(report.left_behind), 0),
    ];
    for (name, subject, figure, unread) in figures {
        let mut row = vec![name.to_owned(), bounded(figure, unread > 0)];
        row.extend(budgets::columns(&report.budgets, subject));
        rows.add_row(row);
    }
    print(out, &rows)
}

fn count(count: Option<u32>) -> Option<Amount> {
    count.map(|count| Amount::Count(count.into()))
}
