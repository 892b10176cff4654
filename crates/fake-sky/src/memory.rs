//! Allocation of memory of a known resident size.

use crate::procfs;

/// Size in bytes above which glibc always maps memory directly from the kernel and
/// unmaps it when it is freed (`DEFAULT_MMAP_THRESHOLD_MAX` is 32 MiB). A smaller block may
/// stay resident after it was freed.
const ALWAYS_MAPPED: usize = 33 << 20;

/// Allocates memory until this process has `mib` MiB resident.
///
/// The memory stays resident until the result is dropped.
pub fn fill_to(mib: usize) -> Vec<u8> {
    let resident = procfs::own_memory_kib("VmRSS").and_then(|kib| usize::try_from(kib).ok());
    touched((mib << 20).saturating_sub(resident.unwrap_or_default() << 10))
}

/// Buffer of `bytes` bytes, with every page resident.
pub fn touched(bytes: usize) -> Vec<u8> {
    let mut memory = Vec::with_capacity(bytes.max(ALWAYS_MAPPED));
    // Not zero: the compiler may turn filling with zeros into `calloc`, whose pages are not
    // resident.
    memory.resize(bytes, 1);
    std::hint::black_box(memory)
}
