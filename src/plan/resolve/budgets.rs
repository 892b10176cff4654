//! Limits on the server's memory and processes, of the file and of flags.

use std::collections::BTreeMap;

use super::Resolver;
use crate::budget::{Budget, BudgetSubject};
use crate::class::ProcessClass;
use crate::config::{BudgetSetting, budget_subjects, suggest};
use crate::plan::ServerTarget;

impl Resolver<'_> {
    pub(super) fn budgets(&mut self, server: &ServerTarget) -> Vec<Budget> {
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
            if let Some(subject) = self.subject("[budgets]", name)
                && let Some(budget) = self.budget("[budgets]", subject, *setting)
            {
                budgets.insert(subject, budget);
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
            let subject = self.subject("--budget", name);
            let setting = value.parse().map_err(|error| {
                self.error(format!("--budget {name}: {error}"));
            });
            if let (Some(subject), Ok(setting)) = (subject, setting)
                && let Some(budget) = self.budget("--budget", subject, setting)
            {
                budgets.insert(subject, budget);
            }
        }
        budgets.into_values().collect()
    }

    fn subject(&mut self, place: &str, name: &str) -> Option<BudgetSubject> {
        let subject = name.parse().ok();
        if subject.is_none() {
            let known = budget_subjects();
            self.error(format!(
                "{place}: no budget is called `{name}`; {}",
                suggest(name, known.iter().copied())
            ));
        }
        subject
    }

    fn budget(
        &mut self,
        place: &str,
        subject: BudgetSubject,
        setting: BudgetSetting,
    ) -> Option<Budget> {
        let (unit, example) = (subject.unit().name(), subject.unit().example());
        let limit = match setting {
            BudgetSetting::Auto if has_constant(subject) => None,
            BudgetSetting::Auto => {
                self.error(format!(
                    "{place}: SkyPilot has no constant for `{subject}`, so it needs a {unit} instead \
                     of `auto`, such as `{example}`"
                ));
                return None;
            }
            BudgetSetting::Limit(amount) if amount.unit() == subject.unit() => Some(amount),
            BudgetSetting::Limit(amount) => {
                self.error(format!(
                    "{place}: `{subject}` is limited to a {unit}, such as `{example}`, and {amount} is \
                     a {}",
                    amount.unit().name()
                ));
                return None;
            }
        };
        Some(Budget { subject, limit })
    }
}

const fn has_constant(subject: BudgetSubject) -> bool {
    matches!(
        subject,
        BudgetSubject::Class(
            ProcessClass::ShortExecutor
                | ProcessClass::LongExecutor
                | ProcessClass::Server
                | ProcessClass::ServerWorker
        )
    )
}
