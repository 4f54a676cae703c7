//! A terminal with the program on it.

use std::{
    io::{Read as _, Write},
    process::Command,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

use crate::program::{Home, program};

/// When a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Receiver<Vec<u8>>,
    child: Box<dyn Child + Send + Sync>,
    shown: String,
}

impl Terminal {
    pub(crate) fn run(home: &Home, arguments: &[&str]) -> Self {
        let pair = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new(program());
        command.args(arguments);
        command.cwd(home.path());
        command.env_clear();
        for (name, value) in &home.environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let (mut reader, keyboard) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            // An error is the end as well: a terminal that nobody holds open any more.
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master: pair.master, keyboard, screen, child, shown: String::new() }
    }

    /// Waits until the program has shown this.
    pub(crate) fn shows(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.shown.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("no {text:?} in {:?}", self.shown),
            }
        }
    }

    /// Whether what is typed is shown, as the terminal itself says.
    pub(crate) fn echoes(&self) -> bool {
        let name = self.master.tty_name().unwrap();
        let output = Command::new("stty").arg("-F").arg(name).arg("-a").output().unwrap();
        let settings = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && settings.contains("echo"), "{settings:?}");
        !settings.contains("-echo ")
    }

    /// Waits for the prompt, and for the terminal to have been told to show nothing. A person is slower than that.
    pub(crate) fn prompts(&mut self) {
        self.shows("(it will not be shown): ");
        let end = Instant::now() + PATIENCE;
        while self.echoes() {
            assert!(Instant::now() < end, "the terminal still echoes");
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until the program has ended.
    pub(crate) fn waits(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// How the program ended, and everything that was on the screen.
    pub(crate) fn ends(mut self) -> (ExitStatus, String) {
        let status = self.waits();
        // The reader ends with the last holder of the terminal's other side.
        while let Ok(bytes) = self.screen.recv_timeout(PATIENCE) {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status, self.shown)
    }
}
