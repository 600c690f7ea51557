//! The library's ELF file: what it needs of a system and of Envoy, and what it offers.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use lab::{Version, module};
use object::elf::DT_NEEDED;
use object::read::elf::{Dyn, ElfFile64};
use object::{Endianness, Object, ObjectSymbol};

/// The libraries that every image with glibc has, distroless ones included.
const PRESENT: [&str; 3] = ["libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];

/// The newest glibc that may be asked for.
const GLIBC: [u32; 2] = [2, 34];

/// The hooks that Envoy calls.
const HOOKS: [&str; 10] = [
    "envoy_dynamic_module_on_listener_filter_config_destroy",
    "envoy_dynamic_module_on_listener_filter_config_new",
    "envoy_dynamic_module_on_listener_filter_destroy",
    "envoy_dynamic_module_on_listener_filter_get_max_read_bytes",
    "envoy_dynamic_module_on_listener_filter_new",
    "envoy_dynamic_module_on_listener_filter_on_accept",
    "envoy_dynamic_module_on_listener_filter_on_close",
    "envoy_dynamic_module_on_listener_filter_on_data",
    "envoy_dynamic_module_on_listener_filter_scheduled",
    "envoy_dynamic_module_on_program_init",
];

/// What matters of an ELF file.
#[derive(Debug)]
struct Elf {
    /// The libraries that it needs.
    needed: BTreeSet<String>,
    /// The versions of symbols that it asks of them, such as `GLIBC_2.17`.
    versions: BTreeSet<String>,
    /// The symbols that it does not define itself.
    undefined: BTreeSet<String>,
    /// The symbols that it offers.
    exported: BTreeSet<String>,
}

impl Elf {
    fn read(path: &Path) -> Self {
        let data = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&data).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn parse(data: &[u8]) -> object::Result<Self> {
        let file = ElfFile64::<Endianness>::parse(data)?;
        let (endian, sections) = (file.endian(), file.elf_section_table());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (mut needed, mut versions) = (BTreeSet::new(), BTreeSet::new());
        if let Some((entries, link)) = sections.dynamic(endian, data)? {
            let strings = sections.strings(endian, data, link)?;
            for entry in entries
                .iter()
                .filter(|entry| entry.tag32(endian) == Some(DT_NEEDED))
            {
                needed.insert(text(entry.string(endian, strings)?));
            }
        }
        if let Some((mut libraries, link)) = sections.gnu_verneed(endian, data)? {
            let strings = sections.strings(endian, data, link)?;
            while let Some((_, mut of_library)) = libraries.next()? {
                while let Some(version) = of_library.next()? {
                    versions.insert(text(version.name(endian, strings)?));
                }
            }
        }
        let names = |is_undefined: bool| {
            let symbols = file.dynamic_symbols().filter(move |symbol| {
                symbol.is_undefined() == is_undefined && (is_undefined || symbol.is_global())
            });
            symbols
                .filter_map(|symbol| Some(symbol.name().ok()?.to_owned()))
                .collect()
        };
        Ok(Self {
            needed,
            versions,
            undefined: names(true),
            exported: names(false),
        })
    }

    /// What keeps it from being loaded everywhere, if `glibc` is the oldest there is.
    fn complaints(&self, glibc: [u32; 2]) -> Vec<String> {
        let absent = self
            .needed
            .iter()
            .filter(|name| !PRESENT.contains(&name.as_str()));
        let too_new = self
            .versions
            .iter()
            .filter(|version| is_newer(version, glibc));
        let hooks = BTreeSet::from(HOOKS.map(str::to_owned));
        let missing = hooks.difference(&self.exported);
        let superfluous = self.exported.difference(&hooks);
        absent
            .map(|name| format!("needs {name}"))
            .chain(too_new.map(|version| format!("asks for {version}")))
            .chain(missing.map(|name| format!("lacks {name}")))
            .chain(superfluous.map(|name| format!("exports {name}")))
            .collect()
    }
}

/// Whether a version of symbols is one of a newer glibc. Those of other libraries, and private
/// ones such as `GLIBC_PRIVATE`, count as newer than any.
fn is_newer(version: &str, glibc: [u32; 2]) -> bool {
    let numbers = version
        .strip_prefix("GLIBC_")
        .map(|numbers| numbers.split('.'));
    let numbers: Option<Vec<u32>> = numbers.and_then(|n| n.map(|n| n.parse().ok()).collect());
    numbers.is_none_or(|numbers| numbers[..] > glibc[..] && !numbers.starts_with(&glibc))
}

#[test]
fn it_loads_wherever_envoy_does() {
    let library = Elf::read(&module::library());
    assert_eq!(library.complaints(GLIBC), Vec::<String>::new());
    // An empty list of needs would pass as well.
    assert!(library.needed.contains("libc.so.6"), "{library:?}");
    assert!(library.versions.len() > 1, "{library:?}");
}

/// The checks above are able to fail: this very program is no module.
#[test]
fn another_file_has_faults() {
    let program = Elf::read(&env::current_exe().expect("our own path"));
    let complaints = program.complaints(GLIBC);
    assert!(
        complaints.contains(&"needs libgcc_s.so.1".to_owned()),
        "{complaints:?}"
    );
    for hook in HOOKS {
        assert!(
            complaints.contains(&format!("lacks {hook}")),
            "{complaints:?}"
        );
    }
    let library = Elf::read(&module::library());
    let complaints = library.complaints([2, 16]);
    assert!(
        complaints.contains(&"asks for GLIBC_2.17".to_owned()),
        "{complaints:?}"
    );
    assert!(
        !complaints.contains(&"asks for GLIBC_2.2.5".to_owned()),
        "{complaints:?}"
    );
    for (version, is_too_new) in [
        ("GLIBC_2.34", false),
        ("GLIBC_2.34.1", false),
        ("GLIBC_2.35", true),
        ("GLIBC_2.4", false),
        ("GLIBC_3.0", true),
        ("GLIBC_PRIVATE", true),
        ("GCC_3.0", true),
    ] {
        assert_eq!(is_newer(version, GLIBC), is_too_new, "{version}");
    }
}

/// What is linked must be there when the library is loaded: what only some versions have is to be
/// looked up instead.
#[test]
fn every_envoy_has_the_callbacks_that_are_linked() {
    let library = Elf::read(&module::library());
    let callbacks: BTreeSet<String> = library
        .undefined
        .into_iter()
        .filter(|name| name.starts_with("envoy_dynamic_module_callback_"))
        .collect();
    assert!(!callbacks.is_empty());
    for version in Version::under_test() {
        let envoy = Elf::read(&version.binary());
        let lacking: Vec<&String> = callbacks.difference(&envoy.exported).collect();
        assert!(lacking.is_empty(), "{version} has no {lacking:?}");
    }
}
