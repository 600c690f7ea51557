//! Bytes on their way across the ABI.

use std::ptr;
use std::slice;

use crate::abi::{
    envoy_dynamic_module_type_envoy_buffer as FromEnvoy,
    envoy_dynamic_module_type_module_buffer as ToEnvoy,
    envoy_dynamic_module_type_module_key_value_pair as PairToEnvoy,
};

/// What an out-parameter holds before Envoy fills it.
pub(crate) const NOTHING: FromEnvoy = FromEnvoy {
    ptr: ptr::null(),
    length: 0,
};

/// Lends text to Envoy for one call.
pub(crate) fn lend(text: &str) -> ToEnvoy {
    lend_bytes(text.as_bytes())
}

/// Lends bytes to Envoy for one call.
pub(crate) fn lend_bytes(bytes: &[u8]) -> ToEnvoy {
    ToEnvoy {
        ptr: bytes.as_ptr().cast(),
        length: bytes.len(),
    }
}

/// What stands where there is no pair.
pub(crate) const NO_PAIR: PairToEnvoy = PairToEnvoy {
    key_ptr: ptr::null(),
    key_length: 0,
    value_ptr: ptr::null(),
    value_length: 0,
};

/// Lends a key with its value to Envoy for one call.
pub(crate) fn lend_pair(key: &str, value: &str) -> PairToEnvoy {
    PairToEnvoy {
        key_ptr: key.as_ptr().cast(),
        key_length: key.len(),
        value_ptr: value.as_ptr().cast(),
        value_length: value.len(),
    }
}

/// Reads bytes that Envoy owns; nothing where Envoy gives a null pointer, which some callbacks do
/// while they report success.
///
/// # Safety
/// If the pointer is not null, `length` bytes behind it are readable and do not change for `'a`.
pub(crate) unsafe fn borrow<'a>(buffer: FromEnvoy) -> Option<&'a [u8]> {
    if buffer.ptr.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller vouches for the rest.
    Some(unsafe { slice::from_raw_parts(buffer.ptr.cast(), buffer.length) })
}
