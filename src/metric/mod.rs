//! Metrics of a run: one table of subjects, statistics and units; budgets and thresholds on them,
//! and tolerances for comparisons.
//!
//! [`table`] has a row for each statistic. Limits, tables, key figures, test cases, and names in
//! flags and files are derived from its rows. The measurements are in [`crate::analysis`], one
//! function for each kind of subject.

mod amount;
mod compared;
mod decider;
mod limit;
mod name;
mod table;
mod threshold;
mod threshold_text;
mod tolerance;

pub use amount::{Amount, Unit};
pub use compared::{ComparedMetric, Kind, UnknownComparedMetric};
pub use decider::{Decider, UnknownDecider};
pub use limit::Limit;
pub use name::{UnknownMetric, budgets_for_help};
pub use table::{ClassMetric, Limits, Needs, Place, Row, ScenarioMetric, ServerMetric, Worse};
pub use threshold::{
    Abort, Comparison, Part, Queue, ServerFigure, Subject, Threshold, ThresholdMetric,
};
pub use threshold_text::{Condition, ThresholdError, ThresholdOwner};
pub use tolerance::Tolerance;

use crate::class::ProcessClass;

/// Metric of the server: a statistic of a subject. (Metrics of scenarios are
/// [`ThresholdMetric`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Statistic of the processes of one class.
    Class(ProcessClass, ClassMetric),
    /// Statistic of the server as a whole.
    Server(ServerMetric),
}

impl Metric {
    /// Peak of the largest process of a class.
    pub const fn max_peak(class: ProcessClass) -> Self {
        Self::Class(class, ClassMetric::MaxPeak)
    }

    /// Metrics in the order of reports.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        let classes = ProcessClass::ALL.into_iter().flat_map(|class| {
            ClassMetric::ALL.iter().map(move |statistic| Self::Class(class, *statistic))
        });
        classes.chain(ServerMetric::ALL.iter().copied().map(Self::Server))
    }

    /// Metrics that a budget can be set for.
    pub fn budgets() -> impl Iterator<Item = Self> + Clone {
        Self::all().filter(|metric| metric.row().limits == Limits::Budget)
    }

    /// Row of the metric's statistic in the table.
    pub const fn row(self) -> &'static Row {
        match self {
            Self::Class(_, statistic) => statistic.row(),
            Self::Server(statistic) => statistic.row(),
        }
    }

    /// Unit of the metric's amounts.
    pub const fn unit(self) -> Unit {
        self.row().unit
    }

    /// Whether SkyPilot has a constant for the metric, the value of an `auto` budget.
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
