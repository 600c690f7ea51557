//! The programmed answer to a question about the socket of the connection that is being accepted.

use std::ffi::{c_int, c_void};
use std::ptr;

use crate::filter::with_accepting;
#[cfg(windows)]
use crate::kernel::FIRST_FD;
use crate::kernel::{NOT_A_SOCKET, Question};

/// Puts the answer where the caller wants it, as much of it as there is room for. An option tells how much
/// that is, a name how much there was.
///
/// # Safety
/// `length` is readable and writable, and as many bytes as it says are writable at `room`.
pub(crate) unsafe fn put(
    fd: c_int,
    question: Question,
    room: *mut c_void,
    length: *mut u32,
) -> Result<(), c_int> {
    let answered = with_accepting(|filter| {
        let (own_fd, socket) = filter.connection.socket().ok_or(NOT_A_SOCKET)?;
        if own_fd != fd {
            return Err(NOT_A_SOCKET);
        }
        let bytes = socket.answer(question)?;
        // SAFETY: the caller vouches for it.
        unsafe {
            let fits = bytes.len().min(*length as usize);
            ptr::copy_nonoverlapping(bytes.as_ptr(), room.cast(), fits);
            let told = match question {
                Question::Option(..) => fits,
                Question::Name | Question::Peer | Question::Route => bytes.len(),
            };
            *length = told as u32;
        }
        Ok(())
    });
    answered.unwrap_or(Err(NOT_A_SOCKET))
}

/// Whether the answer is here: a programmed socket has all of its answers here, a real one those that are
/// programmed.
#[cfg(windows)]
pub(crate) fn is_here(fd: c_int, question: Question) -> bool {
    let is_here = with_accepting(|filter| {
        filter.connection.socket().is_some_and(|(own_fd, socket)| {
            own_fd == fd && (fd >= FIRST_FD || socket.programmed(question).is_some())
        })
    });
    is_here.unwrap_or(false)
}
