//! What a module of this process imports, put in other hands: Windows keeps the addresses of imported
//! functions in a table of the module that imports them. Source: Microsoft's description of the PE format.

use std::ffi::c_void;
use std::ptr;

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::Diagnostics::Debug::{
    IMAGE_DIRECTORY_ENTRY_IMPORT, IMAGE_NT_HEADERS64,
};
use windows_sys::Win32::System::Memory::{PAGE_READWRITE, VirtualProtect};
use windows_sys::Win32::System::SystemServices::{IMAGE_DOS_HEADER, IMAGE_IMPORT_DESCRIPTOR};

/// Has a module of this process call `new` wherever it calls `old` by import. Says in how many places.
///
/// # Safety
/// `module` is loaded and stays so, both are functions of the same signature, and no other thread is in it.
pub unsafe fn replace(module: HMODULE, old: *const c_void, new: *const c_void) -> usize {
    let base = module.cast::<u8>();
    // SAFETY: by its headers, a loaded module has a list of descriptors, which ends with one that is empty,
    // and for each a list of addresses, which ends with a null pointer.
    unsafe {
        let dos = &*base.cast::<IMAGE_DOS_HEADER>();
        let headers = &*base.add(dos.e_lfanew as usize).cast::<IMAGE_NT_HEADERS64>();
        let directory =
            headers.OptionalHeader.DataDirectory[usize::from(IMAGE_DIRECTORY_ENTRY_IMPORT)];
        let mut replaced = 0;
        let mut descriptor = base
            .add(directory.VirtualAddress as usize)
            .cast::<IMAGE_IMPORT_DESCRIPTOR>();
        while (*descriptor).FirstThunk != 0 {
            let mut slot = base
                .add((*descriptor).FirstThunk as usize)
                .cast::<*const c_void>();
            while !(*slot).is_null() {
                if ptr::eq(*slot, old) {
                    write(slot, new);
                    replaced += 1;
                }
                slot = slot.add(1);
            }
            descriptor = descriptor.add(1);
        }
        replaced
    }
}

/// # Safety
/// `slot` is a pointer of this process, in memory that may be read-only.
unsafe fn write(slot: *mut *const c_void, value: *const c_void) {
    let mut protection = 0;
    let size = size_of::<*const c_void>();
    // SAFETY: the caller vouches for the place; its protection is what it was when this returns.
    unsafe {
        VirtualProtect(slot.cast(), size, PAGE_READWRITE, &mut protection);
        slot.write(value);
        VirtualProtect(slot.cast(), size, protection, &mut protection);
    }
}
