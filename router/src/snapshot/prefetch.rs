//! Memory that will be read soon, asked for before it is.

/// Bytes of a line.
const LINE: usize = 64;

/// Asks for the lines of memory that hold `value` itself; what it points to stays where it is.
pub fn prefetch_whole<T>(value: &T) {
    let bytes = std::ptr::from_ref(value).cast::<u8>();
    (0..size_of::<T>()).step_by(LINE).for_each(|offset| prefetch_at(bytes.wrapping_add(offset)));
    // It needn't begin where a line does.
    prefetch_at(bytes.wrapping_add(size_of::<T>().saturating_sub(1)));
}

/// Asks for the line of memory where `value` begins. Changes nothing but time.
#[inline]
pub fn prefetch<T>(value: &T) {
    prefetch_at(std::ptr::from_ref(value).cast());
}

/// The reason for the `unsafe`: what a call needs of a number lies in some ten places that no cache holds, and nothing else
/// can ask for them without waiting. With it a call takes 6 % less of the processor (bench/BASELINES.md).
#[inline]
fn prefetch_at(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the only way to ask for memory without waiting for it")]
    // SAFETY: a prefetch reads nothing that a program sees and faults on no address.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
