//! An allocator that counts, for a program to name as its global one.
//!
//! It counts only while somebody wants it: else an allocation costs one look at a flag, so that servers in the same
//! program are measured as they are.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use tikv_jemallocator::Jemalloc;

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE_BYTES: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static ALLOCATED: Cell<Allocated> = const { Cell::new(Allocated { count: 0, bytes: 0 }) };
}

/// The router's allocator with counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// What was allocated. Growing in place counts as one allocation of the bytes that are new.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Allocated {
    /// How often.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// Runs `work` and counts what this thread allocates meanwhile. Zero where [`Counting`] isn't the program's allocator.
pub fn allocated(work: impl FnOnce()) -> Allocated {
    let before = ALLOCATED.get();
    COUNTING.store(true, Relaxed);
    work();
    COUNTING.store(false, Relaxed);
    let after = ALLOCATED.get();
    Allocated { count: after.count - before.count, bytes: after.bytes - before.bytes }
}

/// Runs `work`; its result, and by how many bytes the heap, of all threads, is larger then than before.
pub fn grown<T>(work: impl FnOnce() -> T) -> (T, i64) {
    let before = LIVE_BYTES.load(Relaxed);
    COUNTING.store(true, Relaxed);
    let result = work();
    COUNTING.store(false, Relaxed);
    (result, LIVE_BYTES.load(Relaxed) - before)
}

fn count(allocations: u64, old_bytes: usize, new_bytes: usize) {
    if !COUNTING.load(Relaxed) {
        return;
    }
    LIVE_BYTES.fetch_add(new_bytes as i64 - old_bytes as i64, Relaxed);
    // A thread that ends has no counter any more, and nobody who asks for it.
    let _ = ALLOCATED.try_with(|allocated| {
        let Allocated { count, bytes } = allocated.get();
        let grown = new_bytes.saturating_sub(old_bytes) as u64;
        allocated.set(Allocated { count: count + allocations, bytes: bytes + grown });
    });
}

#[expect(unsafe_code, reason = "whoever counts allocations has to be the allocator")]
// SAFETY: every call goes on to the router's allocator as it came, and what that returns is returned. Counting
// allocates nothing: the flag and the total are statics, the thread's counter is constant at its start and needs no
// destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, 0, layout.size());
        // SAFETY: the caller's promise is the one that that allocator wants.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, 0, layout.size());
        // SAFETY: as above.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, layout.size(), new_size);
        // SAFETY: as above.
        unsafe { Jemalloc.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size(), 0);
        // SAFETY: as above.
        unsafe { Jemalloc.dealloc(pointer, layout) }
    }
}
