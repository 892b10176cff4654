//! Emulated AWS: AWS's API on loopback, answered by moto, for SkyPilot's own AWS code, with nodes in
//! namespaces of this machine.
//!
//! * [`moto`]: server of the API, in a Python environment of its own.
//! * [`account`]: parts of an AWS account that moto's account lacks.
//! * [`catalog`]: SkyPilot's catalogs, downloaded, given or generated.
//! * [`nodes`]: one node for each EC2 instance.
//! * [`setup`]: settings of an API server that launches on emulated AWS.

pub(crate) mod account;
pub(crate) mod catalog;
pub(crate) mod moto;
pub(crate) mod nodes;
pub(crate) mod setup;
