//! Winsock's `getsockopt`, `getsockname` and `getpeername`: a module's imports of them are led here. The
//! socket of the connection that is being accepted is answered for, as far as its answers are programmed,
//! all others by Windows.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::Networking::WinSock::{SOCKADDR, SOCKET, SOCKET_ERROR, WSASetLastError};
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryA};

use crate::answer::{is_here, put};
use crate::imports;
use crate::kernel::Question;

type AskOption = unsafe extern "system" fn(SOCKET, i32, i32, *mut c_void, *mut i32) -> i32;
type AskName = unsafe extern "system" fn(SOCKET, *mut SOCKADDR, *mut i32) -> i32;

/// Windows' own functions.
struct Real {
    option: AskOption,
    name: AskName,
    peer: AskName,
}

static REAL: OnceLock<Real> = OnceLock::new();

/// Leads the questions of a module of this process here. Says how many of its imports that took.
///
/// # Safety
/// `module` is loaded and stays so, and no other thread is in it.
pub unsafe fn take_over(module: HMODULE) -> usize {
    let real = real();
    let (option, name, peer): (AskOption, AskName, AskName) = (option, name, peer);
    [
        (real.option as *const c_void, option as *const c_void),
        (real.name as *const c_void, name as *const c_void),
        (real.peer as *const c_void, peer as *const c_void),
    ]
    .into_iter()
    // SAFETY: each pair has one signature, and the caller vouches for the module.
    .map(|(old, new)| unsafe { imports::replace(module, old, new) })
    .sum()
}

fn real() -> &'static Real {
    REAL.get_or_init(|| {
        // SAFETY: Winsock's functions of these names have these signatures.
        unsafe {
            Real {
                option: mem::transmute::<*const c_void, AskOption>(winsock(c"getsockopt")),
                name: mem::transmute::<*const c_void, AskName>(winsock(c"getsockname")),
                peer: mem::transmute::<*const c_void, AskName>(winsock(c"getpeername")),
            }
        }
    })
}

fn winsock(function: &CStr) -> *const c_void {
    // SAFETY: both names end with a NUL.
    let found = unsafe {
        let library = LoadLibraryA(c"ws2_32.dll".as_ptr().cast());
        GetProcAddress(library, function.as_ptr().cast())
    };
    found.expect("a function of Winsock") as *const c_void
}

/// # Safety
/// As Winsock's.
unsafe extern "system" fn option(
    socket: SOCKET,
    level: i32,
    name: i32,
    value: *mut c_void,
    length: *mut i32,
) -> i32 {
    let question = Question::Option(level, name);
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        answer(socket, question, value, length, || {
            (real().option)(socket, level, name, value, length)
        })
    }
}

/// # Safety
/// As Winsock's.
unsafe extern "system" fn name(socket: SOCKET, name: *mut SOCKADDR, length: *mut i32) -> i32 {
    let question = Question::Name;
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        answer(socket, question, name.cast(), length, || {
            (real().name)(socket, name, length)
        })
    }
}

/// # Safety
/// As Winsock's.
unsafe extern "system" fn peer(socket: SOCKET, name: *mut SOCKADDR, length: *mut i32) -> i32 {
    let question = Question::Peer;
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        answer(socket, question, name.cast(), length, || {
            (real().peer)(socket, name, length)
        })
    }
}

/// The answer, as Winsock tells it: the programmed one, or else that of `windows`.
///
/// # Safety
/// As of [`put`].
unsafe fn answer(
    socket: SOCKET,
    question: Question,
    room: *mut c_void,
    length: *mut i32,
    windows: impl FnOnce() -> i32,
) -> i32 {
    let fd = socket as c_int;
    if !is_here(fd, question) {
        return windows();
    }
    // SAFETY: the caller vouches for the pointers.
    match unsafe { put(fd, question, room, length.cast()) } {
        Ok(()) => 0,
        Err(error) => {
            // SAFETY: callable at any time.
            unsafe { WSASetLastError(error) };
            SOCKET_ERROR
        }
    }
}
