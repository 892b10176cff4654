//! What changes SkyPilot in memory, as Python modules.

/// What changes an API server: its `sitecustomize`.
pub(crate) const SERVER_SITE: &str =
    concat!(include_str!("site/sitecustomize.py"), include_str!("site/after_import.py"));

/// What changes SkyPilot on nodes.
pub(crate) const NODE_SITE: &str =
    concat!(include_str!("site/skyload_node.py"), include_str!("site/after_import.py"));
