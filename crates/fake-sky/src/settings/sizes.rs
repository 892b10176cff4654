//! Memory by the name of a request.

use std::str::FromStr;

use anyhow::Context;

/// Memory of requests, in MiB by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes(Vec<(String, usize)>);

impl Sizes {
    /// Memory of a request with this name.
    pub fn of(&self, name: &str) -> usize {
        self.0.iter().find(|(of, _)| of == name).map_or(0, |(_, mib)| *mib)
    }
}

impl FromStr for Sizes {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parse = |item: &str| {
            let (name, mib) = item
                .split_once(':')
                .with_context(|| format!("expected NAME:MIB (sky.status:60), got `{item}`"))?;
            let mib = mib.parse().with_context(|| format!("expected MIB after `{name}:`"))?;
            Ok((name.to_owned(), mib))
        };
        text.split(',').map(parse).collect::<anyhow::Result<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_memory_of_its_name() {
        let sizes: Sizes = "sky.status:60,sky.check:5".parse().unwrap();
        assert_eq!(
            ["sky.status", "sky.check", "sky.launch"].map(|name| sizes.of(name)),
            [60, 5, 0]
        );
        assert!("sky.status".parse::<Sizes>().is_err() && "sky.status:x".parse::<Sizes>().is_err());
    }
}
