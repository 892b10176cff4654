//! Memory limits, of the file and of flags.

use std::collections::BTreeMap;

use super::Mistakes;
use crate::class::ProcessClass;
use crate::config::{BudgetSetting, Config, budget_subjects, suggest};
use crate::plan::{Budget, BudgetSubject, LoadRequest, ServerTarget};
use crate::units::ByteSize;

impl Mistakes {
    pub(super) fn budgets(
        &mut self,
        request: &LoadRequest,
        config: &Config,
        server: &ServerTarget,
    ) -> Vec<Budget> {
        if let ServerTarget::Remote(_) = server {
            // Its processes are out of sight, so no limit on them can be checked;
            // one that was asked for in so many words must not be passed over.
            for text in &request.budgets {
                self.push(format!(
                    "--budget {text}: the memory of a remote server cannot be measured from here"
                ));
            }
            return Vec::new();
        }
        let mut budgets = BTreeMap::new();
        for (name, setting) in &config.budgets {
            match self.budget("[budgets]", name, *setting) {
                Some(budget) => _ = budgets.insert(budget.subject, budget),
                None => continue,
            }
        }
        for text in &request.budgets {
            let Some((name, value)) = text.split_once('=') else {
                self.push(format!("--budget: `{text}` is not CLASS=SIZE"));
                continue;
            };
            let setting = match value.parse() {
                Ok(setting) => setting,
                Err(error) => {
                    self.push(format!("--budget {name}: {error}"));
                    // The subject may be wrong as well, and both are to be said.
                    BudgetSetting::Size(ByteSize::gib(1))
                }
            };
            if let Some(budget) = self.budget("--budget", name, setting) {
                budgets.insert(budget.subject, budget);
            }
        }
        budgets.into_values().collect()
    }

    fn budget(&mut self, place: &str, name: &str, setting: BudgetSetting) -> Option<Budget> {
        let Ok(subject) = name.parse::<BudgetSubject>() else {
            let known = budget_subjects();
            self.push(format!(
                "{place}: no budget is called `{name}`; {}",
                suggest(name, known.iter().copied())
            ));
            return None;
        };
        let limit = match setting {
            BudgetSetting::Size(size) => Some(size),
            BudgetSetting::Auto => {
                let has_constant = matches!(
                    subject,
                    BudgetSubject::Class(
                        ProcessClass::ShortExecutor
                            | ProcessClass::LongExecutor
                            | ProcessClass::Server
                            | ProcessClass::ServerWorker
                    )
                );
                if !has_constant {
                    self.push(format!(
                        "{place}: SkyPilot has no constant for `{name}`, so it needs a size instead \
                         of `auto`"
                    ));
                    return None;
                }
                None
            }
        };
        Some(Budget { subject, limit })
    }
}
