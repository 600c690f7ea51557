//! Envoy's ABI as bindgen reads it from `include/abi.h`: raw, unsafe, with the names of C.

#![allow(non_camel_case_types, non_upper_case_globals, missing_docs)]

include!(concat!(env!("OUT_DIR"), "/abi.rs"));
