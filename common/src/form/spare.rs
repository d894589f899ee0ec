//! The memory of a form that isn't used any more, for the thread's next one: the usual webhook allocates none.

use std::cell::Cell;

use super::decoded::Decoded;

/// More than a webhook's usual parameters; what a larger one took is given back to the allocator.
const TEXT_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    static SPARE: Cell<Option<Box<Decoded>>> = const { Cell::new(None) };
}

/// Memory for a form. What is in it is the last one's.
pub fn take() -> Box<Decoded> {
    let spare = SPARE.try_with(Cell::take).ok().flatten();
    spare.unwrap_or_else(|| Box::new(Decoded::EMPTY))
}

/// Keeps this memory for the next form. A thread that ends keeps none.
pub fn give(decoded: Box<Decoded>) {
    if decoded.text.capacity() <= TEXT_BYTES_MAX {
        let _ = SPARE.try_with(|spare| spare.set(Some(decoded)));
    }
}
