//! Links in what the library needs of the SDK, see sdk/build.rs.

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let argument = env::var("DEP_ENVOY_DYNAMIC_MODULE_LINK_ARG")?;
    println!("cargo::rustc-link-arg-cdylib={argument}");
    Ok(())
}
