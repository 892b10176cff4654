//! Run of a reference: its amounts as text with their units, so that a change is one line of the
//! file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::attribution::of_run::RunAttribution;
use crate::comparison::conditions::Conditions;
use crate::comparison::measured_run::{MeasuredAmount, MeasuredRun};
use crate::ids::RunId;
use crate::metric::{Amount, ComparedMetric, Unit};
use crate::record::environment::PythonPackages;
use crate::scenario::ScenarioId;
use crate::units::{ByteSize, GrowthRate, QuantityError};

/// Sign before an amount that is a lower bound.
const LOWER_BOUND: &str = ">=";

/// Run of a reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RecordedRun {
    /// Run.
    pub run: RunId,
    /// Amounts of the metrics that were measured.
    amounts: RecordedAmounts,
    /// Executors' memory by requests; `None` without readings of executors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribution: Option<RunAttribution>,
    /// Errors of scenarios.
    errors: Vec<RecordedError>,
    /// Scenarios and thresholds that failed, and setup or teardown.
    failed: BTreeSet<String>,
    /// Number of processes that the kernel killed at the server's size.
    #[serde(default)]
    kills_at_size: u64,
}

/// Error of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RecordedError {
    /// Scenario with the error.
    scenario: ScenarioId,
    /// Type of the error: the server's, such as `ValueError`, or one of skyload's.
    error_type: String,
    /// First message.
    example: String,
}

/// Amounts by metric, such as `"threads": "133"`; after `>=` a lower bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<ComparedMetric, String>", into = "BTreeMap<ComparedMetric, String>")]
#[schemars(with = "BTreeMap<String, String>")]
struct RecordedAmounts(BTreeMap<ComparedMetric, MeasuredAmount>);

impl TryFrom<BTreeMap<ComparedMetric, String>> for RecordedAmounts {
    type Error = QuantityError;

    fn try_from(texts: BTreeMap<ComparedMetric, String>) -> Result<Self, QuantityError> {
        let parse = |(metric, text): (ComparedMetric, String)| {
            Ok((metric, MeasuredAmount::parse(&text, metric.kind().unit())?))
        };
        texts.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl From<RecordedAmounts> for BTreeMap<ComparedMetric, String> {
    fn from(RecordedAmounts(amounts): RecordedAmounts) -> Self {
        amounts.into_iter().map(|(metric, measured)| (metric, measured.to_string())).collect()
    }
}

impl fmt::Display for MeasuredAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_lower_bound { LOWER_BOUND } else { "" };
        write!(f, "{sign}{}", self.amount.typed())
    }
}

impl MeasuredAmount {
    fn parse(text: &str, unit: Unit) -> Result<Self, QuantityError> {
        let bound = text.strip_prefix(LOWER_BOUND);
        let text = bound.unwrap_or(text);
        // Budgets are positive, and their parser refuses others. A growth may be zero, and its rate
        // negative.
        let amount = match (unit, bytes_per_hour(text)) {
            (Unit::Size, _) if text == "0B" => Amount::Size(ByteSize(0)),
            (Unit::GrowthRate, Some(bytes)) => {
                Amount::GrowthRate(GrowthRate::bytes_per_hour(bytes))
            }
            _ => Amount::parse(text, unit)?,
        };
        Ok(Self { amount, is_lower_bound: bound.is_some() })
    }
}

/// Number of a growth rate as [`Amount::typed`] writes it; `None` of another text.
fn bytes_per_hour(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix("B/h")?.parse().ok()?;
    number.is_finite().then_some(number)
}

impl RecordedRun {
    pub(super) fn of(run: &MeasuredRun) -> Self {
        let errors = run.errors.iter().map(|((scenario, error_type), example)| RecordedError {
            scenario: *scenario,
            error_type: error_type.clone(),
            example: example.clone(),
        });
        Self {
            run: run.run.clone(),
            amounts: RecordedAmounts(run.amounts.clone()),
            attribution: run.attribution.clone(),
            errors: errors.collect(),
            failed: run.failed.clone(),
            kills_at_size: run.kills_at_size,
        }
    }

    /// Run as it is compared. Its conditions and packages are those of all runs of the reference.
    pub(super) fn measured(
        &self,
        conditions: &Conditions,
        packages: Option<&PythonPackages>,
    ) -> MeasuredRun {
        let errors = self.errors.iter().map(|RecordedError { scenario, error_type, example }| {
            ((*scenario, error_type.clone()), example.clone())
        });
        MeasuredRun {
            run: self.run.clone(),
            unusable: None,
            conditions: conditions.clone(),
            packages: packages.cloned(),
            amounts: self.amounts.0.clone(),
            attribution: self.attribution.clone(),
            errors: errors.collect(),
            failed: self.failed.clone(),
            kills_at_size: self.kills_at_size,
        }
    }

    /// Amount of a metric; `None` if it was not measured.
    pub(super) fn amount(&self, metric: ComparedMetric) -> Option<Amount> {
        self.amounts.0.get(&metric).map(|measured| measured.amount)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::class::ProcessClass;
    use crate::metric::{ClassMetric, Kind, Metric, ScenarioMetric, ServerMetric};

    #[test]
    fn every_amount_survives_a_round_trip_through_its_text() {
        let of_server = |metric: ServerMetric| ComparedMetric::Server(Metric::from(metric));
        let latency = ComparedMetric::Latency(ScenarioId::ApiStatus, ScenarioMetric::P50);
        let of_class = |metric| ComparedMetric::Server(Metric::Class(ProcessClass::Server, metric));
        let rate = |bytes| Amount::GrowthRate(GrowthRate::bytes_per_hour(bytes));
        let precise = Amount::Duration(Duration::new(61, 266_123_457));
        let amounts = [
            (of_server(ServerMetric::TreePss), Amount::Size(ByteSize(178_257_921)), true),
            (of_server(ServerMetric::Threads), Amount::Count(133), false),
            (of_server(ServerMetric::Zombies), Amount::Count(0), false),
            (of_server(ServerMetric::CpuPerIteration), precise, false),
            (of_server(ServerMetric::Growth), Amount::Size(ByteSize(0)), false),
            (of_server(ServerMetric::GrowthRate), rate(-1234.0), false),
            (of_class(ClassMetric::GrowthRate), rate(0.0), false),
            (latency, Amount::Duration(Duration::ZERO), false),
        ];
        let amounts = amounts.map(|(metric, amount, is_lower_bound)| {
            (metric, MeasuredAmount { amount, is_lower_bound })
        });
        let amounts = RecordedAmounts(amounts.into());
        let text = serde_json::to_string(&amounts).unwrap();
        assert!(text.contains(r#""tree-pss":">=178257921B""#), "{text}");
        assert_eq!(serde_json::from_str::<RecordedAmounts>(&text).unwrap(), amounts);
    }

    #[test]
    fn an_amount_in_another_unit_than_its_metrics_is_an_error() {
        assert_eq!(Kind::Count.unit(), Unit::Count);
        for text in [r#"{"threads":"5s"}"#, r#"{"threads":5}"#, r#"{"unknown":"5"}"#] {
            assert!(serde_json::from_str::<RecordedAmounts>(text).is_err(), "{text}");
        }
    }
}
