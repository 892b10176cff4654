//! Limits on the server's memory and processes, of the file and of flags.

use std::collections::BTreeMap;

use super::Resolver;
use crate::config::{BudgetSetting, budget_names, suggest};
use crate::metric::{Limit, Limits, Metric};
use crate::plan::ServerTarget;

impl Resolver<'_> {
    pub(super) fn budgets(&mut self, server: &ServerTarget) -> Vec<Limit> {
        let request = self.request;
        if matches!(server, ServerTarget::Remote(_)) && request.server_profile.is_none() {
            // Its processes are out of sight. Limits of the file are kept for a profile
            // that `report` is given later; one that was asked for in so many words
            // must not be passed over.
            for text in &request.budgets {
                self.error(format!(
                    "--budget {text}: the memory of a remote server cannot be measured from here; \
                     `cargo xtask profile` on its machine can, and --server-profile takes what that \
                     writes"
                ));
            }
        }
        let mut budgets = BTreeMap::new();
        for (name, setting) in &self.config.budgets {
            if let Some(metric) = self.budgeted("[budgets]", name)
                && let Some(budget) = self.budget("[budgets]", metric, *setting)
            {
                budgets.insert(metric, budget);
            }
        }
        for text in &request.budgets {
            let Some((name, value)) = text.split_once('=') else {
                self.error(format!(
                    "--budget: `{text}` is not WHAT=LIMIT, such as `short-executor=300MiB` or \
                     `threads=500`"
                ));
                continue;
            };
            // Both may be wrong, and both are to be said.
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

    /// What a budget is to be set for.
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
                    "{place}: SkyPilot has no constant for `{metric}`, so it needs a {unit} instead \
                     of `auto`, such as `{example}`"
                ));
                return None;
            }
            BudgetSetting::Limit(amount) if amount.unit() == metric.unit() => Some(amount),
            BudgetSetting::Limit(amount) => {
                self.error(format!(
                    "{place}: `{metric}` is limited to a {unit}, such as `{example}`, and {amount} is \
                     a {}",
                    amount.unit().name()
                ));
                return None;
            }
        };
        Some(Limit { metric, at_most })
    }
}
