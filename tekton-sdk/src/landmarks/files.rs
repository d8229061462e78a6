//! Landmarks in upstream's files: `<id>.json` for each, and `registry.json` with their ids and indexes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use serde_json::{Map, Value, json};

use super::{
    Landmarks,
    record::{record, timestamp},
};
use crate::{
    contract::upstream_component,
    error::{Error, ErrorKind, Result},
    tekton::Tekton,
};

type Object = Map<String, Value>;

/// The index file.
const REGISTRY: &str = "registry.json";

/// The indexes, by type, by component and by tag.
const INDEXES: [&str; 3] = ["by_type", "by_component", "by_tag"];

/// No landmark is nearly as large; what is larger is somebody else's.
const MAX_RECORD_BYTES: u64 = 1024 * 1024;

impl Tekton {
    /// Writes every landmark of this program into a folder, dated by this handle's clock; see [`Landmarks::write`].
    ///
    /// # Errors
    /// As [`Landmarks::write`].
    pub fn write_landmarks(&self, folder: impl AsRef<Path>) -> Result<usize> {
        Landmarks::gather().write(folder, self.clock().wall())
    }
}

impl Landmarks {
    /// Writes the landmarks into a folder in upstream's layout and gives back how many files changed.
    ///
    /// Each file is replaced as a whole. What others wrote stays: their records, their entries of `registry.json`, the
    /// date of a record that was there before, and the landmarks that others related to it. Records that lie in the
    /// folder and are missing from `registry.json`, because another process wrote it at the same time, are put back.
    /// A landmark whose line has moved has another id; its old record stays until somebody deletes it.
    ///
    /// It reads and writes files without waiting in turn: from a task, call it within `spawn_blocking`.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if the folder cannot be read or written; [`Codec`](ErrorKind::Codec), and nothing is
    /// written, if its `registry.json` is none.
    ///
    /// # Examples
    /// ```
    /// # let folder = std::env::temp_dir().join(format!("landmarks-doc-{}", std::process::id()));
    /// use std::time::SystemTime;
    /// use tekton_sdk::landmarks::Landmarks;
    ///
    /// #[tekton_sdk::landmark(kind = "state_checkpoint", title = "The cache", state_type = "memory")]
    /// struct Cache;
    ///
    /// Landmarks::gather().write(&folder, SystemTime::UNIX_EPOCH)?;
    /// assert!(folder.join("registry.json").is_file());
    /// assert_eq!(Landmarks::gather().write(&folder, SystemTime::UNIX_EPOCH)?, 0);
    /// # std::fs::remove_dir_all(folder).ok();
    /// # let _ = Cache;
    /// # Ok::<(), tekton_sdk::Error>(())
    /// ```
    pub fn write(&self, folder: impl AsRef<Path>, wall: SystemTime) -> Result<usize> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(|source| failed(folder, "created", source))?;
        let mut registry = Registry::read(&folder.join(REGISTRY))?;
        let now = timestamp(wall);
        let mut changed = 0;
        for landmark in self.iter() {
            let mut own = record(landmark, &now);
            let id = text(&own, "id").to_owned();
            let path = folder.join(format!("{id}.json"));
            let before = read(&path)?;
            if let Some(before) = &before {
                keep(&mut own, before);
            }
            registry.put(&id, &own, landmark.component());
            if before.as_ref() != Some(&own) {
                replace(&path, &own)?;
                changed += 1;
            }
        }
        registry.heal(folder)?;
        if registry.has_changed() {
            replace(&folder.join(REGISTRY), &registry.finish(&now))?;
            changed += 1;
        }
        Ok(changed)
    }
}

/// Takes over what others may have added to a record that was there before.
fn keep(own: &mut Object, before: &Object) {
    for (key, value) in before {
        if !own.contains_key(key) || key == "timestamp" || key == "related_landmarks" {
            own.insert(key.clone(), value.clone());
        }
    }
}

/// `registry.json`, with whatever else stands in it.
struct Registry {
    before: Option<Object>,
    rest: Object,
    ids: Vec<String>,
    indexes: Object,
}

