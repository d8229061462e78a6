//! Places in the code, as programs, callers of `/landmarks` and upstream's tools find them.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use http::Method;
use serde_json::{Value, json};
use tekton_sdk::{
    ErrorKind, Tekton,
    contract::{Detail, Landmark, landmarks},
    landmark,
    landmarks::Landmarks,
    patterns::request::Reply,
};

use crate::lab::{serve, tekton};

/// A ledger that is written once.
///
/// Twice is wrong.
#[landmark(kind = "architecture_decision", title = "One ledger", rationale = "audits", impacts("speed"), tags("lm"))]
#[derive(Debug, Default)]
struct Ledger<T>(T);

#[landmark(kind = "danger_zone", title = "Ledger methods", risk_level = "high", tags = ["lm", "money"])]
impl<T: Clone + Send + Sync> Ledger<T> {
    #[landmark(kind = "review_note", title = "One", tags("lm"), weight = 0.5, since = 2024, open = true)]
    const ONE: u8 = 1;

    /// Reads it.
    #[landmark(kind = "performance_boundary", title = "Reading", sla = "10 ms", metrics(p99 = "8 ms"), tags("lm"))]
    async fn read(&self) -> (T, u8) {
        (self.0.clone(), Self::ONE)
    }

    #[landmark(kind = "note", title = "Length", author = "Ada", tags("lm"))]
    #[landmark(kind = "note", title = "Twice on one item", tags("lm"))]
    const fn len() -> usize {
        2
    }
}

#[landmark(kind = "api_contract", title = "Readers", endpoint = "/read", tags("lm"))]
trait Reader {
    #[landmark(
        kind = "integration_point",
        title = "Default",
        target_component = "rhetor",
        protocol = "HTTP",
        tags("lm")
    )]
    fn read_all(&self) -> u8 {
        0
    }
}

impl Reader for Ledger<u8> {
    #[landmark(kind = "state_checkpoint", title = "Overridden", state_type = "memory", persistence = true, tags("lm"))]
    fn read_all(&self) -> u8 {
        self.0
    }
}

#[landmark(kind = "note", title = "A module", tags("lm"))]
mod inner {
    #[tekton_sdk::landmark(kind = "note", title = "Inside", tags("lm"))]
    pub(super) enum State {
        Ready,
    }
}

#[landmark(kind = "note", title = "Not here", tags("lm"))]
#[cfg(any())]
struct Nowhere;

#[landmark(kind = "note", title = "Renamed", crate = "tekton_sdk", tags("lm"))]
static LINE: u32 = line!();

fn ours() -> Landmarks {
    Landmarks::gather().tagged("lm")
}

fn one(title: &str) -> &'static Landmark {
    ours().iter().find(|landmark| landmark.title == title).unwrap()
}

#[tokio::test]
async fn every_item_of_a_program_is_gathered() {
    let titles: BTreeSet<_> = ours().iter().map(|landmark| landmark.title).collect();
    let expected = [
        "A module",
        "Default",
        "Inside",
        "Ledger methods",
        "Length",
        "One",
        "One ledger",
        "Overridden",
        "Readers",
        "Reading",
        "Renamed",
        "Twice on one item",
    ];
    assert_eq!(titles, expected.into());
    assert!(landmarks().count() >= ours().len());
    assert_eq!(one("Renamed").line, LINE);
    let ledger = one("One ledger");
    assert_eq!(ledger.description, "A ledger that is written once.\n\nTwice is wrong.");
    assert!(ledger.file.replace('\\', "/").ends_with("patterns/landmarks.rs"), "{}", ledger.file);
    assert_eq!((ledger.module, ledger.component()), (module_path!(), "patterns"));
    assert_eq!(one("Inside").module, format!("{}::inner", module_path!()));
    assert_eq!((one("Length").author, ledger.author), ("Ada", "system"));
    assert_eq!(
        one("One").metadata,
        [("weight", Detail::Number(0.5)), ("since", Detail::Whole(2024)), ("open", Detail::Flag(true))]
    );
    // The items do what they did.
    let ledger = Ledger(7_u8);
    assert_eq!((ledger.read().await, ledger.read_all(), Ledger::<u8>::len()), ((7, 1), 7, 2));
    assert!(matches!(inner::State::Ready, inner::State::Ready));
    struct Bare;
    impl Reader for Bare {}
    assert_eq!(Bare.read_all(), 0);
}

