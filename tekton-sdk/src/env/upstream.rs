//! Names that belong to upstream's Python components.

use super::{CONFIG_FILE, SETTINGS, UPDATE_SNAPSHOTS, ports};

/// Upstream's variables that this crate knows and does not read as settings: they are not warned about.
pub const UPSTREAM: &[&str] = &[
    "TEKTON_ROOT",
    "TEKTON_MAIN_ROOT",
    "TEKTON_DATA_DIR",
    "TEKTON_LOG_DIR",
    "TEKTON_LOG_LEVEL",
    "TEKTON_DEBUG",
    "TEKTON_REGISTRY_NAME",
    "TEKTON_PORT_BASE",
    "TEKTON_AI_PORT_BASE",
    "TEKTON_MCP_ENABLED",
    "TEKTON_HERMES_DISCOVERY",
    "TEKTON_A2A_ENABLE_SECURITY",
    "TEKTON_AUTH_SECRET",
    "TEKTON_SOCKET_CONNECTION_TIMEOUT",
    "TEKTON_SOCKET_RESPONSE_TIMEOUT",
    "TEKTON_AI_CHAT_TIMEOUT",
    "TEKTON_TEAM_CHAT_TIMEOUT",
    "TEKTON_MCP_EXECUTION_TIMEOUT",
    "HERMES_REGISTRATION_TIMEOUT",
];

/// Beginnings of the names among which a misspelt one is looked for.
const PREFIXES: [&str; 3] = ["TEKTON_", "INTEGRATION_", "HERMES_"];

/// Whether the name claims to be one of ours or of upstream's.
pub(super) fn claims_to_be_ours(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether this crate may read the variable, or has something to say about it.
pub(super) fn concerns_us(name: &str) -> bool {
    claims_to_be_ours(name)
        || name.ends_with("_PORT")
        || name.ends_with("_HOST")
        || SETTINGS.iter().any(|setting| setting.variables().any(|variable| variable == name))
}

/// Whether the name is ours, upstream's, or made by a container engine.
pub(super) fn is_known(name: &str) -> bool {
    [CONFIG_FILE, UPDATE_SNAPSHOTS].contains(&name)
        || UPSTREAM.contains(&name)
        || SETTINGS.iter().any(|setting| setting.variables().any(|variable| variable == name))
        || ports::is_address(name)
        || is_service_link(name)
}

/// Whether a container engine makes such a name for every service that it runs: `HERMES_SERVICE_HOST`,
/// `HERMES_PORT_8001_TCP_ADDR`.
fn is_service_link(name: &str) -> bool {
    let numbered = |(_, rest): (&str, &str)| rest.starts_with(|c: char| c.is_ascii_digit());
    name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.split_once("_PORT_").is_some_and(numbered)
}
