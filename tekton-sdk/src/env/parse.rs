//! From variables to values.

use super::{Alias, Env, Kind, SETTINGS, Setting, Value, kind::quoted, nearest, ports, upstream};
use crate::error::FieldError;

/// A value that a variable gives.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The setting's path.
    pub path: &'static str,
    /// The value, within its bounds.
    pub value: Value,
    /// The variable, or the variables, that it comes from.
    pub source: String,
}

impl Found {
    /// A value for the setting at this path.
    pub(crate) fn new(path: &'static str, value: Value, source: impl Into<String>) -> Self {
        Self { path, value, source: source.into() }
    }
}

/// What the environment says about the settings.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The values, at most one for each setting.
    pub values: Vec<Found>,
    /// What is worth a look: unknown variables, variables that contradict each other. No values are shown.
    pub warnings: Vec<String>,
    /// What is wrong, all of it.
    pub errors: Vec<FieldError>,
}

/// One variable's value, or what is wrong with it, and its name.
type Reading = (Result<Value, String>, String);

impl Env {
    /// Reads every setting that a variable gives.
    ///
    /// Our name goes before the others; where they say different things, a warning names both.
    #[must_use]
    pub fn parse(&self) -> Parsed {
        let mut parsed = Parsed::default();
        for setting in SETTINGS {
            self.read(setting, &mut parsed);
        }
        let unknown = |name: &&str| upstream::claims_to_be_ours(name) && !upstream::is_known(name);
        parsed.warnings.extend(self.names().filter(unknown).filter(|name| self.get(name).is_some()).map(warning));
        parsed
    }

    fn read(&self, setting: &'static Setting, parsed: &mut Parsed) {
        let ours = self.read_as(setting, &Alias::Same(setting.variable), parsed);
        let others: Vec<Reading> =
            setting.aliases.iter().filter_map(|alias| self.read_as(setting, alias, parsed)).collect();
        let mut readings = ours.into_iter().chain(others);
        let Some((value, source)) = readings.next() else { return };
        match value {
            Ok(value) => {
                for (_, name) in readings.filter(|(other, _)| other.as_ref() != Ok(&value)) {
                    parsed.warnings.push(format!("{source} and {name} differ; {source} is used for {}", setting.path));
                }
                parsed.values.push(Found { path: setting.path, value, source });
            }
            Err(problem) => parsed.errors.push(FieldError::new(setting.path, format!("{problem} (from {source})"))),
        }
    }

    fn read_as(&self, setting: &Setting, alias: &Alias, parsed: &mut Parsed) -> Option<Reading> {
        match *alias {
            Alias::Same(name) => Some((setting.kind.parse(self.get(name)?), name.to_owned())),
            Alias::Retries(name) => Some((retries(&setting.kind, self.get(name)?), format!("{name}, plus 1"))),
            Alias::HostAndPort(host, port) => {
                let link = self.get(port).filter(|value| ports::is_service_link(value)).is_some();
                if link {
                    parsed.warnings.push(format!("{port} is an address that a container engine set; it is not used"));
                }
                let source = match (self.get(host), self.get(port).filter(|_| !link)) {
                    (None, None) => return None,
                    (Some(_), None) => host.to_owned(),
                    (None, Some(_)) => port.to_owned(),
                    (Some(_), Some(_)) => format!("{host} and {port}"),
                };
                let port = self.get(port).filter(|_| !link).unwrap_or("8001");
                Some((url_of(self.get(host).unwrap_or("localhost"), port), source))
            }
        }
    }
}

/// Attempts from a number of retries.
fn retries(kind: &Kind, text: &str) -> Result<Value, String> {
    let retries = Kind::Count { min: 0, max: u64::MAX - 1 }.parse(text);
    let Ok(Value::Number(retries)) = retries else {
        return Err(format!("must be a whole number, is {}", quoted(text)));
    };
    let attempts = Value::Number(retries + 1);
    kind.check(&attempts).map(|()| attempts)
}

