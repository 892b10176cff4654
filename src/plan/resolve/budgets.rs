//! Budgets of the configuration file and of `--budget`.

use std::collections::BTreeMap;

use super::Resolver;
use crate::config::{BudgetSetting, budget_names, suggest};
use crate::metric::{Limit, Limits, Metric};
use crate::plan::{ServerMetrics, ServerTarget};

impl Resolver<'_> {
    pub(super) fn budgets(&mut self, server: &ServerTarget) -> Vec<Limit> {
        let request = self.request;
        if matches!(server, ServerTarget::Remote(_)) && request.server_profile.is_none() {
            // Budgets of the file are kept: a profile may be merged into the run later. A flag
            // is an error, since the user expects the run to check it.
            for text in &request.budgets {
                let name = text.split_once('=').map_or(text.as_str(), |(name, _)| name);
                let is_gauged = name.parse().is_ok_and(ServerMetrics::has_gauge);
                let hint = match (is_gauged, request.metrics_url.is_some()) {
                    (true, true) => continue,
                    (true, false) => ", or pass --metrics-url for the server's own gauges",
                    (false, _) => "",
                };
                self.error(format!(
                    "--budget {text}: memory of a remote server cannot be measured from this \
                     machine; run `cargo xtask profile` on the server's machine, and pass its \
                     directory with --server-profile{hint}"
                ));
            }
        }
        let mut budgets = BTreeMap::new();
        let of_plan = format!("[plans.{}.budgets]", self.name);
        let (config, settings) = (self.config, self.settings);
        // Those of the plan last, so that they replace the file's for the same metrics.
        for (place, table) in
            [("[budgets]", &config.budgets), (of_plan.as_str(), &settings.budgets)]
        {
            for (name, setting) in table {
                if let Some(metric) = self.budgeted(place, name)
                    && let Some(budget) = self.budget(place, metric, *setting)
                {
                    budgets.insert(metric, budget);
                }
            }
        }
        // After those of the file, so that a flag replaces the file's budget for the same metric.
        for text in &request.budgets {
            let Some((name, value)) = text.split_once('=') else {
                self.error(format!(
                    "--budget: expected WHAT=LIMIT, such as `short-executor=300MiB` or \
                     `threads=500`, got `{text}`"
                ));
                continue;
            };
            // Both are parsed before either is used, so that both errors are reported.
            let metric = self.budgeted("--budget", name);
            let setting = value.parse().map_err(|error| {
                self.error(format!("--budget {name}: {error}"));
            });
            if let (Some(metric), Ok(setting)) = (metric, setting)
                && let Some(budget) = self.budget("--budget", metric, setting)
            {
                budgets.insert(metric, budget);
            }
        }
        budgets.into_values().collect()
    }

    /// Metric called `name`, if a budget can be set for it.
    fn budgeted(&mut self, place: &str, name: &str) -> Option<Metric> {
        let is_budget = |metric: &Metric| metric.row().limits == Limits::Budget;
        let metric = name.parse().ok().filter(is_budget);
        if metric.is_none() {
            let known = budget_names();
            self.error(format!(
                "{place}: unknown budget `{name}`; {}",
                suggest(name, known.iter().map(String::as_str))
            ));
        }
        metric
    }

    fn budget(&mut self, place: &str, metric: Metric, setting: BudgetSetting) -> Option<Limit> {
        let (unit, example) = (metric.unit().name(), metric.unit().example());
        let at_most = match setting {
            BudgetSetting::Auto if metric.has_constant() => None,
            BudgetSetting::Auto => {
                self.error(format!(
                    "{place}: expected a {unit} for `{metric}`, such as `{example}`, got `auto`: \
                     SkyPilot has no constant for it"
                ));
                return None;
            }
            BudgetSetting::Limit(amount) if amount.unit() == metric.unit() => Some(amount),
            BudgetSetting::Limit(amount) => {
                self.error(format!(
                    "{place}: expected a {unit} for `{metric}`, such as `{example}`, got the {} \
                     {amount}",
                    amount.unit().name()
                ));
                return None;
            }
        };
        Some(Limit { metric, at_most })
    }
}
