//! Selection of the requests into which a fault is injected.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};

/// Requests into which a fault is injected: per name, every `k`th one or only the `k`th.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    name: String,
    k: u64,
    once: bool,
}

impl Faults {
    /// Whether the fault is injected into the `count`th request of this name (from 1).
    pub fn hit(&self, name: &str, count: u64) -> bool {
        let mut matching = self.0.iter().filter(|fault| fault.name == name);
        matching.any(|Fault { k, once, .. }| match once {
            true => count == *k,
            false => count.is_multiple_of(*k),
        })
    }
}

impl FromStr for Faults {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parse = |item: &str| {
            let (name, k) = item
                .split_once(':')
                .with_context(|| format!("expected NAME:K (sky.status:3), got `{item}`"))?;
            let once = k.ends_with('!');
            let k = k
                .trim_end_matches('!')
                .parse()
                .with_context(|| format!("expected a number after `{name}:`, got `{k}`"))?;
            if k == 0 {
                bail!("expected at least 1 after `{name}:`, got 0");
            }
            Ok(Fault { name: name.to_owned(), k, once })
        };
        text.split(',').map(parse).collect::<anyhow::Result<_>>().map(Self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            |Fault { name, k, once }: &Fault| format!("{name}:{k}{}", if *once { "!" } else { "" });
        let items: Vec<_> = self.0.iter().map(text).collect();
        f.write_str(&items.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_hit_every_kth_request_of_their_name() {
        let faults: Faults = "sky.status:3,sky.launch:1".parse().unwrap();
        let hits: Vec<_> = (1..=6).filter(|count| faults.hit("sky.status", *count)).collect();
        assert_eq!(hits, [3, 6]);
        assert!(faults.hit("sky.launch", 1));
        assert!(!faults.hit("sky.check", 3));
        assert_eq!(faults.to_string(), "sky.status:3,sky.launch:1");
    }

    #[test]
    fn a_fault_with_an_exclamation_mark_hits_once() {
        let faults: Faults = "/status:2!".parse().unwrap();
        let hits: Vec<_> = (1..=6).filter(|count| faults.hit("/status", *count)).collect();
        assert_eq!((hits, faults.to_string().as_str()), (vec![2], "/status:2!"));
    }
}
