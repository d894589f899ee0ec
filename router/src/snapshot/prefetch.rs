//! Memory that will be read soon, asked for while there is something else to do.

/// Asks for the line of memory where `value` begins. Changes nothing but time.
///
/// The reason for the `unsafe`: what a call needs of a number lies in some ten places that no cache holds, and nothing else
/// can ask for them without waiting. Measured together with the layout that it belongs to, not by itself: bench/BASELINES.md.
#[inline]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the only way to ask for memory without waiting for it")]
    // SAFETY: a prefetch reads nothing that a program sees and faults on no address; this one is a reference's.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
