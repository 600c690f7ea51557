//! Turns `include/abi.h` into Rust declarations, and keeps modules free of `libgcc_s.so.1`, which a
//! distroless Envoy image lacks: the unwinder is linked in.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

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
    unwinder(out)
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
fn unwinder(out: &Path) -> Result<(), Box<dyn Error>> {
    let directory = out.join("unwinder");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("libgcc_s.so"), "INPUT(-lgcc_eh -lgcc)\n")?;
    println!("cargo::rustc-link-arg=-L{}", directory.display());
    println!("cargo::metadata=unwinder={}", directory.display());
    Ok(())
}
