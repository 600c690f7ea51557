//! The Envoys under test.

use std::path::PathBuf;
use std::{env, fmt};

/// A release of Envoy that the module serves; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 1.37.0
    V1_37,
    /// 1.38.3
    V1_38,
    /// 1.39.3
    V1_39,
    /// 1.40.0
    V1_40,
}

impl Version {
    /// All of them, the oldest first.
    pub const ALL: [Version; 4] = [Self::V1_37, Self::V1_38, Self::V1_39, Self::V1_40];

    /// The version in the environment variable `ENVOY_VERSION`, else all of them.
    ///
    /// # Panics
    /// If it names a version that is none of them.
    pub fn under_test() -> Vec<Version> {
        let Ok(name) = env::var("ENVOY_VERSION") else {
            return Self::ALL.to_vec();
        };
        let named = Self::ALL
            .into_iter()
            .find(|version| version.number() == name);
        vec![named.unwrap_or_else(|| panic!("ENVOY_VERSION={name} is none of {:?}", Self::ALL))]
    }

    /// The full number, such as `1.40.0`.
    pub fn number(self) -> &'static str {
        match self {
            Self::V1_37 => "1.37.0",
            Self::V1_38 => "1.38.3",
            Self::V1_39 => "1.39.3",
            Self::V1_40 => "1.40.0",
        }
    }

    /// The binary, under the directory in the environment variable `ENVOY_DIR`, else under
    /// `target/envoy`.
    ///
    /// # Panics
    /// If it is not there.
    pub fn binary(self) -> PathBuf {
        let directory = env::var_os("ENVOY_DIR")
            .map_or_else(|| crate::workspace().join("target/envoy"), PathBuf::from);
        let binary = directory.join(self.number()).join("envoy/_bin/envoy");
        assert!(
            binary.is_file(),
            "{} is not there: run `make setup`",
            binary.display()
        );
        binary
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}
