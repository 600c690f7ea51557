//! The Envoys under test.

use std::path::PathBuf;
use std::{env, fmt};

/// The minor releases, each with its newest patch, from which scripts/common.sh takes them, too.
macro_rules! releases {
    ($($release:ident = $newest:literal,)+) => {
        /// A minor release of Envoy that the module serves; a later one is greater.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Version {
            $(#[doc = $newest] $release,)+
        }

        impl Version {
            /// All of them, the oldest first.
            pub const ALL: &'static [Version] = &[$(Self::$release,)+];

            /// The full number of its newest patch, such as `1.40.0`.
            pub fn newest(self) -> &'static str {
                match self {
                    $(Self::$release => $newest,)+
                }
            }
        }
    };
}

releases! {
    V1_37 = "1.37.0",
    V1_38 = "1.38.3",
    V1_39 = "1.39.3",
    V1_40 = "1.40.0",
}

impl Version {
    /// The release that the environment variable `ENVOY_VERSION` names, else all of them.
    ///
    /// # Panics
    /// If it names a release that is none of them.
    pub fn under_test() -> Vec<Version> {
        let Some(number) = chosen() else {
            return Self::ALL.to_vec();
        };
        let mut releases = Self::ALL.iter();
        let named = releases.find(|version| version.is_release_of(&number));
        vec![
            *named
                .unwrap_or_else(|| panic!("ENVOY_VERSION={number} is of none of {:?}", Self::ALL)),
        ]
    }

    /// The full number, such as `1.40.0`: the patch is that of `ENVOY_VERSION`, else the newest.
    pub fn number(self) -> String {
        chosen()
            .filter(|number| self.is_release_of(number))
            .unwrap_or_else(|| self.newest().to_owned())
    }

    fn is_release_of(self, number: &str) -> bool {
        let release = |number: &str| {
            number
                .rsplit_once('.')
                .map(|(release, _)| release.to_owned())
        };
        release(self.newest()) == release(number)
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

/// The patch that is to be tested.
fn chosen() -> Option<String> {
    env::var("ENVOY_VERSION").ok()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number())
    }
}
