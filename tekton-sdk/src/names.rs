//! Checked names: what a component, an instance, a capability and an operation may be called.

use std::{borrow::Borrow, fmt, sync::Arc};

use crate::error::{Error, Result};

/// The most characters a name may have.
pub const MAX_NAME: usize = 128;

fn check(what: &str, name: &str, extra: &[char]) -> Result<()> {
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > MAX_NAME {
        format!("has {} characters; at most {MAX_NAME} are allowed", name.chars().count())
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "must begin with a letter or a digit".to_owned()
    } else {
        match name.chars().find(|c| !c.is_ascii_alphanumeric() && !extra.contains(c)) {
            Some(bad) => format!("holds {bad:?}; allowed are letters, digits and {}", list(extra)),
            None => return Ok(()),
        }
    };
    let shown: String = name.chars().take(40).collect();
    Err(Error::invalid(format!("the {what} {shown:?} {problem}")))
}

fn list(extra: &[char]) -> String {
    extra.iter().map(|c| format!("{c:?}")).collect::<Vec<_>>().join(", ")
}

macro_rules! name {
    ($(#[$doc:meta])+ $type:ident, $what:literal, $extra:expr) => {
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl $type {
            #[doc = concat!("Checks and keeps the ", $what, ".")]
            ///
            /// # Errors
            /// [`Invalid`](crate::ErrorKind::Invalid), naming the first character that is not allowed.
            pub fn new(name: impl AsRef<str>) -> Result<Self> {
                Self::check(name.as_ref())?;
                Ok(Self(Arc::from(name.as_ref())))
            }

            #[doc = concat!("Checks the ", $what, " without keeping it.")]
            ///
            /// # Errors
            /// [`Invalid`](crate::ErrorKind::Invalid), naming the first character that is not allowed.
            pub fn check(name: &str) -> Result<()> {
                check($what, name, $extra)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// What a component is called, as `summarizer` or `tekton_core`: letters, digits, `-`, `_`, `.`.
    ComponentName, "component name", &['-', '_', '.']
}
name! {
    /// Which of several equal processes this is, as `127.0.0.1-8005` or `blue`: letters, digits, `-`, `_`, `.`.
    Instance, "instance", &['-', '_', '.']
}
name! {
    /// The id under which one process is registered: `<name>-<instance>`.
    ComponentId, "component id", &['-', '_', '.']
}
name! {
    /// What a component can do, as `text.summarize`: letters, digits, `-`, `_`, `.`, `:`, `/`.
    CapabilityName, "capability", &['-', '_', '.', ':', '/']
}
name! {
    /// What is asked of a component, as `summarize`: letters, digits, `-`, `_`, `.`.
    OperationName, "operation name", &['-', '_', '.']
}

impl ComponentId {
    /// Joins name and instance. The result may be longer than either may be alone.
    #[must_use]
    pub fn of(name: &ComponentName, instance: &Instance) -> Self {
        Self(format!("{name}-{instance}").into())
    }
}

impl Instance {
    /// An instance made from host and port, so that a restart replaces itself and replicas do not collide.
    #[must_use]
    pub fn from_address(host: &str, port: u16) -> Self {
        match plain(host) {
            host if host.is_empty() => Self(format!("local-{port}").into()),
            host => Self(format!("{host}-{port}").into()),
        }
    }

    /// An instance made from the path of a socket, where there is no port.
    #[must_use]
    pub fn from_path(path: &str) -> Self {
        match plain(path) {
            path if path.is_empty() => Self("local".into()),
            path => Self(path.into()),
        }
    }
}

/// What of an address can stand in an instance.
fn plain(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    text.chars().map(allowed).skip_while(|c| !c.is_ascii_alphanumeric()).take(MAX_NAME - 8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_character_is_wrong() {
        let error = ComponentName::new("sum marizer").unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"the component name "sum marizer" holds ' '; allowed are letters, digits and '-', '_', '.'"#
        );
        assert!(ComponentName::new("").unwrap_err().to_string().contains("is empty"));
        assert!(OperationName::new("-x").unwrap_err().to_string().contains("begin"));
        assert!(CapabilityName::new("a".repeat(129)).unwrap_err().to_string().contains("129 characters"));
        assert!(CapabilityName::new("text.summarize:v1/de").is_ok());
    }

    #[test]
    fn an_instance_from_an_address_is_a_valid_instance() {
        for host in ["127.0.0.1", "::1", "[fe80::1%eth0]", "döner.example", "", "-"] {
            let instance = Instance::from_address(host, 8005);
            assert!(Instance::new(instance.as_str()).is_ok(), "{instance}");
        }
        for path in ["/run/engram/1.sock", "/", "", "/ä.sock"] {
            let instance = Instance::from_path(path);
            assert!(Instance::new(instance.as_str()).is_ok(), "{instance}");
        }
        assert_eq!(Instance::from_path("/run/engram/1.sock").as_str(), "run-engram-1.sock");
    }
}
