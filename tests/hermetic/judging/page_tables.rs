//! The page's tables: the figures of the text report, as exact and as complete.

use std::time::Duration;

use rstest::rstest;
use skyload::record::profile::{Ending, Phase};

use super::changes::Change;
use super::evidence::{four_users, good_run, hardly_anything_of_a_run};
use super::pages::page;
use super::texts::eventful_run;

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

/// What stands with the key figure of this name.
fn key_figure<'a>(page: &'a str, name: &str) -> &'a str {
    let name = format!("<span class=\"name\">{name}<");
    let (_, figure) = page.split_once(&name).unwrap_or_else(|| panic!("no key figure `{name}`"));
    figure.split_once("</li>").expect("it ends").0
}

#[test]
fn what_the_health_probe_asks_is_no_iteration_of_a_user() {
    let run = good_run(&four_users());
    let asked: u64 =
        run.outcomes.values().flat_map(|o| &o.segments).map(|segment| segment.succeeded).sum();
    assert!(asked > 4, "there is a health probe");
    let page = page(&run);
    let figure = key_figure(&page, "iterations");
    assert!(figure.contains(">4<") && figure.contains("0 failed"), "{figure}");
}

#[test]
fn iterations_that_the_client_could_not_run_are_told_apart() {
    let mut run = good_run(&four_users());
    run.client_fails(2);
    let page = page(&run);
    let figure = key_figure(&page, "iterations");
    assert!(
        figure.contains(">2<") && figure.contains("0 failed, 2 in the load generator"),
        "{figure}"
    );
    let error = row(&page, "Errors by type", "load-generator-out-of-open-files");
    assert!(error[0].contains("own, says nothing about the server"), "{error:?}");
}

#[test]
fn memory_of_which_nothing_could_be_read_is_not_nothing() {
    let mut run = good_run(&four_users());
    for phase in [Phase::Baseline, Phase::Load, Phase::Cooldown] {
        let snapshot = run.snapshot(phase);
        snapshot.classes.clear();
        snapshot.unread = 3;
    }
    let peaks = row(&page(&run), "Memory by process class", "process tree PSS");
    assert_eq!(peaks[3..5], ["", "–"], "{peaks:?}");
}

#[test]
fn memory_that_lacks_a_process_is_a_lower_bound() {
    let mut run = good_run(&four_users());
    run.snapshot(Phase::Load).unread = 1;
    let peaks = row(&page(&run), "Memory by process class", "process tree PSS");
    assert_eq!(peaks[4], "≥ 400.0", "{peaks:?}");
}

#[test]
fn the_profilers_samples_are_counted_by_its_own_interval() {
    let mut run = good_run(&four_users());
    run.plan.profiler_interval = Duration::from_millis(50);
    assert!(page(&run).contains("5.0 of 5.0 samples per second"));
}

#[test]
fn a_key_figure_that_is_a_lower_bound_says_so() {
    let mut run = good_run(&four_users());
    run.record(3).ending = Ending::Unread { unseen: None };
    let page = page(&run);
    let figure = key_figure(&page, "max peak short-executor");
    assert!(figure.contains(">≥ 180.0 MiB<"), "{figure}");
    assert!(figure.contains("of 307.2 MiB, at most 41% left"), "{figure}");
}

#[rstest]
#[case::unread(
    "Server at phase end", "cooldown",
    &["≥ 6", "≥ 18", "2", "≥ 550.0", "≥ 420.0"])]
#[case::read(
    "Server at phase end", "load", &["3", "9", "2", "400.0", "300.0"])]
#[case::growth(
    "Growth by class", "long-executor", &["0 → 3", "0 → 9", "0.0 → 150.0", "0.0 → 120.0"])]
#[case::growth_of_all(
    "Server totals", "PSS growth after cooldown, MiB",
    &["≥ 150.0", "200.0", "25%", "ok"])]
#[case::leaked_processes(
    "Server totals", "leaked processes", &["3", "2", "-50%", "OVER"])]
#[case::without_budget(
    "Server totals", "zombies after cooldown", &["2", "", "", ""])]
#[case::without_constant("Budgets", "server", &["200.0 MiB", "–", "–", "no constant"])]
#[case::lower_bound(
    "Budgets", "short-executor", &["≥ 180.0 MiB", "307.2 MiB", "41%", "ok"])]
#[case::absent_class("Budgets", "long-executor", &["–", "409.6 MiB", "–", "skipped"])]
fn what_the_text_tells_of_the_server_is_told(
    #[case] caption: &str,
    #[case] name: &str,
    #[case] cells: &[&str],
) {
    assert_eq!(row(&page(&eventful_run()), caption, name), cells);
}

#[test]
fn growth_lacks_processes_that_could_not_be_read_and_says_so() {
    assert!(page(&eventful_run()).contains("without 1 process(es) that could not be read after"));
}

#[test]
fn a_scenario_without_an_outcome_has_a_row() {
    let iterations = row(&page(&eventful_run()), "Latency per iteration", "probe:health");
    assert_eq!(iterations[0], "none", "{iterations:?}");
}

#[test]
fn a_budget_that_nothing_was_measured_for_has_a_row() {
    let page = page(&hardly_anything_of_a_run());
    assert_eq!(row(&page, "Budgets", "long-executor"), ["–", "–", "–", "not measured"]);
}
