//! Python modules that patch SkyPilot in memory.

/// Patches of the API server: its `sitecustomize`.
pub(crate) const SERVER_PATCHES: &str =
    concat!(include_str!("site/sitecustomize.py"), include_str!("site/after_import.py"));

/// Patches of SkyPilot on nodes: the module `skyload_node` of the node image.
pub(crate) const NODE_PATCHES: &str =
    concat!(include_str!("site/skyload_node.py"), include_str!("site/after_import.py"));

/// End of such a module: calls the function of its `_AFTER_IMPORT` for a module after the module's
/// import.
pub const AFTER_IMPORT: &str = include_str!("site/after_import.py");

/// Name of the file that Python imports at its start from a folder of PYTHONPATH.
pub const SERVER_PATCHES_FILE: &str = "sitecustomize.py";

/// Modifications of the API server by [`SERVER_PATCHES`] that concern every local infra.
pub(crate) const MODIFICATIONS: [&str; 3] = [
    "API server: no network check against public addresses",
    "API server: one consolidated jobs controller, instead of as many as fit into memory",
    "API server: load balancers of services listen on loopback instead of all interfaces",
];
