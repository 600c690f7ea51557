//! The sysctl `net.ipv4.tcp_fwmark_accept` of this thread. This crate's open64(3) takes the place of
//! the C library's, and gives that file another content where a test wants it.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint};

const PATH: &CStr = c"/proc/sys/net/ipv4/tcp_fwmark_accept";

thread_local! {
    static CONTENT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// What this thread reads from now on: `None` is what the host says.
pub fn set_fwmark_accept(content: Option<&'static str>) {
    CONTENT.set(content);
}

/// A file in memory that holds this text and is read from its beginning.
fn file(text: &str) -> c_int {
    // SAFETY: the name ends with a NUL; the text is readable.
    unsafe {
        let fd = libc::memfd_create(c"sysctl".as_ptr(), libc::MFD_CLOEXEC);
        libc::pwrite(fd, text.as_ptr().cast(), text.len(), 0);
        fd
    }
}

/// # Safety
/// As the C library's. Its last argument is only there with `O_CREAT`; on the platforms that this is for,
/// one that is missing is a register that nobody reads.
// SAFETY: the C library's takes the same registers.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller vouches for the path.
    let is_it = unsafe { CStr::from_ptr(path) } == PATH;
    match CONTENT.get() {
        Some(text) if is_it => file(text),
        // SAFETY: passed on as it came.
        _ => unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int },
    }
}
