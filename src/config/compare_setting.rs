//! Settings of comparisons: `[compare]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::metric::{Decider, Kind, Tolerance};

/// Settings of comparisons: `[compare]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct CompareSettings {
    /// Metrics that decide the verdict, by default peaks, PSS, CPU per iteration, threads and
    /// errors.
    #[serde(deserialize_with = "deciders")]
    pub decide: Option<Vec<Decider>>,
    /// Metrics among those that do not make a comparison undecided where the runs are too noisy
    /// to tell, by default CPU per iteration.
    #[serde(deserialize_with = "measured")]
    pub unless_noisy: Option<Vec<Decider>>,
    /// Tolerances of kinds of metrics.
    pub tolerances: ToleranceSettings,
}

/// Tolerances of kinds of metrics: `[compare.tolerances]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ToleranceSettings {
    /// Tolerance of peaks and sums of memory.
    #[serde(deserialize_with = "memory")]
    pub memory: Option<Tolerance>,
    /// Tolerance of growth.
    #[serde(deserialize_with = "growth")]
    pub growth: Option<Tolerance>,
    /// Tolerance of growth per hour.
    #[serde(deserialize_with = "growth_rate")]
    pub growth_rate: Option<Tolerance>,
    /// Tolerance of CPU time.
    #[serde(deserialize_with = "cpu")]
    pub cpu: Option<Tolerance>,
    /// Tolerance of latencies.
    #[serde(deserialize_with = "latency")]
    pub latency: Option<Tolerance>,
    /// Tolerance of counts.
    #[serde(deserialize_with = "count")]
    pub count: Option<Tolerance>,
}

impl ToleranceSettings {
    /// Tolerances that are set, each with its kind.
    pub fn by_kind(&self) -> impl Iterator<Item = (Kind, Tolerance)> + use<> {
        let all = [
            (Kind::Memory, self.memory),
            (Kind::Growth, self.growth),
            (Kind::GrowthRate, self.growth_rate),
            (Kind::Cpu, self.cpu),
            (Kind::Latency, self.latency),
            (Kind::Count, self.count),
        ];
        all.into_iter().filter_map(|(kind, tolerance)| Some((kind, tolerance?)))
    }
}

fn deciders<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Decider>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let deciders = names.iter().map(|name| name.parse().map_err(D::Error::custom));
    deciders.collect::<Result<_, _>>().map(Some)
}

/// Reads metrics and groups of them, without errors, which have no noise.
fn measured<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Decider>>, D::Error> {
    let read = deciders(deserializer)?;
    if read.iter().flatten().any(|decider| *decider == Decider::Errors) {
        return Err(D::Error::custom("`errors` are counted and never too noisy; leave them out"));
    }
    Ok(read)
}

/// Declares a reader of the tolerance of each kind, in the kind's unit.
macro_rules! tolerances {
    ($($name:ident: $kind:ident),*) => {
        $(fn $name<'de, D: Deserializer<'de>>(of: D) -> Result<Option<Tolerance>, D::Error> {
            let text = String::deserialize(of)?;
            Tolerance::parse(&text, Kind::$kind.unit()).map(Some).map_err(D::Error::custom)
        })*
    };
}

tolerances! {
    memory: Memory, growth: Growth, growth_rate: GrowthRate, cpu: Cpu, latency: Latency, count: Count
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::config::{CompareSettings, Config};
    use crate::metric::Decider;

    fn settings(text: &str) -> CompareSettings {
        Config::parse(text, "f").unwrap().compare
    }

    #[test]
    fn without_settings_nothing_is_set() {
        let read = settings("");
        assert!(read.decide.is_none() && read.tolerances.by_kind().next().is_none());
    }

    #[test]
    fn deciding_metrics_and_tolerances_are_read() {
        let read = settings(
            "[compare]\ndecide = [\"long-executor\", \"api:status p95\", \"errors\"]\n\
             unless-noisy = [\"latencies\"]\n\
             [compare.tolerances]\nmemory = \"2% or 4 MiB\"\ncount = \"3\"\nlatency = \"20%\"\n",
        );
        let decide = read.decide.iter().flatten().map(ToString::to_string);
        assert_eq!(decide.collect::<Vec<_>>(), ["long-executor", "api:status p95", "errors"]);
        assert_eq!(read.unless_noisy.as_deref(), Some(&[Decider::Latencies][..]));
        let tolerances = read.tolerances.by_kind();
        let tolerances: Vec<String> =
            tolerances.map(|(kind, tolerance)| format!("{}: {tolerance}", kind.name())).collect();
        assert_eq!(tolerances, ["memory: 2% or 4.0 MiB", "latency: 20%", "count: 3"]);
    }

    #[rstest]
    #[case::metric("decide = [\"peeks\"]", "did you mean `peaks`")]
    #[case::errors("unless-noisy = [\"errors\"]", "never too noisy")]
    #[case::key("tolerance = \"5%\"", "unknown key `compare.tolerance`")]
    #[case::unit("tolerances = { memory = \"5s\" }", "expected a size")]
    #[case::kind("tolerances = { memry = \"5%\" }", "did you mean `memory`")]
    fn a_mistake_is_named_with_its_line(#[case] line: &str, #[case] message: &str) {
        let error = Config::parse(&format!("[compare]\n{line}\n"), "f").unwrap_err().to_string();
        assert!(error.starts_with("f:2: ") && error.contains(message), "{error}");
    }
}
