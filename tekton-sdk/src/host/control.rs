//! The routes that every component has besides its operations.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    Operations,
    inside::{self, Inside},
    listen::Listening,
    openapi,
    refusal::Refusal,
    tools,
};
use crate::{
    contract::{Descriptor, OperationKind},
    error::{Error, ErrorKind},
    tekton::Tekton,
    transport::Response,
    wire::health::{HealthBody, HealthStatus},
};

/// What a host says of itself, and whether it takes calls.
#[derive(Debug)]
pub(super) struct Control {
    tekton: Tekton,
    descriptor: Descriptor,
    began: Instant,
    port: AtomicU16,
    ready: AtomicBool,
    registered: Arc<AtomicBool>,
    discovery: Bytes,
    capabilities: Bytes,
    tools: Bytes,
    #[cfg(feature = "macros")]
    marks: super::marks::Marks,
    openapi: Bytes,
    listening: Arc<Listening>,
    /// `None`: nobody may look inside.
    inside: Option<Inside>,
}

/// What others can rely on, by name; a client looks whether the key is there (seed decision 6). `streaming` is there beside them
/// where an operation answers many times.
const FEATURES: [&str; 3] = ["request", "deadline", "trace"];

impl Control {
    pub(super) fn new(
        tekton: Tekton,
        descriptor: Descriptor,
        operations: &Operations,
        listening: Listening,
        inside: Option<Inside>,
    ) -> Self {
        Self {
            began: tekton.clock().now(),
            port: AtomicU16::new(0),
            ready: AtomicBool::new(false),
            registered: Arc::default(),
            discovery: text(&discovery(&descriptor, operations, &listening)),
            capabilities: text(&capabilities(&descriptor, operations)),
            tools: text(&tools::listing(operations)),
            #[cfg(feature = "macros")]
            marks: super::marks::Marks::new(tekton.clock().wall()),
            openapi: text(&openapi(&descriptor, operations)),
            listening: Arc::new(listening),
            inside,
            tekton,
            descriptor,
        }
    }

    /// The component's listeners.
    pub(super) const fn listening(&self) -> &Arc<Listening> {
        &self.listening
    }

    pub(super) fn set_port(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    pub(super) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    pub(super) fn set_registered(&self, registered: bool) {
        self.registered.store(registered, Ordering::Release);
    }

    /// The answer of a control route; `None` for any other path.
    pub(super) fn answer(
        &self,
        path: &str,
        #[cfg_attr(not(feature = "macros"), expect(unused_variables, reason = "only `/landmarks` has filters"))]
        query: Option<&str>,
        limits: &dyn Fn() -> Value,
    ) -> Option<Response> {
        Some(match path {
            "/health" => self.health(),
            "/live" => json_answer(StatusCode::OK, text(&json!({ "status": "alive" }))),
            "/ready" => self.readiness(),
            "/discovery" => json_answer(StatusCode::OK, self.discovery.clone()),
            "/api/capabilities" => json_answer(StatusCode::OK, self.capabilities.clone()),
            "/mcp/tools.json" => json_answer(StatusCode::OK, self.tools.clone()),
            "/openapi.json" => json_answer(StatusCode::OK, self.openapi.clone()),
            "/introspect" => self.introspect(limits),
            #[cfg(feature = "metrics")]
            "/metrics" => self.metrics(),
            #[cfg(feature = "macros")]
            "/landmarks" => self.marks.answer(query.unwrap_or_default()),
            _ => return None,
        })
    }

    fn health(&self) -> Response {
        let silent: Vec<_> = self.listening.silent().collect();
        let is_well = self.is_ready() && silent.is_empty();
        let status = if is_well { HealthStatus::Healthy } else { HealthStatus::Degraded };
        let uptime = self.tekton.clock().now().saturating_duration_since(self.began);
        let mut body = HealthBody::new(status)
            .with_component(&self.descriptor.name, &self.descriptor.version)
            .with_timestamp(self.timestamp())
            .with_uptime(uptime.as_secs_f64())
            .with_port(self.port.load(Ordering::Relaxed))
            .with_registered(self.registered.load(Ordering::Acquire));
        if !silent.is_empty() {
            body.message = Some(format!("these listeners hear nothing: {}", silent.join(", ")));
        }
        json_answer(StatusCode::OK, body.to_bytes())
    }

    fn readiness(&self) -> Response {
        if !self.is_ready() {
            let starting = Error::new(ErrorKind::Closed, "the component is starting or shutting down");
            return Box::<Refusal>::from(starting).answer();
        }
        let body = json!({
            "ready": true,
            "component": self.descriptor.name,
            "version": self.descriptor.version,
            "timestamp": self.timestamp(),
        });
        json_answer(StatusCode::OK, text(&body))
    }

    fn introspect(&self, limits: &dyn Fn() -> Value) -> Response {
        let Some(inside) = &self.inside else { return inside::off() };
        let mut host = json!({
            "component": self.descriptor.name,
            "version": self.descriptor.version,
            "api_versions": self.descriptor.api_versions,
            "ready": self.is_ready(),
            "registered": self.registered.load(Ordering::Acquire),
            "port": self.port.load(Ordering::Relaxed),
            "limits": limits(),
            "timestamp": self.timestamp(),
        });
        let listeners = self.listening.shown();
        if listeners.as_array().is_some_and(|listeners| !listeners.is_empty()) {
            host["listeners"] = listeners;
        }
        inside.answer(&self.tekton, host)
    }

    fn timestamp(&self) -> String {
        humantime::format_rfc3339_millis(self.tekton.clock().wall()).to_string()
    }

    #[cfg(feature = "metrics")]
    fn metrics(&self) -> Response {
        let encoder = prometheus::TextEncoder::new();
        match encoder.encode_to_string(&self.tekton.registry().gather()) {
            Ok(text) => Response::new(StatusCode::OK, Bytes::from(text)).with_header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
            ),
            Err(error) => {
                Box::<Refusal>::from(Error::internal("the metrics cannot be written").with_source(error)).answer()
            }
        }
    }
}

