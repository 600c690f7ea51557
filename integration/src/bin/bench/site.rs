//! Where it is measured.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use lab::{Builder, Envoy, Lab, To, Version};
use serde_json::Value;
use tempfile::TempDir;

use crate::load::connect;
use crate::subject::{MARK, Subject};

/// The lab, with a redirection for each subject.
pub struct Site {
    lab: Lab,
    version: Version,
    libraries: TempDir,
}

impl Site {
    pub fn new(version: Version) -> Self {
        let lab = Lab::new();
        for subject in Subject::all() {
            let asked = To::Port(subject.asked().port());
            lab.gateway.redirect(asked, subject.listener_port());
        }
        lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
        let port = Subject::RedirectMark.asked().port();
        lab.gateway.iptables(&format!(
            "-t mangle -A PREROUTING -i eth0 -p tcp --dport {port} -j MARK --set-mark {MARK}"
        ));
        Self {
            lab,
            version,
            libraries: libraries(),
        }
    }

    /// The subject's Envoy, to be started.
    pub fn envoy_of(&self, subject: Subject) -> Builder {
        self.envoy(subject.config())
    }

    /// An Envoy with this config, to be started. It has one worker.
    pub fn envoy(&self, config: Value) -> Builder {
        Envoy::builder(&self.lab.gateway, self.version)
            .log_level("warn")
            .module_log_level("info")
            .modules(self.libraries.path())
            .config(config)
    }

    /// Does what a client does, in its namespace.
    pub fn as_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.lab.client.run(work)
    }

    /// Makes so many connections.
    pub fn connect(&self, subject: Subject, connections: u32) {
        self.as_client(|| connect(subject, connections));
    }
}

/// A directory with the module and the SDK's examples, for Envoy to find them in.
fn libraries() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let module = lab::module::library();
    let examples = module.with_file_name("examples");
    let link = |library: PathBuf| {
        let path = library.display();
        assert!(library.is_file(), "{path} is not there: run `make bench`");
        let name = library.file_name().expect("a library");
        symlink(&library, directory.path().join(name)).expect("a new link");
    };
    for example in ["libempty.so", "libconstant.so", "libasking.so"] {
        link(examples.join(example));
    }
    link(module);
    directory
}
