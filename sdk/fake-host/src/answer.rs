//! The programmed answer to a question about the socket of the connection that is being accepted.

use std::ffi::{c_int, c_void};
use std::ptr;

use crate::filter::with_accepting;
use crate::kernel::{FIRST_FD, Question};

/// Puts the answer where the caller wants it, as much of it as there is room for. An option tells how much
/// that is, a name how much there was. `None` if the socket is another, or the real kernel is to answer.
///
/// # Safety
/// `length` is readable and writable, and as many bytes as it says are writable at `room`.
pub(crate) unsafe fn put(
    fd: c_int,
    question: Question,
    room: *mut c_void,
    length: *mut u32,
) -> Option<Result<(), c_int>> {
    let answered = with_accepting(|filter| {
        let (own_fd, socket) = filter.connection.socket()?;
        let is_programmed = fd >= FIRST_FD || socket.programmed(question).is_some();
        if own_fd != fd || !is_programmed {
            return None;
        }
        Some(socket.answer(question).map(|bytes| {
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
        }))
    });
    answered.flatten()
}
