//! The C library's getsockopt(2), getsockname(2), getpeername(2) and recv(2): the socket of the connection
//! that is being accepted is answered for here, all others by the real kernel.

use std::ffi::{c_int, c_void};

use libc::socklen_t;

use crate::answer::put;
use crate::filter::with_accepting;
use crate::kernel::{FIRST_FD, Question};

/// The C library's answer for a programmed socket.
///
/// # Safety
/// As of [`put`].
unsafe fn answer(
    fd: c_int,
    question: Question,
    room: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    // SAFETY: the caller vouches for the pointers.
    match unsafe { put(fd, question, room, length) } {
        Ok(()) => 0,
        Err(errno) => {
            // SAFETY: the C library's place for this thread's errno.
            unsafe { *libc::__errno_location() = errno };
            -1
        }
    }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    if fd >= FIRST_FD {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { answer(fd, Question::Option(level, name), value, length) };
    }
    // SAFETY: passed on as it came.
    unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, value, length) as c_int }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockname(fd: c_int, name: *mut c_void, length: *mut socklen_t) -> c_int {
    if fd >= FIRST_FD {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { answer(fd, Question::Name, name, length) };
    }
    // SAFETY: passed on as it came.
    unsafe { libc::syscall(libc::SYS_getsockname, fd, name, length) as c_int }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getpeername(fd: c_int, name: *mut c_void, length: *mut socklen_t) -> c_int {
    if fd >= FIRST_FD {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { answer(fd, Question::Peer, name, length) };
    }
    // SAFETY: passed on as it came.
    unsafe { libc::syscall(libc::SYS_getpeername, fd, name, length) as c_int }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn recv(fd: c_int, room: *mut c_void, length: usize, flags: c_int) -> isize {
    let programmed = with_accepting(|filter| {
        let (_, socket) = filter.connection.socket()?;
        let answer = socket.programmed(Question::Route)?;
        Some(answer.map(|bytes| {
            let fits = bytes.len().min(length);
            // SAFETY: the caller vouches for the room.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room.cast(), fits) };
            fits
        }))
    });
    match programmed.flatten() {
        Some(Ok(fits)) => fits as isize,
        Some(Err(errno)) => {
            // SAFETY: the C library's place for this thread's errno.
            unsafe { *libc::__errno_location() = errno };
            -1
        }
        // SAFETY: passed on as it came.
        None => unsafe {
            let nobody = std::ptr::null_mut::<c_void>();
            libc::syscall(libc::SYS_recvfrom, fd, room, length, flags, nobody, nobody) as isize
        },
    }
}
