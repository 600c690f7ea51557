//! How an Envoy is started.

use std::iter;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::Envoy;
use super::files::{Files, append};
use crate::module;
use crate::netns::Netns;
use crate::version::Version;

/// The group that every Envoy of the lab runs in, so that rules can tell its connections from
/// those of other local processes.
pub const ENVOY_GID: u32 = 1337;

/// Where Envoy looks for modules.
const SEARCH_PATH: &str = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH";

/// How to start an Envoy.
#[derive(Debug)]
pub struct Builder {
    host: Netns,
    version: Version,
    config: Value,
    concurrency: u32,
    log_level: String,
    module_log_level: String,
    under: Vec<String>,
    arguments: Vec<String>,
    modules: Option<PathBuf>,
    user: Option<u32>,
    restart: Option<u32>,
}

impl Builder {
    pub(super) fn new(host: &Netns, version: Version) -> Self {
        Self {
            host: host.clone(),
            version,
            config: Value::Null,
            concurrency: 1,
            log_level: "info".to_owned(),
            module_log_level: "debug".to_owned(),
            under: Vec::new(),
            arguments: Vec::new(),
            modules: None,
            user: None,
            restart: None,
        }
    }

    /// The whole config. An admin endpoint on 127.0.0.1:9901 is added if it has none.
    pub fn config(self, config: Value) -> Self {
        Self { config, ..self }
    }

    /// The number of worker threads; one if not said.
    pub fn concurrency(self, concurrency: u32) -> Self {
        Self {
            concurrency,
            ..self
        }
    }

    /// The log level; `info` if not said. Dynamic modules have their own.
    pub fn log_level(self, level: &str) -> Self {
        Self {
            log_level: level.to_owned(),
            ..self
        }
    }

    /// The log level of dynamic modules; `debug` if not said.
    pub fn module_log_level(self, level: &str) -> Self {
        Self {
            module_log_level: level.to_owned(),
            ..self
        }
    }

    /// Runs it under another program, such as valgrind, which takes Envoy's command line as its
    /// last arguments.
    pub fn under(self, command: &[&str]) -> Self {
        Self {
            under: command.iter().map(|word| (*word).to_owned()).collect(),
            ..self
        }
    }

    /// Adds a command-line argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The directory in which Envoy looks for modules; that of the module under test if not said.
    pub fn modules(self, directory: &Path) -> Self {
        Self {
            modules: Some(directory.to_owned()),
            ..self
        }
    }

    /// Runs it as this user instead of root, without any capability.
    pub fn user(self, id: u32) -> Self {
        Self {
            user: Some(id),
            ..self
        }
    }

    /// Takes part in hot restarts: epoch 0 is the first Envoy, and each next one takes over from the
    /// one before.
    pub fn restart_epoch(self, epoch: u32) -> Self {
        Self {
            restart: Some(epoch),
            ..self
        }
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// With its log if it does not come up.
    pub fn start(self) -> Envoy {
        let version = self.version;
        self.try_start()
            .unwrap_or_else(|log| panic!("Envoy {version} did not start:\n{log}"))
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// Its log if it ends instead, or is not ready within 3 minutes.
    pub fn try_start(mut self) -> Result<Envoy, String> {
        let admin = admin_address(&mut self.config);
        let files = Files::new(&self.config);
        let log = append(&files.log());
        let access_log = append(&files.access_log());
        if let Some(user) = self.user {
            files.give_to(user);
            let identity = [format!("--reuid={user}"), "--clear-groups".to_owned()];
            self.under
                .splice(0..0, iter::once("setpriv".to_owned()).chain(identity));
        }
        let mut command = match self.under.split_first() {
            Some((program, arguments)) => {
                let mut command = self.host.command(program);
                command.args(arguments).arg(self.version.binary());
                command
            }
            None => self.host.command(self.version.binary()),
        };
        prepare(&mut command, &self.config, &files.config());
        if let Some(directory) = &self.modules {
            command.env(SEARCH_PATH, directory);
        }
        match self.restart {
            Some(epoch) => command
                .args(["--base-id", &self.host.base_id().to_string()])
                .args(["--restart-epoch", &epoch.to_string()]),
            None => command.arg("--disable-hot-restart"),
        };
        let module_log_level = format!("dynamic_modules:{}", self.module_log_level);
        command
            .gid(ENVOY_GID)
            .args(["--concurrency", &self.concurrency.to_string()])
            .args(["--log-level", &self.log_level])
            .args(["--component-log-level", &module_log_level])
            .args(["--file-flush-interval-msec", "50"])
            .args(&self.arguments)
            .stdout(access_log)
            .stderr(log);
        let child = command.spawn().expect("run nsenter");
        let mut envoy = Envoy {
            host: self.host,
            admin,
            child,
            files,
        };
        match envoy.wait_ready() {
            true => Ok(envoy),
            false => Err(envoy.log()),
        }
    }
}

/// Tells Envoy where its config is, and where the module is if the config names one.
pub(super) fn prepare(command: &mut Command, config: &Value, path: &Path) {
    command
        .arg("--config-path")
        .arg(path)
        // Cargo's for tests; Envoy would look for modules there as well.
        .env_remove("LD_LIBRARY_PATH");
    if config.to_string().contains("DynamicModule") {
        let library = module::library();
        let directory = library.parent().unwrap_or(Path::new("."));
        command.env(SEARCH_PATH, directory);
    }
}

fn admin_address(config: &mut Value) -> SocketAddr {
    let address = &mut config["admin"]["address"]["socket_address"];
    if address.is_null() {
        *address = json!({ "address": "127.0.0.1", "port_value": 9901 });
    }
    let port = address["port_value"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok());
    SocketAddr::from(([127, 0, 0, 1], port.expect("an admin port")))
}
