//! Tables of the HTML report: the same figures as in the text report.

use std::time::Duration;

use rstest::rstest;
use skyload::record::profile::{Ending, Phase};

use super::changes::Change;
use super::evidence::{four_users, good_run, run_with_only_a_plan};
use super::pages::page;
use super::texts::eventful_run;

/// Cells of the row `name`, in the table whose caption starts with `caption`.
fn row(page: &str, caption: &str, name: &str) -> Vec<String> {
    let begin = format!("<caption class=\"spoken\">{caption}");
    let (_, table) = page.split_once(&begin).unwrap_or_else(|| panic!("no table `{caption}`"));
    let (table, _) = table.split_once("</table>").expect("the part has an end");
    let name = format!("<th scope=\"row\">{name}</th>");
    let (_, row) = table.split_once(&name).unwrap_or_else(|| panic!("no `{name}` in {table}"));
    let (row, _) = row.split_once("</tr>").expect("the part has an end");
    let cells = row.split("</td>").filter_map(|cell| cell.rsplit_once('>'));
    cells.map(|(_, cell)| cell.to_owned()).collect()
}

/// HTML of the key figure `name`, after the name.
pub(super) fn key_figure<'a>(page: &'a str, name: &str) -> &'a str {
    let name = format!("<span class=\"name\">{name}<");
    let (_, figure) = page.split_once(&name).unwrap_or_else(|| panic!("no key figure `{name}`"));
    figure.split_once("</li>").expect("the part has an end").0
}

#[test]
fn requests_of_the_health_probe_are_not_counted_as_iterations() {
    let run = good_run(&four_users());
    let all: u64 =
        run.outcomes.values().flat_map(|o| &o.segments).map(|segment| segment.succeeded).sum();
    assert!(all > 4, "the run has a health probe");
    let page = page(&run);
    let figure = key_figure(&page, "iterations");
    assert!(figure.contains(">4<") && figure.contains("0 failed"), "{figure}");
}

#[test]
fn iterations_that_the_load_generator_could_not_finish_are_counted_apart() {
    let mut run = good_run(&four_users());
    run.load_generator_fails(2);
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
fn memory_that_could_not_be_read_is_not_zero() {
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
fn memory_without_an_unread_process_is_a_lower_bound() {
    let mut run = good_run(&four_users());
    run.snapshot(Phase::Load).unread = 1;
    let peaks = row(&page(&run), "Memory by process class", "process tree PSS");
    assert_eq!(peaks[4], "≥ 400.0", "{peaks:?}");
}

#[test]
fn the_sampling_rate_is_compared_with_the_profiles_interval() {
    let mut run = good_run(&four_users());
    run.plan.profiler_interval = Duration::from_millis(50);
    assert!(page(&run).contains("5.0 of 5.0 samples per second"));
}

#[test]
fn a_key_figure_that_is_a_lower_bound_is_marked() {
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
fn tables_have_the_figures_of_the_text_report(
    #[case] caption: &str,
    #[case] name: &str,
    #[case] cells: &[&str],
) {
    assert_eq!(row(&page(&eventful_run()), caption, name), cells);
}

#[test]
fn growth_names_the_processes_that_could_not_be_read() {
    assert!(page(&eventful_run()).contains("without 1 process(es) that could not be read after"));
}

#[test]
fn a_scenario_without_an_outcome_has_a_row() {
    let iterations = row(&page(&eventful_run()), "Latency per iteration", "probe:health");
    assert_eq!(iterations[0], "none", "{iterations:?}");
}

#[test]
fn a_budget_without_a_measurement_has_a_row() {
    let page = page(&run_with_only_a_plan());
    assert_eq!(row(&page, "Budgets", "long-executor"), ["–", "–", "–", "not measured"]);
}

#[test]
fn thresholds_have_their_table_where_no_iteration_ran() {
    let mut run = good_run(&four_users());
    run.thresholds(&["api:status p95 < 5s"]);
    run.outcomes.clear();
    let page = page(&run);
    assert!(page.contains("No iterations ran."));
    let cells = row(&page, "Thresholds", "api:status p95 &#60; 5s");
    assert_eq!(cells, ["–", "skipped: no iteration completed"]);
}
