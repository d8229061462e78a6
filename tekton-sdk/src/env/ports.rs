//! Ports and hosts of components by name, as upstream's Python components look them up.

use super::{Env, Kind, Value, kind::quoted, wrong};
use crate::error::{FieldError, Result};

/// Upstream's components and their usual ports.
const PORTS: &[(&str, u16)] = &[
    ("engram", 8000),
    ("hermes", 8001),
    ("ergon", 8002),
    ("rhetor", 8003),
    ("terma", 8004),
    ("athena", 8005),
    ("prometheus", 8006),
    ("harmonia", 8007),
    ("telos", 8008),
    ("synthesis", 8009),
    ("tekton_core", 8010),
    ("metis", 8011),
    ("apollo", 8012),
    ("budget", 8013),
    ("penia", 8013),
    ("sophia", 8014),
    ("noesis", 8015),
    ("numa", 8016),
    ("hephaestus", 8080),
    ("hephaestus_mcp", 8088),
    ("aish", 8097),
    ("aish_mcp", 8098),
    ("db_mcp", 8099),
];

/// The port that upstream gives to one of its components: 8001 for `hermes`.
#[must_use]
pub fn default_port(name: &str) -> Option<u16> {
    let name = name.to_ascii_lowercase().replace(['-', '.'], "_");
    PORTS.iter().find(|(known, _)| *known == name).map(|(_, port)| *port)
}

/// `tekton-core` and `_PORT` make `TEKTON_CORE_PORT`.
fn variable(name: &str, suffix: &str) -> String {
    name.to_ascii_uppercase().replace(['-', '.'], "_") + suffix
}

/// Whether the variable gives host or port of one of upstream's components.
pub(super) fn is_address(name: &str) -> bool {
    let component = ["_AI_PORT", "_PORT", "_HOST"].iter().find_map(|suffix| name.strip_suffix(suffix));
    component.is_some_and(|component| default_port(component).is_some())
}

/// Whether a container engine set the variable for a service of that name: `HERMES_PORT=tcp://10.0.0.1:8001`.
pub(super) fn is_service_link(value: &str) -> bool {
    value.starts_with("tcp://") || value.starts_with("udp://")
}

impl Env {
    /// The port of the component of this name: `<NAME>_PORT`, in upper case, `-` and `.` as `_`.
    ///
    /// It is more exact than `host.port`, which holds for every component of the process, and so goes before it.
    /// `None` if it is not set, or set by a container engine to the address of a service.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the variable, if it holds no port.
    pub fn port_for(&self, name: &str) -> Result<Option<u16>> {
        self.port("host.port", &variable(name, "_PORT"))
    }

    /// The host under which the component of this name is reached: `<NAME>_HOST`. It goes before `host.advertise_host`.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the variable, if it holds no host.
    pub fn host_for(&self, name: &str) -> Result<Option<String>> {
        let variable = variable(name, "_HOST");
        match self.get(&variable).map(|text| Kind::Host.parse(text)) {
            None => Ok(None),
            Some(Ok(Value::Text(host))) => Ok(Some(host)),
            Some(Ok(_)) => Err(one("host.advertise_host", "must be a text", &variable)),
            Some(Err(problem)) => Err(one("host.advertise_host", &problem, &variable)),
        }
    }

    /// The port of the AI specialist beside a component: `<NAME>_AI_PORT`, else
    /// `TEKTON_AI_PORT_BASE + (port - TEKTON_PORT_BASE)`. `None` unless both bases are set.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the variable, if one holds no port or the sum is none.
    pub fn ai_port(&self, name: &str, port: u16) -> Result<Option<u16>> {
        const AI_BASE: &str = "TEKTON_AI_PORT_BASE";
        const BASE: &str = "TEKTON_PORT_BASE";
        if let Some(port) = self.port("AI port", &variable(name, "_AI_PORT"))? {
            return Ok(Some(port));
        }
        let (Some(ai_base), Some(base)) = (self.port("AI port", AI_BASE)?, self.port("AI port", BASE)?) else {
            return Ok(None);
        };
        let sum = i32::from(ai_base) + i32::from(port) - i32::from(base);
        match u16::try_from(sum) {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => {
                let problem = format!("must be a port from 1 to 65535, is {ai_base} + ({port} - {base}) = {sum}");
                Err(one("AI port", &problem, &format!("{AI_BASE} and {BASE}")))
            }
        }
    }

    fn port(&self, field: &str, variable: &str) -> Result<Option<u16>> {
        let Some(text) = self.get(variable).filter(|text| !is_service_link(text)) else { return Ok(None) };
        let port = text.parse().ok().filter(|_| !text.starts_with('+'));
        port.map(Some).ok_or_else(|| one(field, &Kind::Port.refusal(&quoted(text)), variable))
    }
}

fn one(field: &str, problem: &str, variable: &str) -> crate::error::Error {
    wrong(vec![FieldError::new(field, format!("{problem} (from {variable})"))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().copied().collect()
    }

    #[test]
    fn a_component_has_its_own_variables() {
        let env =
            env(&[("TEXT_ANALYSER_V2_PORT", "9000"), ("TEXT_ANALYSER_V2_HOST", "box"), ("A_PORT", "tcp://10.0.0.1:1")]);
        assert_eq!(env.port_for("text-analyser.v2").unwrap(), Some(9000));
        assert_eq!(env.host_for("text-analyser.v2").unwrap().as_deref(), Some("box"));
        assert_eq!(env.port_for("a").unwrap(), None);
        assert_eq!(env.port_for("b").unwrap(), None);
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let env = env(&[("A_PORT", "80 80"), ("A_HOST", "a b"), ("B_PORT", "65536")]);
        let report = env.port_for("a").unwrap_err().report();
        assert_eq!(
            report,
            r#"1 setting is wrong; host.port: must be a port from 0 to 65535, is "80 80" (from A_PORT)"#
        );
        assert!(env.host_for("a").unwrap_err().report().contains("(from A_HOST)"));
        assert!(env.port_for("b").is_err());
    }

    #[test]
    fn the_ai_port_follows_the_formula() {
        let bases = [("TEKTON_AI_PORT_BASE", "45000"), ("TEKTON_PORT_BASE", "8000")];
        assert_eq!(env(&bases).ai_port("athena", 8005).unwrap(), Some(45005));
        assert_eq!(env(&bases[..1]).ai_port("athena", 8005).unwrap(), None);
        assert_eq!(env(&[bases[0], bases[1], ("ATHENA_AI_PORT", "7")]).ai_port("athena", 8005).unwrap(), Some(7));
        let report = env(&bases).ai_port("athena", 40000).unwrap_err().report();
        assert!(
            report.contains("is 45000 + (40000 - 8000) = 77000 (from TEKTON_AI_PORT_BASE and TEKTON_PORT_BASE)"),
            "{report}"
        );
    }

    #[test]
    fn upstreams_ports_are_known() {
        assert_eq!(default_port("hermes"), Some(8001));
        assert_eq!(default_port("Tekton-Core"), Some(8010));
        assert_eq!(default_port("summarizer"), None);
        assert!(is_address("TEKTON_CORE_AI_PORT") && is_address("HERMES_HOST") && !is_address("TEKTON_HOTS"));
    }
}
