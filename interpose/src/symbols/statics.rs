//! Which memory is the program's static data.
//!
//! A lock in a static is shared with whatever else the process runs, which releases it in real time.

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::slice;
use std::sync::OnceLock;

use libc::dl_phdr_info;

/// Whether the address is of a variable of the program, or of a library that was loaded when this
/// was first asked. On no account is one on the heap, on a stack, or of a thread.
pub(super) fn contains(address: usize) -> bool {
    static SEGMENTS: OnceLock<Vec<Range<usize>>> = OnceLock::new();
    let segments = SEGMENTS.get_or_init(|| {
        let mut segments = Vec::new();
        let list = (&raw mut segments).cast();
        // SAFETY: `add` takes the list to be what it is, and is not called after this.
        unsafe { libc::dl_iterate_phdr(Some(add), list) };
        segments
    });
    segments.iter().any(|segment| segment.contains(&address))
}

/// # Safety
/// `info` is of `dl_iterate_phdr`, and `segments` is a list of this function's alone.
unsafe extern "C" fn add(info: *mut dl_phdr_info, _: usize, segments: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    let (info, segments) = unsafe { (&*info, &mut *segments.cast::<Vec<Range<usize>>>()) };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: an object has that many headers there.
    let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    for header in headers {
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W != 0 {
            let start = info.dlpi_addr.wrapping_add(header.p_vaddr) as usize;
            segments.push(start..start.wrapping_add(header.p_memsz as usize));
        }
    }
    0
}
