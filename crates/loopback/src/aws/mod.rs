//! Emulated AWS: AWS's API on loopback, with nodes in namespaces of this machine.
//!
//! * [`nodes`]: one node for each EC2 instance.

pub(crate) mod nodes;
