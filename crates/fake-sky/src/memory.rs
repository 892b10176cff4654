//! Memory of a known size.

use crate::procfs;

/// From this size on, glibc always takes memory straight from the kernel and
/// gives it straight back. Below, a freed block may stay resident.
const ALWAYS_MAPPED: usize = 33 << 20;

/// Takes so much memory that this process has `mib` resident.
///
/// The caller keeps the result for as long as the memory is to stay.
pub fn fill_to(mib: usize) -> Vec<u8> {
    let resident = procfs::own_memory_kib("VmRSS").and_then(|kib| usize::try_from(kib).ok());
    touched((mib << 20).saturating_sub(resident.unwrap_or_default() << 10))
}

/// `bytes` of memory, every page of it touched.
pub fn touched(bytes: usize) -> Vec<u8> {
    let mut memory = Vec::with_capacity(bytes.max(ALWAYS_MAPPED));
    // Not zero: pages of zeros come from the kernel without being there.
    memory.resize(bytes, 1);
    std::hint::black_box(memory)
}