impl Registry {
    fn read(path: &Path) -> Result<Self> {
        let malformed =
            |what| Error::new(ErrorKind::Codec, format!("{} is no registry of landmarks: {what}", path.display()));
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { before: None, rest: Object::new(), ids: Vec::new(), indexes: Object::new() });
            }
            Err(error) => return Err(failed(path, "read", error)),
        };
        let mut rest: Object =
            serde_json::from_slice(&bytes).map_err(|source| malformed("expected a JSON object").with_source(source))?;
        let before = Some(rest.clone());
        let ids = match rest.remove("landmark_ids") {
            None => Vec::new(),
            Some(ids) => serde_json::from_value(ids).map_err(|_| malformed("`landmark_ids` is no list of texts"))?,
        };
        let indexes = match rest.remove("indexes") {
            None => Object::new(),
            Some(Value::Object(indexes)) => indexes,
            Some(_) => return Err(malformed("`indexes` is no object")),
        };
        let lists: std::result::Result<BTreeMap<&str, BTreeMap<String, Vec<String>>>, _> = INDEXES
            .iter()
            .filter_map(|name| Some((*name, indexes.get(*name)?)))
            .map(|(name, index)| Ok::<_, serde_json::Error>((name, serde_json::from_value(index.clone())?)))
            .collect();
        lists.map_err(|_| malformed("an index is no object of lists of texts"))?;
        Ok(Self { before, rest, ids, indexes })
    }

    /// Lists a record, and in the indexes only under what it now says.
    fn put(&mut self, id: &str, record: &Object, component: &str) {
        if !self.ids.iter().any(|known| known == id) {
            self.ids.push(id.to_owned());
        }
        let tags = record.get("tags").and_then(Value::as_array);
        let tags = tags.into_iter().flatten().filter_map(Value::as_str).collect();
        for (index, words) in INDEXES.into_iter().zip([vec![text(record, "type")], vec![component], tags]) {
            let index = self.indexes.entry(index).or_insert_with(|| json!({}));
            let Some(index) = index.as_object_mut() else { continue };
            for (word, ids) in index.iter_mut() {
                if let Some(ids) = ids.as_array_mut().filter(|_| !words.contains(&word.as_str())) {
                    ids.retain(|known| known != id);
                }
            }
            for word in words {
                let ids = index.entry(word).or_insert_with(|| json!([]));
                if let Some(ids) = ids.as_array_mut().filter(|ids| ids.iter().all(|known| known != id)) {
                    ids.push(id.into());
                }
            }
            index.retain(|_, ids| ids.as_array().is_none_or(|ids| !ids.is_empty()));
        }
    }

    /// Lists the records in the folder that are not listed.
    fn heal(&mut self, folder: &Path) -> Result<()> {
        let unread = |source| failed(folder, "read", source);
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(unread)? {
            let name = entry.map_err(unread)?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            if self.ids.iter().any(|known| known == id) || name == REGISTRY {
                continue;
            }
            if let Some(record) = read(&folder.join(&name))?.filter(|record| text(record, "id") == id) {
                found.insert(id.to_owned(), record);
            }
        }
        for (id, record) in found {
            let component = upstream_component(text(&record, "file_path")).unwrap_or("unknown");
            self.put(&id, &record, component);
        }
        Ok(())
    }

    fn body(&self) -> Object {
        let mut indexes = self.indexes.clone();
        for index in INDEXES {
            indexes.entry(index).or_insert_with(|| json!({}));
        }
        let mut body = self.rest.clone();
        body.entry("version").or_insert_with(|| "1.0".into());
        body.insert("landmark_count".into(), self.ids.len().into());
        body.insert("landmark_ids".into(), json!(self.ids));
        body.insert("indexes".into(), indexes.into());
        body
    }

    fn has_changed(&self) -> bool {
        self.before.as_ref() != Some(&self.body())
    }

    fn finish(&self, now: &str) -> Object {
        let mut body = self.body();
        body.insert("updated".into(), now.into());
        body
    }
}

fn text<'a>(record: &'a Object, key: &str) -> &'a str {
    record.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A record, if there is a readable one.
fn read(path: &Path) -> Result<Option<Object>> {
    match fs::metadata(path) {
        Ok(about) if about.is_file() && about.len() <= MAX_RECORD_BYTES => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "read", error)),
    }
    let bytes = fs::read(path).map_err(|source| failed(path, "read", source))?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Writes beside the file and renames, so that a reader sees the old one or the new one and nothing between.
fn replace(path: &Path, object: &Object) -> Result<()> {
    let text = format!("{:#}\n", Value::Object(object.clone()));
    let (beside, mut file) = beside(path).map_err(|source| failed(path, "written", source))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| fs::rename(&beside, path)).map_err(|source| {
        // What could not be put in place is of no use, and saying why it could not matters more than this.
        drop(fs::remove_file(&beside));
        failed(path, "written", source)
    })
}

/// A new file that nobody else writes: not another thread, nor a process of the same number on another machine.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let name = path.with_extension(format!("{}-{}.tmp", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        match File::create_new(&name) {
            // One that a crash left behind: take the next name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (name, file)),
        }
    }
}

fn failed(path: &Path, what: &str, source: io::Error) -> Error {
    Error::config(format!("{} cannot be {what}", path.display())).with_source(source)
}