fn url_of(host: &str, port: &str) -> Result<Value, String> {
    let Value::Text(host) = Kind::Host.parse(host)? else { return Err(Kind::Host.refusal(&quoted(host))) };
    let Value::Number(port @ 1..) = Kind::Port.parse(port)? else {
        return Err(format!("must be a port from 1 to 65535, is {}", quoted(port)));
    };
    let url = if host.contains(':') { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") };
    Kind::Url.parse(&url)
}

fn warning(name: &str) -> String {
    let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    match nearest(name, SETTINGS.iter().flat_map(Setting::variables).chain(upstream::UPSTREAM.iter().copied())) {
        Some(meant) => format!("unknown variable {shown}, did you mean {meant}?"),
        None => format!("unknown variable {shown}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Parsed {
        pairs.iter().copied().collect::<Env>().parse()
    }

    fn value(pairs: &[(&str, &str)]) -> Value {
        let parsed = parse(pairs);
        assert_eq!((parsed.values.len(), &parsed.errors[..], &parsed.warnings[..]), (1, &[][..], &[][..]), "{pairs:?}");
        parsed.values[0].value.clone()
    }

    #[test]
    fn the_guides_names_are_understood() {
        assert_eq!(value(&[("INTEGRATION_TIMEOUT", "2.5")]), Value::Duration(Duration::from_millis(2500)));
        assert_eq!(value(&[("INTEGRATION_RETRY_COUNT", "3")]), Value::Number(4));
        assert_eq!(value(&[("INTEGRATION_RETRY_COUNT", "0")]), Value::Number(1));
        assert_eq!(value(&[("INTEGRATION_RETRY_DELAY", "1.0")]), Value::Duration(Duration::from_secs(1)));
        assert_eq!(value(&[("CIRCUIT_BREAKER_THRESHOLD", "7")]), Value::Number(7));
        assert_eq!(value(&[("INTEGRATION_BATCH_SIZE", "50")]), Value::Number(50));
    }

    #[test]
    fn wrong_retry_counts_say_where_they_come_from() {
        let problem = |text| parse(&[("INTEGRATION_RETRY_COUNT", text)]).errors[0].to_string();
        assert_eq!(
            problem("100"),
            "retry.max_attempts: must be at most 100, is 101 (from INTEGRATION_RETRY_COUNT, plus 1)"
        );
        for text in ["-1", "x", "18446744073709551615", "18446744073709551614"] {
            assert!(problem(text).contains("INTEGRATION_RETRY_COUNT"), "{text}");
        }
    }

    #[test]
    fn the_hub_is_found_under_every_name() {
        let url = |pairs: &[(&str, &str)]| match value(pairs) {
            Value::Text(url) => url,
            other => panic!("{other:?}"),
        };
        assert_eq!(url(&[("HERMES_URL", "http://hub:8001/api/")]), "http://hub:8001");
        assert_eq!(url(&[("HERMES_HOST", "hub")]), "http://hub:8001");
        assert_eq!(url(&[("HERMES_PORT", "9001")]), "http://localhost:9001");
        assert_eq!(url(&[("HERMES_HOST", "::1"), ("HERMES_PORT", "9001")]), "http://[::1]:9001");
        assert_eq!(
            url(&[("HERMES_URL", "http://localhost:8001/api"), ("HERMES_PORT", "8001")]),
            "http://localhost:8001"
        );
        assert_eq!(url(&[("HERMES_URL", " "), ("HERMES_HOST", ""), ("HERMES_PORT", "1")]), "http://localhost:1");
    }

    #[test]
    fn a_wrong_hub_names_its_variables() {
        let problem = |pairs: &[(&str, &str)]| parse(pairs).errors[0].to_string();
        assert!(problem(&[("HERMES_URL", "hub:8001")]).ends_with(r#"is "hub:8001" (from HERMES_URL)"#));
        assert!(
            problem(&[("HERMES_PORT", "0")]).ends_with(r#"must be a port from 1 to 65535, is "0" (from HERMES_PORT)"#)
        );
        assert!(
            problem(&[("HERMES_HOST", "a b"), ("HERMES_PORT", "1")]).ends_with("(from HERMES_HOST and HERMES_PORT)")
        );
        let linked = parse(&[("HERMES_PORT", "tcp://10.0.0.1:8001"), ("HERMES_PORT_8001_TCP_ADDR", "10.0.0.1")]);
        assert_eq!((linked.values.len(), linked.errors.len(), linked.warnings.len()), (0, 0, 1));
    }

    #[test]
    fn our_name_wins_and_a_contradiction_is_told() {
        let parsed = parse(&[("TEKTON_REQUEST_TIMEOUT", "1s"), ("INTEGRATION_TIMEOUT", "2")]);
        assert_eq!(parsed.values[0].source, "TEKTON_REQUEST_TIMEOUT");
        assert_eq!(parsed.values[0].value, Value::Duration(Duration::from_secs(1)));
        assert_eq!(
            parsed.warnings,
            [
                "TEKTON_REQUEST_TIMEOUT and INTEGRATION_TIMEOUT differ; TEKTON_REQUEST_TIMEOUT is used for request.timeout"
            ]
        );
        assert!(parse(&[("TEKTON_REQUEST_TIMEOUT", "2s"), ("INTEGRATION_TIMEOUT", "2")]).warnings.is_empty());
    }

    #[test]
    fn unknown_variables_are_told_and_upstreams_are_not() {
        let warnings = |name| parse(&[(name, "x")]).warnings;
        assert_eq!(
            warnings("TEKTON_REQEST_TIMEOUT"),
            ["unknown variable TEKTON_REQEST_TIMEOUT, did you mean TEKTON_REQUEST_TIMEOUT?"]
        );
        assert_eq!(warnings("TEKTON_COLOUR_OF_THE_SKY"), ["unknown variable TEKTON_COLOUR_OF_THE_SKY"]);
        assert_eq!(warnings("HERMES_ULR"), ["unknown variable HERMES_ULR, did you mean HERMES_URL?"]);
        for name in
            upstream::UPSTREAM.iter().copied().chain(["TEKTON_CONFIG", "TEKTON_CORE_PORT", "PATH", "SUMMARIZER_PORT"])
        {
            assert!(warnings(name).is_empty(), "{name}");
        }
        assert!(parse(&[("TEKTON_NO_SUCH", "")]).warnings.is_empty());
    }

    proptest! {
        #[test]
        fn no_environment_panics(values in proptest::collection::vec(".{0,30}|[0-9a-zA-Z:/.@\\[\\]-]{0,30}", 60), odd in ".{0,80}") {
            let names = SETTINGS.iter().flat_map(Setting::variables).chain(upstream::UPSTREAM.iter().copied());
            let mut pairs: Vec<(String, String)> = names.map(str::to_owned).zip(values).collect();
            pairs.push((format!("TEKTON_{odd}"), odd));
            let env: Env = pairs.into_iter().collect();
            let parsed = env.parse();
            prop_assert!(parsed.values.len() + parsed.errors.len() <= SETTINGS.len());
            let _ = (env.port_for("hermes"), env.host_for("hermes"), env.ai_port("hermes", 8001));
        }
    }
}
