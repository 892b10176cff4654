//! Values of `[thresholds."SCENARIO"]` and `[thresholds.server]`: a table (`p95 = "5s"`), or a list
//! (`{ when = "p95 < 5s", abort = true, after = "30s" }`).

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use crate::metric::{Abort, Condition, Threshold, ThresholdError, ThresholdOwner};
use crate::units;

/// Thresholds of one scenario or of the server, whose name is not among its settings.
#[derive(Clone, Debug, Default)]
pub struct OwnedThresholds(Vec<Setting>);

/// One threshold. A mistake in it is kept, so that the mistakes of a file are reported together.
#[derive(Clone, Debug)]
struct Setting {
    /// Byte offset in the file.
    offset: usize,
    condition: Result<Condition, ThresholdError>,
    abort: Result<Option<Abort>, &'static str>,
}

/// Element of a list.
#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Element {
    /// Condition: `p95 < 5s`.
    when: Spanned<String>,
    /// Whether a breach ends the load.
    #[serde(default)]
    abort: bool,
    /// Time since the start of the limited iterations before which a breach does not end the load.
    #[serde(default, with = "units::duration::option")]
    after: Option<Duration>,
}

impl Element {
    fn abort(&self) -> Result<Option<Abort>, &'static str> {
        const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
        match (self.abort, self.after) {
            (_, Some(after)) if after > LONGEST => Err("after: must be at most 30days"),
            (true, after) => Ok(Some(Abort { after: after.unwrap_or_default() })),
            (false, None) => Ok(None),
            (false, Some(_)) => Err("after: only with `abort = true`; add it, or remove `after`"),
        }
    }
}

impl OwnedThresholds {
    /// Thresholds of `owner` without mistakes.
    pub fn of(&self, owner: ThresholdOwner) -> impl Iterator<Item = Threshold> {
        self.0.iter().filter_map(move |setting| setting.threshold(owner).ok())
    }

    /// Mistakes, with their byte offsets in the file. `owner` is `None` for an unknown scenario,
    /// whose steps are unknown, too.
    pub(super) fn mistakes(
        &self,
        owner: Option<ThresholdOwner>,
    ) -> impl Iterator<Item = (usize, String)> {
        self.0.iter().filter_map(move |setting| {
            let mistake = match owner {
                Some(owner) => setting.threshold(owner).err(),
                None => setting.condition.as_ref().err().map(ToString::to_string),
            };
            Some((setting.offset, mistake?))
        })
    }
}

impl Setting {
    fn threshold(&self, owner: ThresholdOwner) -> Result<Threshold, String> {
        let condition = self.condition.clone().map_err(|error| error.to_string())?;
        let abort = self.abort.map_err(str::to_owned)?;
        condition.of(owner, abort).map_err(|error| error.to_string())
    }
}

impl<'de> Deserialize<'de> for OwnedThresholds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableOrList;

        impl<'de> Visitor<'de> for TableOrList {
            type Value = OwnedThresholds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a table such as `{ p95 = \"5s\" }`, or a list of `{ when = \"p95 < 5s\" }`",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
                let mut settings = Vec::new();
                while let Some((key, value)) = table.next_entry::<String, Spanned<Limit>>()? {
                    settings.push(Setting {
                        offset: value.span().start,
                        condition: Condition::of_key(&key, &value.get_ref().0),
                        abort: Ok(None),
                    });
                }
                Ok(OwnedThresholds(settings))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut settings = Vec::new();
                while let Some(element) = list.next_element::<Element>()? {
                    settings.push(Setting {
                        offset: element.when.span().start,
                        condition: element.when.get_ref().parse(),
                        abort: element.abort(),
                    });
                }
                Ok(OwnedThresholds(settings))
            }
        }

        deserializer.deserialize_any(TableOrList)
    }
}

/// Limit in a table: a text, or a number for a count.
struct Limit(String);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;

        impl Visitor<'_> for TextOrNumber {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a limit such as `\"5s\"`, `\"1%\"` or `\"2/s\"`, or a count such as `10`",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Limit, E> {
                Ok(Limit(text.to_owned()))
            }

            // TOML has signed integers only. The unit of the metric tells whether one is valid.
            fn visit_i64<E: Error>(self, number: i64) -> Result<Limit, E> {
                Ok(Limit(number.to_string()))
            }
        }

        deserializer.deserialize_any(TextOrNumber)
    }
}
