//! A configuration file that changes while the process runs.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tekton_sdk::{
    Config, Tekton,
    config::{Layers, PolicySpec, TektonBuilder},
    policy::Weights,
    testing::{EventLog, RecordedEvent},
};

const OLD: &str = "[policy.p]\ntimeout = \"2s\"\n[target.notes]\npolicy = \"p\"\nweights = { \"1.2\" = 95 }\n";
const NEW: &str = "[policy.p]\ntimeout = \"3s\"\n[target.notes]\npolicy = \"p\"\n";
/// Longer than two looks.
const SETTLED: Duration = Duration::from_secs(5);

/// A file of its own, removed at the end, and a handle that was built of it.
struct Lab {
    folder: PathBuf,
    tekton: Tekton,
    log: EventLog,
}

impl Lab {
    fn new(name: &str, change: impl FnOnce(TektonBuilder) -> TektonBuilder) -> Self {
        let folder = std::env::temp_dir().join(format!("tekton-reload-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(file(&folder), OLD).unwrap();
        let log = EventLog::default();
        let builder = Tekton::builder().layers(Layers::new().path(file(&folder))).unwrap();
        let tekton = change(builder.observer(log.clone())).build().unwrap();
        Self { folder, tekton, log }
    }

    fn write(&self, text: &str) {
        fs::write(file(&self.folder), text).unwrap();
    }

    async fn pass(&self, time: Duration) {
        self.tekton.clock().sleep(time).await;
    }

    fn line(&self, key: &str) -> String {
        let explanation = self.tekton.explain("notes", "list").unwrap();
        explanation.lines.into_iter().find(|line| line.key == key).unwrap().value
    }

    fn told(&self) -> Vec<RecordedEvent> {
        self.log.named("config_reloaded")
    }

    fn problem(&self) -> String {
        self.told().last().unwrap().field("problem").expect("it is wrong").to_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("tekton.toml")
}

#[tokio::test(start_paused = true)]
async fn a_change_holds_after_two_looks_and_is_told() {
    let lab = Lab::new("change", |builder| builder);
    assert_eq!(lab.tekton.balancer().weights("notes"), Weights::of([("1.2", 95)]).unwrap());
    lab.pass(SETTLED).await;
    assert_eq!((lab.line("timeout").as_str(), lab.told().len()), ("2s", 0), "nothing has changed");
    lab.write(NEW);
    lab.pass(SETTLED).await;
    assert_eq!(lab.line("timeout"), "3s");
    assert!(lab.tekton.balancer().weights("notes").is_empty());
    let told = lab.told();
    assert_eq!((told.len(), told[0].field("problem")), (1, None));
    assert!(told[0].field("files").unwrap().ends_with("tekton.toml"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_half_written_does_not_hold_even_where_its_half_is_right() {
    let lab = Lab::new("half", |builder| builder);
    lab.pass(Duration::from_secs(1)).await;
    // The first table alone: without its target no policy holds.
    lab.write("[policy.p]\ntimeout = \"3s\"\n");
    lab.pass(Duration::from_secs(2)).await;
    assert_eq!(lab.line("timeout"), "2s", "one look has seen the half");
    lab.write(NEW);
    lab.pass(SETTLED).await;
    assert_eq!((lab.line("timeout").as_str(), lab.told().len()), ("3s", 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_or_gone_leaves_what_held_and_says_so_once() {
    let lab = Lab::new("wrong", |builder| builder);
    for (count, (wrong, problem)) in [
        (Some("[policy.p]\ntimeout = \"3s"), "is not TOML"),
        (Some("[policy.p]\ntimeuot = \"3s\""), "policy.p.timeuot: is no setting, did you mean policy.p.timeout?"),
        (Some("[policy.p]\nmax_attempts = 0"), "policy.p.max_attempts: must be at least 1, is 0"),
        (None, "cannot be read"),
    ]
    .into_iter()
    .enumerate()
    {
        match wrong {
            Some(text) => lab.write(text),
            None => fs::remove_file(file(&lab.folder)).unwrap(),
        }
        lab.pass(SETTLED * 4).await;
        assert_eq!((lab.line("timeout").as_str(), lab.told().len()), ("2s", count + 1), "{problem}");
        assert!(lab.problem().contains(problem), "{}", lab.problem());
        assert!(!lab.tekton.balancer().weights("notes").is_empty());
    }
    lab.write(NEW);
    lab.pass(SETTLED).await;
    assert_eq!((lab.line("timeout").as_str(), lab.told().last().unwrap().field("problem")), ("3s", None));
}

#[tokio::test(start_paused = true)]
async fn what_code_changed_goes_before_what_the_file_says_later() {
    let own = PolicySpec::new().with_timeout(Duration::from_secs(7));
    let lab = Lab::new("code", |builder| {
        builder.configure(|config| {
            *config = std::mem::take(config).with_policy("p", own);
            config.retry.max_attempts = 9;
        })
    });
    lab.write("[retry]\nmax_attempts = 2\nbase_delay = \"3ms\"\n[policy.p]\ntimeout = \"3s\"\n[target.notes]\npolicy = \"p\"\n");
    lab.pass(SETTLED).await;
    assert_eq!(lab.told().len(), 1);
    assert_eq!(["timeout", "max_attempts", "base_delay"].map(|key| lab.line(key)), ["7s", "9", "3ms"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_after_a_shutdown_nor_where_the_interval_is_zero() {
    let stopped = Lab::new("stopped", |builder| builder);
    stopped.tekton.shutdown().await;
    let never = Lab::new("never", |builder| {
        builder.configure(|config| *config = Config::default().with_reload_interval(Duration::ZERO))
    });
    for lab in [&stopped, &never] {
        lab.write(NEW);
        lab.pass(SETTLED).await;
        assert_eq!(lab.told().len(), 0);
    }
}
