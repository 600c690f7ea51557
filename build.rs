//! Links the unwinder in, see sdk/build.rs.

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let unwinder = env::var("DEP_ENVOY_DYNAMIC_MODULE_UNWINDER")?;
    println!("cargo::rustc-link-arg-cdylib=-L{unwinder}");
    Ok(())
}
