//! Lets a panic unwind where glibc is older than 2.35.
//!
//! GCC's unwinder, which is linked in, asks `_dl_find_object` for the tables of a function. Only
//! glibc 2.35 has that; this one asks dl_iterate_phdr(3), which all have, and is hidden, so that it
//! serves this library alone.

use std::arch::global_asm;
use std::ffi::{c_int, c_void};
use std::ptr;

use libc::{dl_phdr_info, size_t};

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _dl_find_object",
    ".hidden _dl_find_object",
    "_dl_find_object: jmp {find_object}",
    find_object = sym find_object,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _dl_find_object",
    ".hidden _dl_find_object",
    "_dl_find_object: b {find_object}",
    find_object = sym find_object,
);

/// glibc's `struct dl_find_object` (dlfcn.h).
#[repr(C)]
struct FoundObject {
    flags: u64,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *mut c_void,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

/// What is looked for, and what was found.
struct Search {
    address: usize,
    eh_frame: usize,
    map: (usize, usize),
}

/// Finds the loaded object that `address` is in: 0 and `found` filled, or -1.
unsafe extern "C" fn find_object(address: *mut c_void, found: *mut FoundObject) -> c_int {
    let mut search = Search {
        address: address as usize,
        eh_frame: 0,
        map: (0, 0),
    };
    // SAFETY: `visit` is called during this call only, with the pointer to `search`.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    if search.eh_frame == 0 {
        return -1;
    }
    // SAFETY: the unwinder gives a place for the answer.
    unsafe {
        found.write(FoundObject {
            flags: 0,
            map_start: search.map.0 as *mut c_void,
            map_end: search.map.1 as *mut c_void,
            link_map: ptr::null_mut(),
            eh_frame: search.eh_frame as *mut c_void,
            reserved: [0; 7],
        });
    }
    0
}

/// Looks at one loaded object; 1 ends the search.
unsafe extern "C" fn visit(info: *mut dl_phdr_info, _size: size_t, search: *mut c_void) -> c_int {
    // SAFETY: the loader lends `info` and its headers, `find_object` lends `search`.
    let (base, headers, search) = unsafe {
        let info = &*info;
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
        (
            info.dlpi_addr as usize,
            headers,
            &mut *search.cast::<Search>(),
        )
    };
    let mut map = None;
    let mut eh_frame = 0;
    for header in headers {
        let start = base.wrapping_add(header.p_vaddr as usize);
        let end = start.wrapping_add(header.p_memsz as usize);
        match header.p_type {
            libc::PT_LOAD if (start..end).contains(&search.address) => map = Some((start, end)),
            libc::PT_GNU_EH_FRAME => eh_frame = start,
            _ => {}
        }
    }
    let Some(map) = map else { return 0 };
    (search.map, search.eh_frame) = (map, eh_frame);
    1
}
