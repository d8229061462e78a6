//! Known answers: files of cases, and what the SDK says to each of them. `docs/conformance.md` is their page.
//!
//! A suite is one module with one [`Suite`]; [`SUITES`] lists them. Its function reads a case into a struct that refuses
//! unknown keys, asks the SDK, and says what differed.

mod breaker;
mod case;
mod cloudevents;
mod json;
mod json_parse;
mod jsonrpc_client;
mod jsonrpc_server;
mod mcp_messages;
mod report;
mod run;
mod sse_http;
mod sse_parse;
mod trace_context;
mod websocket;

pub use report::{Report, Skipped};
pub use run::run;

use case::{Case, Miss};

/// The suites that the runner knows.
pub const SUITES: &[Suite] = &[
    breaker::SUITE,
    cloudevents::SUITE,
    json_parse::SUITE,
    jsonrpc_client::SUITE,
    jsonrpc_server::SUITE,
    mcp_messages::SUITE,
    sse_http::SUITE,
    sse_parse::SUITE,
    trace_context::SUITE,
    websocket::SUITE,
];

/// The one rule that every suite has.
pub const REQUIRES: Rule = Rule { name: "requires", reason: "the case names a capability that the SDK does not claim" };

/// Known answers of one kind.
#[derive(Debug)]
pub struct Suite {
    name: &'static str,
    rules: &'static [Rule],
    capabilities: &'static [&'static str],
    check: fn(&Case<'_>) -> Result<(), Miss>,
}

impl Suite {
    /// The name on the command line, and of the folder with its open cases.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// By what its cases may be skipped, beside [`REQUIRES`].
    #[must_use]
    pub const fn rules(&self) -> &'static [Rule] {
        self.rules
    }

    /// What a case may require.
    #[must_use]
    pub const fn capabilities(&self) -> &'static [&'static str] {
        self.capabilities
    }
}

/// Why a case is not judged. It looks at what the case says, never at its `id`.
#[derive(Debug)]
pub struct Rule {
    name: &'static str,
    reason: &'static str,
}

impl Rule {
    /// The name, as it stands in `docs/conformance.md`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The reason, as it stands in `docs/conformance.md`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}
