//! Processes that do what they are told, a line at a time.

use std::{
    env, fs,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A process of this program in one of its roles. It ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    told: Option<ChildStdin>,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) fn start(role: &str) -> Self {
        let program = env::current_exe().expect("the system tells what runs");
        // As many files as are allowed at all.
        let mut child = Command::new("sh")
            .args(["-c", r#"ulimit -S -n "$(ulimit -H -n)"; exec "$0""#])
            .arg(program)
            .env("LOAD_ROLE", role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { told: child.stdin.take(), said, child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it says next.
    pub(crate) fn line(&mut self) -> String {
        self.said.next().expect("the process goes on").expect("it speaks text")
    }

    /// Tells it something, and gives its answer.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let told = self.told.as_mut().expect("it is told until the end");
        writeln!(told, "{line}").expect("the process goes on");
        self.line()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.told = None;
        let _ = self.child.wait();
    }
}

/// Answers each line from the parent, until it hangs up.
pub(crate) fn answer(mut with: impl FnMut(&[&str]) -> String) {
    for line in std::io::stdin().lines() {
        let line = line.expect("the parent speaks text");
        let words: Vec<&str> = line.split(' ').collect();
        println!("{}", with(&words));
    }
}

/// A number among the words that were told.
pub(crate) fn number(words: &[&str], at: usize) -> usize {
    words[at].parse().expect("the parent tells numbers")
}

/// The memory of a process that is in use, in bytes.
pub(crate) fn rss(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") * 1024
}

/// The processor's time that a process had, in seconds.
pub(crate) fn cpu(process: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let each = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    each.sum::<f64>() / 1e9
}
