//! Plays scenes in processes of their own: signals sent to a test's process would hit the whole
//! harness, and how a process ends can only be seen from outside.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, kill_process, waitpid};

use crate::scenes::{Act, Ended, Flavour, Played, Scene};

/// No line for so long means that the scene hangs: only to end a test that has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Plays a scene on a production loop of `flavour`, in a child process of `program`, which is
/// `env!("CARGO_BIN_EXE_scenes")`.
///
/// # Panics
/// If the child cannot be started, says nothing for two minutes, or ends before the script does.
#[must_use]
#[track_caller]
pub fn play(program: impl AsRef<Path>, scene: &Scene, flavour: Flavour) -> Played {
    let mut child = Running::start(program.as_ref(), scene, flavour);
    let mut script = scene.script.iter();
    let mut next = script.next();
    let mut lines = Vec::new();
    while let Some(line) = child.line(&lines) {
        while let Some(cue) = next.filter(|cue| cue.after == line) {
            child.act(cue.act);
            next = script.next();
        }
        lines.push(line);
    }
    let ended = child.ended();
    assert!(
        next.is_none(),
        "scene {} ended with {ended:?} before {next:?}, and had said {lines:?}",
        scene.name
    );
    Played { lines, ended }
}

/// A child that plays; killed if the test gives up on it.
struct Running {
    child: Child,
    said: Receiver<String>,
}

impl Running {
    fn start(program: &Path, scene: &Scene, flavour: Flavour) -> Self {
        let mut child = Command::new(program)
            .args([scene.name, flavour.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program of scenes starts");
        let stdout = child.stdout.take().expect("it is piped");
        let (say, said) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.map_while(|line| say.send(line).ok()).for_each(drop);
        });
        Self { child, said }
    }

    /// The next line; `None` once it can say nothing more.
    fn line(&self, so_far: &[String]) -> Option<String> {
        match self.said.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("no line for {PATIENCE:?}: it had said {so_far:?}")
            }
        }
    }

    fn act(&mut self, act: Act) {
        let Act::Signal(signal) = act;
        let signal = rustix::process::Signal::from_named_raw(signal).expect("it has a name");
        // It is not waited for yet, so its id is its own.
        kill_process(Pid::from_child(&self.child), signal).expect("it is our child");
        if signal == rustix::process::Signal::STOP {
            self.await_stop();
        }
        // Tells that it is done. Who was ended by it does not hear.
        let _ = self
            .child
            .stdin
            .as_mut()
            .map(|stdin| stdin.write_all(b"\n"));
    }

    /// What is sent next is to find it stopped: the kernel takes the lowest signal first.
    fn await_stop(&self) {
        let options = WaitOptions::UNTRACED;
        let stopped = waitpid(Some(Pid::from_child(&self.child)), options);
        let (_, status) = stopped
            .expect("it is our child")
            .expect("it was waited for");
        assert!(status.stopped(), "{status:?}");
    }

    /// How it ended. It has closed its standard output, and ends now if it has not.
    fn ended(&mut self) -> Ended {
        let status = self.child.wait().expect("it is our child");
        ended(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Refused where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => unreachable!("a process that was waited for has ended"),
    }
}
