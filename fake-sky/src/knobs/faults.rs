//! A knob that befalls some requests and spares the others.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};

/// The requests that something befalls: of each name, every `k`th.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<(String, u64)>);

impl Faults {
    /// Whether the `count`th request called `name` (counted from 1) is one.
    pub fn hit(&self, name: &str, count: u64) -> bool {
        self.0.iter().any(|(faulty, every)| faulty == name && count.is_multiple_of(*every))
    }
}

impl FromStr for Faults {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let one = |item: &str| {
            let (name, every) = item.split_once(':').context("expected NAME:K, as sky.status:3")?;
            let every = every.parse().context("K must be a number")?;
            if every == 0 {
                bail!("K counts from 1");
            }
            Ok((name.to_owned(), every))
        };
        text.split(',').map(one).collect::<anyhow::Result<_>>().map(Self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.0.iter().map(|(name, every)| format!("{name}:{every}")).collect();
        f.write_str(&items.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_hit_every_kth_of_their_name() {
        let faults: Faults = "sky.status:3,sky.launch:1".parse().unwrap();
        let hits: Vec<_> = (1..=6).filter(|count| faults.hit("sky.status", *count)).collect();
        assert_eq!(hits, [3, 6]);
        assert!(faults.hit("sky.launch", 1));
        assert!(!faults.hit("sky.check", 3));
        assert_eq!(faults.to_string(), "sky.status:3,sky.launch:1");
    }
}
