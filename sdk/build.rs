//! Turns `include/abi.h` into Rust declarations.

use std::env;
use std::error::Error;
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
    println!("cargo::rerun-if-changed=include/abi.h");
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
    bindings.write_to_file(Path::new(&env::var("OUT_DIR")?).join("abi.rs"))?;
    Ok(())
}
