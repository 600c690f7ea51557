//! Turns `include/abi.h` into Rust declarations, and tells modules what to link. On Linux that is the unwinder:
//! a distroless Envoy image lacks `libgcc_s.so.1`. On Windows it is an import library for Envoy's callbacks.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use bindgen::callbacks::{EnumVariantValue, ParseCallbacks};

/// Names a C enumerator as Envoy's SDK does: `…_address_type_Ip` is `address_type::Ip`.
#[derive(Debug)]
struct ShortVariantNames;

impl ParseCallbacks for ShortVariantNames {
    fn enum_variant_name(
        &self,
        _enum_name: Option<&str>,
        variant: &str,
        _value: EnumVariantValue,
    ) -> Option<String> {
        variant.rsplit('_').next().map(str::to_owned)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=include/abi.h");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    declarations(out)?;
    let argument = match env::var("CARGO_CFG_TARGET_OS")?.as_str() {
        "windows" => import_library(out)?,
        _ => unwinder(out)?,
    };
    println!("cargo::rustc-link-arg-examples={argument}");
    println!("cargo::metadata=link_arg={argument}");
    Ok(())
}

fn declarations(out: &Path) -> Result<(), Box<dyn Error>> {
    let bindings = bindgen::Builder::default()
        .header("include/abi.h")
        .allowlist_item("envoy_dynamic_module_.*")
        // Not a Rust enum: a value that Envoy sends and this header lacks must not be undefined
        // behaviour.
        .newtype_enum(".*")
        .prepend_enum_name(false)
        .parse_callbacks(Box::new(ShortVariantNames))
        .use_core()
        .layout_tests(false)
        .generate()?;
    bindings.write_to_file(out.join("abi.rs"))?;
    Ok(())
}

/// std asks the linker for `-lgcc_s`: in the directory made here, that is a script which names the
/// static halves. A module's build script passes the directory on to its linker.
fn unwinder(out: &Path) -> Result<String, Box<dyn Error>> {
    let directory = out.join("unwinder");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("libgcc_s.so"), "INPUT(-lgcc_eh -lgcc)\n")?;
    Ok(format!("-L{}", directory.display()))
}

/// A DLL names the file that each of its imports comes from when it is linked: for the callbacks that is
/// Envoy's executable, `envoy.exe` if the variable `ENVOY_EXE` does not name another.
fn import_library(out: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=ENVOY_EXE");
    let executable = env::var("ENVOY_EXE").unwrap_or_else(|_| "envoy.exe".to_owned());
    let declarations = fs::read_to_string(out.join("abi.rs"))?;
    let callbacks = declarations
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub fn ")?.split('(').next());
    let exports: String = callbacks.map(|name| format!("    {name}\n")).collect();
    let (definition, library) = (out.join("envoy.def"), out.join("libenvoy.a"));
    fs::write(
        &definition,
        format!("LIBRARY \"{executable}\"\nEXPORTS\n{exports}"),
    )?;
    let status = Command::new("x86_64-w64-mingw32-dlltool")
        .arg("--input-def")
        .arg(definition)
        .arg("--output-lib")
        .arg(&library)
        .status()?;
    if !status.success() {
        return Err(format!("dlltool: {status}").into());
    }
    Ok(library.display().to_string())
}
