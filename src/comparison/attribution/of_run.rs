//! Executors' memory by requests in one run: kinds of requests only, since a reference is
//! committed, and names of clusters and users do not belong there.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::{Attribution, Cause, ExecutorClass, RequestCost, RequestKind};
use crate::class::ProcessClass;
use crate::metric::{Amount, Kind};
use crate::units::{self, ByteSize};

/// Executors' memory by requests in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::comparison) struct RunAttribution {
    /// Largest peak of each class of executors.
    pub(super) peaks: Vec<AttributedPeak>,
    /// Cost of each kind of request that was seen in an executor.
    pub(super) costs: Vec<KindCost>,
}

/// Largest peak of a class of executors, with its cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AttributedPeak {
    /// Process class.
    pub(super) class: ProcessClass,
    /// Peak.
    pub(super) peak: ByteSize,
    /// Cause of the peak.
    pub(super) cause: PeakCause,
    /// Growth of the peak by its cause; `None` if it is unknown.
    pub(super) growth: Option<ByteSize>,
    /// Largest peak with another cause; `None` if the cause is no single kind of request, or if
    /// all executors peaked by requests of that kind.
    pub(super) without: Option<ByteSize>,
}

/// Cause of an executor's peak, without what is particular to one run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PeakCause {
    /// Requests of one kind.
    Requests(RequestKind),
    /// One of several kinds of requests.
    SeveralKinds,
    /// Import of SkyPilot, before the first request.
    Import,
    /// Work of the executor itself.
    NoRequest,
    /// Unknown cause.
    Unknown,
}

/// Cost of the requests of one kind in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KindCost {
    /// Kind of request.
    pub(super) kind: RequestKind,
    /// Median growth of an executor's high-water mark by one request.
    growth_p50: Option<ByteSize>,
    /// Largest growth of an executor's high-water mark by one request.
    growth_max: Option<ByteSize>,
    /// Largest sum of what stayed in one executor.
    stayed: Option<ByteSize>,
    /// Mean CPU time of one request, in seconds.
    #[serde(with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    cpu_each: Option<Duration>,
}

/// Figure of the cost of a kind of request.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CostFigure {
    /// Median growth of an executor's high-water mark by one request.
    GrowthP50,
    /// Largest growth of an executor's high-water mark by one request.
    GrowthMax,
    /// Memory that stayed in one executor, at most.
    Stayed,
    /// Mean CPU time of one request.
    CpuEach,
}

impl CostFigure {
    /// Figures in the order of tables.
    pub const ALL: [Self; 4] = [Self::GrowthP50, Self::GrowthMax, Self::Stayed, Self::CpuEach];

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GrowthP50 => "growth p50",
            Self::GrowthMax => "growth max",
            Self::Stayed => "stayed",
            Self::CpuEach => "CPU each",
        }
    }

    /// Kind of metrics whose tolerance and conditions the figure has.
    pub const fn kind(self) -> Kind {
        match self {
            Self::GrowthP50 | Self::GrowthMax | Self::Stayed => Kind::Memory,
            Self::CpuEach => Kind::Cpu,
        }
    }
}

impl RunAttribution {
    pub(in crate::comparison) fn of(attribution: &Attribution) -> Self {
        Self {
            peaks: attribution.classes.iter().map(AttributedPeak::of).collect(),
            costs: attribution.costs.iter().map(KindCost::of).collect(),
        }
    }

    /// Cost of a kind of request; `None` if the run has not seen any.
    pub(super) fn cost(&self, kind: &RequestKind) -> Option<&KindCost> {
        self.costs.iter().find(|cost| cost.kind == *kind)
    }
}

impl AttributedPeak {
    fn of(executors: &ExecutorClass) -> Self {
        Self {
            class: executors.class,
            peak: executors.peak,
            cause: PeakCause::of(&executors.cause),
            growth: executors.cause.growth().map(|growth| growth.by),
            without: executors.without.as_ref().map(|without| without.peak),
        }
    }
}

impl PeakCause {
    fn of(cause: &Cause) -> Self {
        match (cause.kind(), cause) {
            (Some(kind), _) => Self::Requests(kind.clone()),
            (None, Cause::Request { .. } | Cause::OneOf { .. }) => Self::SeveralKinds,
            (None, Cause::Import) => Self::Import,
            (None, Cause::NoRequest) => Self::NoRequest,
            (None, Cause::Unknown(_)) => Self::Unknown,
        }
    }
}

impl fmt::Display for PeakCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requests(kind) => kind.fmt(f),
            Self::SeveralKinds => f.pad("one of several kinds of requests"),
            Self::Import => f.pad("import of SkyPilot"),
            Self::NoRequest => f.pad("no request ran"),
            Self::Unknown => f.pad("cause unknown"),
        }
    }
}

impl KindCost {
    fn of(cost: &RequestCost) -> Self {
        Self {
            kind: cost.kind.clone(),
            growth_p50: cost.growth_p50,
            growth_max: cost.growth_max,
            stayed: cost.stayed_max,
            cpu_each: cost.cpu_each(),
        }
    }

    /// Amount of a figure; `None` if it was not measured.
    pub(super) fn amount(&self, figure: CostFigure) -> Option<Amount> {
        match figure {
            CostFigure::GrowthP50 => self.growth_p50.map(Amount::Size),
            CostFigure::GrowthMax => self.growth_max.map(Amount::Size),
            CostFigure::Stayed => self.stayed.map(Amount::Size),
            CostFigure::CpuEach => self.cpu_each.map(Amount::Duration),
        }
    }
}
