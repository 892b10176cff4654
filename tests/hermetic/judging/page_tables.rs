//! The page's tables: the figures of the text report, as exact and as complete.

use skyload::sample::Phase;

use super::changes::Change;
use super::evidence::{four_users, good_run};
use super::pages::page;

/// The cells of a row: of the table whose caption begins so, the one of this name.
fn row(page: &str, caption: &str, name: &str) -> Vec<String> {
    let begin = format!("<caption class=\"spoken\">{caption}");
    let (_, table) = page.split_once(&begin).unwrap_or_else(|| panic!("no table `{caption}`"));
    let (table, _) = table.split_once("</table>").expect("it ends");
    let name = format!("<th scope=\"row\">{name}</th>");
    let (_, row) = table.split_once(&name).unwrap_or_else(|| panic!("no `{name}` in {table}"));
    let (row, _) = row.split_once("</tr>").expect("it ends");
    let cells = row.split("</td>").filter_map(|cell| cell.rsplit_once('>'));
    cells.map(|(_, cell)| cell.to_owned()).collect()
}

#[test]
fn memory_of_which_nothing_could_be_read_is_not_nothing() {
    let mut run = good_run(&four_users());
    for phase in [Phase::Baseline, Phase::Load, Phase::Drain] {
        let snapshot = run.snapshot(phase);
        snapshot.classes.clear();
        snapshot.unread = 3;
    }
    let peaks = row(&page(&run), "Memory of the server", "tree (PSS, at phase ends)");
    assert_eq!(peaks[3..5], ["", "–"], "{peaks:?}");
}

#[test]
fn memory_that_lacks_a_process_is_a_lower_bound() {
    let mut run = good_run(&four_users());
    run.snapshot(Phase::Load).unread = 1;
    let peaks = row(&page(&run), "Memory of the server", "tree (PSS, at phase ends)");
    assert_eq!(peaks[4], "≥ 400.0", "{peaks:?}");
}
