//! Flags of `bench`.

use clap::{Args, Subcommand, value_parser};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Measure the overhead and accuracy of the profiler, and its effect on a server.
    Profiler(BenchProfiler),
    /// Measure CPU, memory and lateness of the load generator, against other clients.
    Client(BenchClient),
}

#[derive(Args)]
pub(crate) struct BenchProfiler {
    /// Numbers of worker processes at which the overhead is measured [default: 30,100,300].
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = value_parser!(u32).range(1..=5000)
    )]
    pub(crate) workers: Vec<u32>,

    /// Number of rounds, each of which measures everything once [default: 3].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) rounds: Option<u32>,

    /// Small counts, to check that the benchmark works; the figures are not meaningful.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Skip the effect on a real server.
    #[arg(long)]
    pub(crate) without_server: bool,

    /// Measure only the profiler with and without attribution of memory to requests.
    #[arg(long, conflicts_with_all = ["workers", "without_server", "sky"])]
    pub(crate) attribution: bool,

    /// SkyPilot of the server, as for `load` [default: 0.14.1].
    #[arg(
        long,
        value_name = "VERSION|nightly|PATH|git:REPO@REF",
        conflicts_with = "without_server"
    )]
    pub(crate) sky: Option<String>,
}

#[derive(Args)]
pub(crate) struct BenchClient {
    /// Number of rounds, each of which measures everything but memory once [default: 4].
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) rounds: Option<u32>,

    /// Small counts, to check that the benchmark works; the figures are not meaningful.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Skip SkyPilot's SDK, which needs a real server.
    #[arg(long)]
    pub(crate) without_server: bool,

    /// SkyPilot of the server and of the SDK, as for `load` [default: 0.14.1].
    #[arg(
        long,
        value_name = "VERSION|nightly|PATH|git:REPO@REF",
        conflicts_with = "without_server"
    )]
    pub(crate) sky: Option<String>,
}
