//! What can be measured: one table of subjects, statistics and units.
//!
//! [`table`] has a row for each statistic. Limits, tables, key figures, test cases and the
//! names of flags and files go over its rows; how a figure is measured stands in
//! [`crate::analysis`], one function for each kind of subject.

mod amount;
mod limit;
mod name;
mod table;

pub use amount::{Amount, Unit};
pub use limit::Limit;
pub use name::{UnknownMetric, budgets_in_words};
pub use table::{ClassMetric, Limits, Needs, Place, Row, ScenarioMetric, ServerMetric, Worse};

use crate::class::ProcessClass;
use crate::scenario::ScenarioId;

/// A figure of a run: a statistic of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Statistic of the processes of one class.
    Class(ProcessClass, ClassMetric),
    /// Statistic of the server as a whole.
    Server(ServerMetric),
    /// Statistic of the iterations of one scenario.
    Scenario(ScenarioId, ScenarioMetric),
}

impl Metric {
    /// Peak of the largest process of a class.
    pub const fn max_peak(class: ProcessClass) -> Self {
        Self::Class(class, ClassMetric::MaxPeak)
    }

    /// Everything that can be measured, in the order of reports.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        let classes = ProcessClass::ALL.into_iter().flat_map(|class| {
            ClassMetric::ALL.iter().map(move |statistic| Self::Class(class, *statistic))
        });
        let scenarios = ScenarioId::ALL.into_iter().flat_map(|id| {
            ScenarioMetric::ALL.iter().map(move |statistic| Self::Scenario(id, *statistic))
        });
        classes.chain(ServerMetric::ALL.iter().copied().map(Self::Server)).chain(scenarios)
    }

    /// Everything that a budget can be set for.
    pub fn budgets() -> impl Iterator<Item = Self> + Clone {
        Self::all().filter(|metric| metric.row().limits == Limits::Budget)
    }

    /// Row of the table that its statistic has.
    pub const fn row(self) -> &'static Row {
        match self {
            Self::Class(_, statistic) => statistic.row(),
            Self::Server(statistic) => statistic.row(),
            Self::Scenario(_, statistic) => statistic.row(),
        }
    }

    /// Unit of its amounts.
    pub const fn unit(self) -> Unit {
        self.row().unit
    }

    /// Whether SkyPilot has a constant for it, which a budget of `auto` stands for.
    pub const fn has_constant(self) -> bool {
        matches!(
            self,
            Self::Class(
                ProcessClass::ShortExecutor
                    | ProcessClass::LongExecutor
                    | ProcessClass::Server
                    | ProcessClass::ServerWorker,
                ClassMetric::MaxPeak
            )
        )
    }
}

impl From<ServerMetric> for Metric {
    fn from(statistic: ServerMetric) -> Self {
        Self::Server(statistic)
    }
}

#[cfg(test)]
mod tests;
