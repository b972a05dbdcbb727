//! Runs that stop themselves at a failpoint, so that a test can do something in the middle of them.
//!
//! Invariant: a run that was stopped is let go on or killed, whatever the test says.

use crate::support::{Output, Trueup};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::process::{Child, Command};

/// A run that stopped itself at a failpoint. Killed at the end, whatever the test says.
#[derive(Debug)]
pub(crate) struct Stopped(Option<Child>);

impl Stopped {
    /// Runs up to `failpoint` (`name` or `name:n`), which must be passed.
    #[track_caller]
    pub(crate) fn at(failpoint: &str, run: Trueup) -> Self {
        match Self::or_ended(failpoint, run) {
            Ok(stopped) => stopped,
            Err(output) => panic!("it ended before {failpoint}\n{output}"),
        }
    }

    /// Runs up to `failpoint`, or to the end where it is not passed.
    pub(crate) fn or_ended(failpoint: &str, run: Trueup) -> Result<Self, Output> {
        let armed = if failpoint.contains(':') {
            format!("{failpoint}:stop")
        } else {
            format!("{failpoint}:1:stop")
        };
        let run = run.env("TRUEUP_FAILPOINT", armed);
        Self::wait(run.spawn())
    }

    /// Starts a command that is armed already, and waits until it has stopped itself.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        match Self::wait(command.spawn().unwrap()) {
            Ok(stopped) => stopped,
            Err(output) => panic!("it ended before its failpoint\n{output}"),
        }
    }

    fn wait(child: Child) -> Result<Self, Output> {
        let mut stopped = Self(Some(child));
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(stopped.pid()), options)
            .unwrap()
            .unwrap();
        if status.stopped() {
            Ok(stopped)
        } else {
            Err(stopped.end())
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Lets it go on, to its end.
    pub(crate) fn go_on(mut self) -> Output {
        self.signal(Signal::CONT);
        self.end()
    }

    /// Kills it where it stands.
    pub(crate) fn kill(mut self) -> Output {
        self.signal(Signal::KILL);
        self.end()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.0.as_ref().unwrap())
    }

    fn end(&mut self) -> Output {
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        Output {
            shown: "the run that was stopped".to_owned(),
            folder: std::env::temp_dir(),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
