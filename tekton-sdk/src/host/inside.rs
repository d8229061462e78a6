//! `/introspect`: what goes on inside, for those who may see it.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{control::json_answer, refusal::Refusal};
use crate::{
    config::{Config, HostConfig},
    error::Result,
    tekton::Tekton,
    transport::Response,
};

/// What does not change while a component is served.
#[derive(Debug)]
pub(super) struct Inside {
    settings: Map<String, Value>,
}

impl Inside {
    /// The settings of the handle, with the host's own over them. A handle that was not built from settings shows the host's
    /// alone.
    pub(super) fn of(tekton: &Tekton, host: &HostConfig) -> Result<Self> {
        let known = tekton.setting::<Config>();
        let whole = known.is_some();
        let mut settings = known.unwrap_or_default().with_host(host.clone()).effective()?;
        settings.retain(|path, _| whole || path.starts_with("host."));
        Ok(Self { settings })
    }

    /// What the parts of the handle show, its pipeline and its settings, beside what the host says of itself.
    pub(super) fn answer(&self, tekton: &Tekton, host: Value) -> Response {
        let mut body = match tekton.introspect() {
            Value::Object(sections) => sections,
            _ => Map::new(),
        };
        let stages: Vec<_> = tekton.pipeline().stages().collect();
        let source = tekton.source();
        body.extend([
            ("host".to_owned(), host),
            ("sdk".to_owned(), crate::SDK.into()),
            ("calls".to_owned(), json!({ "source": source, "pipeline": stages })),
            ("settings".to_owned(), Value::Object(self.settings.clone())),
        ]);
        json_answer(StatusCode::OK, Value::Object(body).to_string().into())
    }
}

/// The answer where it is not allowed.
pub(super) fn off() -> Response {
    let detail = "/introspect is off; host.introspect = true, or TEKTON_HOST_INTROSPECT=true, shows it".to_owned();
    Refusal::new(StatusCode::NOT_FOUND, "introspection_off", detail).answer()
}
