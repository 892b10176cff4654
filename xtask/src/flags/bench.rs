//! The flags of `bench`.

use clap::{Args, Subcommand, value_parser};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What profiling costs, what it catches, and what the server feels of it.
    Profiler(BenchProfiler),
}

#[derive(Args)]
pub(crate) struct BenchProfiler {
    /// Numbers of worker processes to measure the cost at [default: 30,100,300].
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = value_parser!(u32).range(1..=5000)
    )]
    pub(crate) workers: Vec<u32>,

    /// How often everything is measured [default: 3].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) rounds: Option<u32>,

    /// Small numbers, to see that it works: they prove nothing.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Leave out the effect on a real server.
    #[arg(long)]
    pub(crate) without_server: bool,

    /// SkyPilot of that server: a version from PyPI, the newest nightly, or a sky
    /// program [default: 0.14.1].
    #[arg(long, value_name = "VERSION|nightly|PATH", conflicts_with = "without_server")]
    pub(crate) sky: Option<String>,
}
