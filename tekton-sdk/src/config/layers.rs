//! Laying the sources one over the other.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value as Json};

use super::{Config, file, named::Named};
use crate::{
    env::{self, CONFIG_FILE, Env, Found, Value, setting},
    error::{Error, ErrorKind, FieldError, Result},
};

/// The file that is read if no other is named, and it is there.
const DEFAULT_FILE: &str = "tekton.toml";

/// The sources of a configuration, each over the ones before it: defaults, files, the environment.
///
/// What code sets comes last: change the [`Config`] that [`build`](Self::build) gives, and [`validate`](Config::validate)
/// it.
#[must_use = "nothing is built before `build`"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    files: Vec<Source>,
    env: Env,
}

/// One file, as it was read.
#[derive(Clone, PartialEq, Eq)]
struct Source {
    /// What errors call it.
    name: String,
    /// Where it is read anew; `None` if only its text was given.
    path: Option<PathBuf>,
    /// Its text, or what is wrong with it.
    text: Result<String, String>,
}

/// Without the text: what stands in it is nobody's business.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Layers {
    /// Only the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The file that `TEKTON_CONFIG` names, or `tekton.toml` in the working directory if there is one, and the
    /// environment of this process.
    pub fn from_process() -> Self {
        Self::of(Env::from_process(), Path::new(""))
    }

    fn of(env: Env, directory: &Path) -> Self {
        let named = env.get(CONFIG_FILE).map(PathBuf::from);
        let path = named.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let name = path.display().to_string();
        let path = directory.join(path);
        let mut layers = Self::new().env(env);
        let text = match file::read(&path) {
            Err((std::io::ErrorKind::NotFound, _)) if named.is_none() => return layers,
            Err((_, problem)) if named.is_some() => Err(format!("{problem} (from {CONFIG_FILE})")),
            read => read.map_err(|(_, problem)| problem),
        };
        layers.files.push(Source { name, path: Some(path), text });
        layers
    }

    /// Lays a TOML text over the files given before; `name` is what errors call it.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push(Source { name: name.to_owned(), path: None, text: Ok(text.to_owned()) });
        self
    }

    /// Reads the TOML file at this path and lays it over the files given before. A handle that is built of it looks at the file
    /// from time to time, as [`Config::reload_interval`] says.
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = file::read(&path).map_err(|(_, problem)| problem);
        self.files.push(Source { name: path.display().to_string(), path: Some(path), text });
        self
    }

    /// The same layers, each file as it stands at this moment. It blocks.
    pub(super) fn again(&self) -> Self {
        let mut again = self.clone();
        for Source { path, text, .. } in &mut again.files {
            if let Some(path) = path {
                *text = file::read(path).map_err(|(_, problem)| problem);
            }
        }
        again
    }

    /// The files that are looked at again.
    pub(super) fn watched(&self) -> Vec<&str> {
        self.files.iter().filter(|source| source.path.is_some()).map(|source| source.name.as_str()).collect()
    }

    /// Takes the environment, which goes over all files. A second call replaces the first.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The environment that was taken.
    pub(super) const fn environment(&self) -> &Env {
        &self.env
    }

    /// Makes the configuration, and says what is worth a look: unknown variables, contradicting ones.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config), naming every setting that is wrong, with its value, its bound and its place.
    pub fn build(self) -> Result<(Config, Vec<String>)> {
        let parsed = self.env.parse();
        let (mut files, mut named, mut wrong) = (Vec::new(), Named::default(), Vec::new());
        for Source { name, text, .. } in self.files {
            match text {
                Ok(text) => {
                    let (values, says, errors) = file::parse(&name, &text);
                    named.lay(says);
                    files.extend(values);
                    wrong.extend(errors);
                }
                Err(problem) => wrong.push(FieldError::new(name, problem)),
            }
        }
        wrong.extend(parsed.errors);
        let found = files.into_iter().chain(parsed.values);
        let found: BTreeMap<&str, Found> = found.map(|found| (found.path, found)).collect();
        let mut config = assemble(found.values())?;
        (config.policies, config.targets, config.sources) = (named.policies, named.targets, named.sources);
        for (path, found) in &found {
            let value = setting(path).map_or_else(String::new, |setting| setting.kind.show(&found.value));
            config.sources.put((*path).to_owned(), found.source.clone(), value);
        }
        for mut field in config.wrong() {
            // A setting that could not be read has its default here: one error is enough.
            if wrong.iter().any(|known| known.field == field.field) {
                continue;
            }
            let source = config.sources.place(&field.field).map(|source| format!("from {source}"));
            field.problem.push_str(&format!(" ({})", source.as_deref().unwrap_or("the default")));
            wrong.push(field);
        }
        if wrong.is_empty() { Ok((config, parsed.warnings)) } else { Err(env::wrong(wrong)) }
    }
}

/// The defaults with these values over them.
fn assemble<'a>(found: impl Iterator<Item = &'a Found>) -> Result<Config> {
    let mut tree = Map::new();
    for found in found {
        let value = match &found.value {
            Value::Number(number) => Json::from(*number),
            Value::Flag(flag) => Json::from(*flag),
            other => Json::from(setting(found.path).map_or_else(String::new, |setting| setting.kind.show(other))),
        };
        match found.path.split_once('.') {
            None => drop(tree.insert(found.path.to_owned(), value)),
            Some((section, key)) => {
                let section = tree.entry(section).or_insert_with(|| Json::Object(Map::new()));
                if let Json::Object(section) = section {
                    section.insert(key.to_owned(), value);
                }
            }
        }
    }
    serde_json::from_value(Json::Object(tree)).map_err(|error| {
        Error::new(ErrorKind::Config, "the table of settings and the configuration differ").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tekton-config-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn build(&self, variables: &[(&str, &str)]) -> Result<Config> {
            Layers::of(variables.iter().copied().collect(), &self.0).build().map(|(config, _)| config)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn the_file_is_optional_unless_it_is_named() {
        let folder = Folder::new("optional");
        assert_eq!(folder.build(&[]).unwrap(), Config::default());
        let report = folder.build(&[("TEKTON_CONFIG", "other.toml")]).unwrap_err().report();
        assert!(report.starts_with("1 setting is wrong; other.toml: cannot be read: "), "{report}");
        assert!(report.ends_with("(from TEKTON_CONFIG)"), "{report}");

        std::fs::write(folder.0.join("tekton.toml"), "[host]\nport = 1").unwrap();
        std::fs::write(folder.0.join("other.toml"), "[host]\nport = 2").unwrap();
        assert_eq!(folder.build(&[]).unwrap().host.port, 1);
        assert_eq!(folder.build(&[("TEKTON_CONFIG", "other.toml")]).unwrap().host.port, 2);
        assert_eq!(folder.build(&[("TEKTON_HOST_PORT", "3")]).unwrap().host.port, 3);
    }

    #[test]
    fn a_file_that_is_no_text_or_too_large_is_an_error() {
        let folder = Folder::new("bad");
        let path = folder.0.join("tekton.toml");
        std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        assert!(folder.build(&[]).unwrap_err().report().contains("tekton.toml: cannot be read: "));
        std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(folder.build(&[]).unwrap_err().report().ends_with("tekton.toml: is larger than 1MiB"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(folder.build(&[]).is_err());
    }

    #[test]
    fn the_process_can_be_read() {
        // What it says depends on where the test runs; it must not panic.
        let _ = Layers::from_process().build();
    }
}
