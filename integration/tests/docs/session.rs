//! Commands of a page, run in the order of the page in one shell, and compared with the outputs
//! that stand below them.

use std::path::Path;
use std::process::{Command, Stdio};

use lab::{Netns, Version, workspace};

use crate::log_lines::is_like;
use lab::markdown::{Block, Document};

/// What the commands above it print; `<…>` stands for any text.
pub const OUTPUT: &str = "text output";
/// Ends the kind of commands that say something else in each version of a program: they have to succeed.
const LOUD: &str = " loud";
/// Stands in the output behind what a block has printed.
const END: &str = "---- end of block";
/// What Bash itself says of background jobs that a page ends.
const ENDED_JOB: &str = " Terminated ";

/// Some commands, or a file that they need.
struct Step {
    script: String,
    prints: String,
}

/// A shell with the blocks of pages.
pub struct Session {
    before: String,
    steps: Vec<Step>,
}

impl Session {
    /// A shell in the root of the workspace that runs `before` first, which prints nothing.
    pub fn new(before: &str) -> Self {
        Self {
            before: before.to_owned(),
            steps: Vec::new(),
        }
    }

    /// Takes those commands of a page whose kind is one of these, their outputs, and the files that
    /// the page shows: `sh KIND` or `sh KIND loud`, `text output`, `yaml FILE`.
    pub fn page(mut self, page: &str, kinds: &[&str]) -> Self {
        let blocks = Document::read(page).blocks();
        let mut is_taken = false;
        let known = self.steps.len();
        for Block { info, code } in blocks {
            let (language, rest) = info.split_once(' ').unwrap_or((&info, ""));
            match language {
                "sh" => {
                    let loud = rest.strip_suffix(LOUD);
                    is_taken = kinds.contains(&loud.unwrap_or(rest));
                    if is_taken && loud.is_some() {
                        self.push(format!(
                            "{{\n{code}}} >/dev/null 2>&1 || echo \"failed: $?\""
                        ));
                    } else if is_taken {
                        self.push(code);
                    }
                }
                "text" if info == OUTPUT && is_taken => {
                    let step = self.steps.last_mut().expect("commands above their output");
                    assert!(step.prints.is_empty(), "{page}: two outputs:\n{code}");
                    step.prints = code;
                }
                "text" if info == OUTPUT => {}
                _ if rest.contains('/') => {
                    self.push(format!("cat > {rest} <<'END_OF_FILE'\n{code}END_OF_FILE\n"))
                }
                _ => {}
            }
        }
        assert!(
            self.steps.len() > known,
            "{page}: no commands: this checks nothing"
        );
        self
    }

    /// Commands that stand on no page, and what they have to print.
    pub fn then(mut self, script: &str, prints: &str) -> Self {
        self.push(script.to_owned());
        self.steps.last_mut().expect("just pushed").prints = prints.to_owned();
        self
    }

    fn push(&mut self, script: String) {
        self.steps.push(Step {
            script,
            prints: String::new(),
        });
    }

    /// Runs all of it in the shell that `command` starts.
    ///
    /// # Panics
    /// If what a block prints is not what stands below it, or it prints without that.
    pub fn run(&self, command: &mut Command) {
        let mut script = format!("exec 2>&1\n{}\n", self.before);
        for step in &self.steps {
            script += &format!("{}\necho '{END}'\n", step.script);
        }
        command
            .current_dir(workspace())
            .env("PATH", path())
            .env_remove("LD_LIBRARY_PATH")
            // Not by its input, which the commands may read.
            .args(["-c", &script])
            .stdin(Stdio::null());
        let output = command.output().expect("run a shell");
        let output = String::from_utf8_lossy(&output.stdout);
        let printed: Vec<&str> = output.split_inclusive(&format!("{END}\n")).collect();
        for (number, step) in self.steps.iter().enumerate() {
            let printed = printed
                .get(number)
                .copied()
                .unwrap_or("nothing: the shell ended\n");
            let printed = without_jobs(printed.trim_end_matches(&format!("{END}\n")));
            assert!(
                lines_are_like(&printed, &step.prints),
                "these commands:\n{}---- should print:\n{}---- and printed:\n{printed}",
                step.script,
                step.prints
            );
        }
    }
}

/// A shell on a host, and with directories for temporary files and for namespaces, of its own; its
/// processes end with it.
pub fn own_host() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net"]).args(OWN);
    command
}

/// The same on a host of the lab.
pub fn host(host: &Netns) -> Command {
    let mut command = host.command("unshare");
    command.args(OWN);
    command
}

const OWN: [&str; 6] = [
    "--mount",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
    "bash",
];

/// What a page takes for granted on a host of its own.
pub const OWN_HOST: &str = "\
ip link set lo up
mount -t tmpfs none /tmp
mount -t tmpfs none /dev/shm
mkdir -p /run/netns
mount -t tmpfs none /run/netns";

/// What a page takes for granted on a host of the lab.
pub const OWN_DIRECTORIES: &str = "\
mount -t tmpfs none /tmp
mount -t tmpfs none /dev/shm";

/// The programs of this host, and the newest Envoy.
fn path() -> String {
    let newest = Version::V1_40.binary();
    let envoy = newest.parent().unwrap_or(Path::new("."));
    let others = std::env::var("PATH").unwrap_or_default();
    format!("{}:{others}", envoy.display())
}

fn without_jobs(printed: &str) -> String {
    let lines = printed.split_inclusive('\n');
    lines.filter(|line| !line.contains(ENDED_JOB)).collect()
}

fn lines_are_like(printed: &str, wanted: &str) -> bool {
    let (printed, wanted): (Vec<_>, Vec<_>) = (printed.lines().collect(), wanted.lines().collect());
    printed.len() == wanted.len()
        && printed
            .iter()
            .zip(&wanted)
            .all(|(line, wanted)| is_like(line, wanted))
}