#[test]
fn they_are_searched() {
    let titles = |found: Landmarks| found.iter().map(|landmark| landmark.title).collect::<Vec<_>>();
    assert_eq!(titles(ours().of_kind("danger_zone")), ["Ledger methods"]);
    assert_eq!(titles(ours().tagged("money")), ["Ledger methods"]);
    assert_eq!(titles(ours().containing("RHETOR")), ["Default"]);
    let line = one("Renamed").line;
    assert_eq!(titles(ours().near(file!(), line + 1, 1)), ["Renamed"]);
}

#[tokio::test]
async fn a_host_serves_them() {
    let tekton = tekton();
    let (served, _) = serve(&tekton).await;
    let peer = tekton.peer_at(served.endpoint()).unwrap();
    let ask = |query: &[(&'static str, &'static str)]| {
        let call = peer.request::<Value>("landmarks").method(Method::GET).path("/landmarks");
        query.iter().fold(call, |call, (name, value)| call.query(name, value))
    };
    let all: Reply<Value> = ask(&[]).await.unwrap();
    assert_eq!(all.as_array().unwrap().len(), Landmarks::gather().len());
    let one: Reply<Value> = ask(&[("kind", "danger_zone"), ("tag", "lm"), ("text", "RISK_level")]).await.unwrap();
    assert_eq!((&one[0]["title"], &one[1]), (&json!("Ledger methods"), &Value::Null));
    let fields: BTreeSet<_> = one[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "author",
        "component",
        "description",
        "file_path",
        "id",
        "line_number",
        "metadata",
        "related_landmarks",
        "tags",
        "timestamp",
        "title",
        "type",
    ];
    assert_eq!(fields, expected.into());
    let none: Reply<Value> = ask(&[("tag", "lm"), ("component", "Hermes")]).await.unwrap();
    assert_eq!(*none, json!([]));
    let error = ask(&[("colour", "red")]).await.unwrap_err();
    assert!(error.report().contains("kind, tag, component, text"), "{}", error.report());
    served.shutdown().await;
}

/// A folder of its own that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tekton-landmarks-{}-{count}", process::id()));
        fs::remove_dir_all(&folder).ok();
        Self(folder)
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.join(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(&self.0).unwrap();
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn they_are_written_in_upstream_s_layout() {
    let folder = Folder::new();
    assert_eq!(ours().write(&folder.0, at(1)).unwrap(), ours().len() + 1);
    let registry = folder.read("registry.json");
    assert_eq!((&registry["version"], &registry["updated"]), (&json!("1.0"), &json!("1970-01-01T00:00:01.000000")));
    assert_eq!(registry["landmark_count"], ours().len());
    let id = registry["indexes"]["by_tag"]["money"][0].as_str().unwrap();
    assert_eq!(registry["indexes"]["by_type"]["danger_zone"], json!([id]));
    assert_eq!(registry["indexes"]["by_component"]["patterns"].as_array().unwrap().len(), ours().len());
    let record = folder.read(&format!("{id}.json"));
    let landmark = one("Ledger methods");
    assert_eq!(ours().get(id), Some(landmark));
    assert_eq!(
        record,
        json!({
            "id": id, "type": "danger_zone", "title": "Ledger methods", "description": "",
            "file_path": landmark.file, "line_number": landmark.line, "timestamp": "1970-01-01T00:00:01.000000",
            "author": "system",
            "metadata": {"risk_level": "high", "risks": [], "mitigation": "", "review_required": true},
            "tags": ["lm", "money"], "related_landmarks": [],
        })
    );
    // Nothing new, nothing written: dates stay.
    assert_eq!(ours().write(&folder.0, at(2)).unwrap(), 0);
    let names = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| name.ends_with(".json")));
}

