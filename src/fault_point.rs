//! Panics where a test wants it, in builds with the feature `fault-point` only.

/// Panics if the file that the environment variable `ORIGINAL_DST_FAULT` names holds the name of
/// this hook.
#[cfg(feature = "fault-point")]
pub fn pass(hook: &str) {
    let wanted = std::env::var_os("ORIGINAL_DST_FAULT").map(std::fs::read_to_string);
    assert!(
        !matches!(wanted, Some(Ok(wanted)) if wanted == hook),
        "fault point {hook}"
    );
}

/// Nothing to do.
#[cfg(not(feature = "fault-point"))]
pub fn pass(_hook: &str) {}
