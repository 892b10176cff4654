//! Python modules that patch SkyPilot in memory.

/// Patches of the API server: its `sitecustomize`.
pub(crate) const SERVER_PATCHES: &str =
    concat!(include_str!("site/sitecustomize.py"), include_str!("site/after_import.py"));

/// Patches of SkyPilot on nodes: the module `skyload_node` of the node image.
pub(crate) const NODE_PATCHES: &str =
    concat!(include_str!("site/skyload_node.py"), include_str!("site/after_import.py"));