#[test]
fn what_others_wrote_stays() {
    let folder = Folder::new();
    folder.write(
        "registry.json",
        r#"{"version": "1.0", "landmark_count": 1, "landmark_ids": ["theirs"], "note": "kept",
            "indexes": {"by_type": {"danger_zone": ["theirs"]}, "by_component": {"Hermes": ["theirs"]}, "by_tag": {}}}"#,
    );
    // Written by a process whose registry was overwritten.
    folder.write("lost.json", r#"{"id": "lost", "type": "note", "file_path": "/opt/Rhetor/a.py", "tags": ["old"]}"#);
    folder.write("settings.json", r#"{"id": "something else"}"#);
    folder.write("broken.json", "{");
    ours().write(&folder.0, at(1)).unwrap();
    let registry = folder.read("registry.json");
    assert_eq!((&registry["note"], &registry["landmark_ids"][0]), (&json!("kept"), &json!("theirs")));
    assert_eq!(registry["landmark_count"], ours().len() + 2);
    assert_eq!(registry["indexes"]["by_component"]["Hermes"], json!(["theirs"]));
    assert_eq!(registry["indexes"]["by_component"]["Rhetor"], json!(["lost"]));
    assert_eq!(registry["indexes"]["by_type"]["danger_zone"][0], "theirs");
    // A record of ours that somebody related to another keeps that and its date; what the code says is renewed.
    let id = registry["indexes"]["by_tag"]["money"][0].as_str().unwrap().to_owned();
    let mut record = folder.read(&format!("{id}.json"));
    record["related_landmarks"] = json!(["theirs"]);
    record["description"] = json!("old");
    record["seen"] = json!(3);
    folder.write(&format!("{id}.json"), &record.to_string());
    assert_eq!(ours().write(&folder.0, at(9)).unwrap(), 1);
    record["description"] = json!("");
    assert_eq!(folder.read(&format!("{id}.json")), record);
}

#[test]
fn a_registry_that_is_none_is_left_alone() {
    for text in ["", "[]", r#"{"landmark_ids": 3}"#, r#"{"indexes": []}"#, r#"{"indexes": {"by_tag": {"a": 1}}}"#] {
        let folder = Folder::new();
        folder.write("registry.json", text);
        let error = ours().write(&folder.0, at(1)).unwrap_err();
        assert!(error.kind() == ErrorKind::Codec && error.to_string().contains("registry.json"), "{error}");
        assert_eq!(fs::read_to_string(folder.0.join("registry.json")).unwrap(), text);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing else was written");
    }
    let folder = Folder::new();
    folder.write("file", "");
    let error = ours().write(folder.0.join("file"), at(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn writers_at_the_same_time_lose_nothing_for_long() {
    let folder = Folder::new();
    let all: Vec<_> = ours().iter().collect();
    std::thread::scope(|scope| {
        for part in all.chunks(2) {
            let (part, folder): (Landmarks, _) = (part.iter().copied().collect(), &folder.0);
            scope.spawn(move || part.write(folder, at(1)).unwrap());
        }
    });
    ours().of_kind("note").write(&folder.0, at(2)).unwrap();
    let registry = folder.read("registry.json");
    let listed: BTreeSet<_> =
        registry["landmark_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(listed.len(), all.len());
}

#[test]
fn a_handle_writes_all_of_them_by_its_clock() {
    let folder = Folder::new();
    let tekton = Tekton::builder().named("writer").build().unwrap();
    assert_eq!(tekton.write_landmarks(&folder.0).unwrap(), Landmarks::gather().len() + 1);
    assert!(folder.read("registry.json")["updated"].as_str().unwrap() > "2024");
}