/// Upstream's `/discovery`, in camelCase.
fn discovery(descriptor: &Descriptor, operations: &Operations, listening: &Listening) -> Value {
    let endpoint = |path: String, method: &str, description: &str, tag: &str| json!({ "path": path, "method": method, "description": description, "tags": [tag] });
    let mut endpoints = Vec::new();
    for version in &descriptor.api_versions {
        for operation in operations.table() {
            let tag = match operation.kind {
                OperationKind::Read => "read",
                OperationKind::Write => "write",
            };
            let path = format!("/api/v{version}/{}", operation.name);
            endpoints.push(endpoint(path, "POST", operation.description, tag));
        }
    }
    endpoints.push(endpoint("/health".into(), "GET", "How the component is.", "control"));
    let dependencies: Map<_, _> = descriptor.dependencies.iter().map(|d| (d.clone(), Value::Null)).collect();
    let mut metadata = json!({ "apiVersions": descriptor.api_versions, "sdk": crate::SDK });
    let topics: Vec<_> = listening.topics().collect();
    if !topics.is_empty() {
        metadata["listensTo"] = topics.into();
    }
    json!({
        "component": descriptor.name,
        "version": descriptor.version,
        "description": descriptor.description,
        "endpoints": endpoints,
        "capabilities": descriptor.capabilities.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "dependencies": dependencies,
        "metadata": metadata,
    })
}

fn capabilities(descriptor: &Descriptor, operations: &Operations) -> Value {
    let mut body = json!({
        "component": descriptor.name,
        "version": descriptor.version,
        "api_versions": descriptor.api_versions,
        "operations": operations.table().map(|operation| operation.name).collect::<Vec<_>>(),
        "primary": descriptor.capabilities.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "scores": descriptor.scores(),
        "context_window": descriptor.context_window,
    });
    if let Some(body) = body.as_object_mut() {
        let streams = operations.table().any(|operation| operation.stream.is_some());
        body.extend(streams.then(|| ("streaming".to_owned(), Value::Bool(true))));
        body.extend(FEATURES.map(|feature| (feature.to_owned(), Value::Bool(true))));
    }
    body
}

fn text(value: &Value) -> Bytes {
    value.to_string().into()
}

pub(super) fn json_answer(status: StatusCode, body: Bytes) -> Response {
    Response::new(status, body).with_header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
}
