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

#[cfg(test)]
mod tests {
    use super::super::Form;

    #[test]
    fn a_form_takes_the_memory_of_the_one_before() {
        let place = |form: &Form| form.sorted_text().as_ptr();
        let (body, other) = ("A=1&B=2&D=longer+than+the+other", "A=%31&B=3&C=4");
        let first = Form::parse(body.as_bytes()).unwrap();
        let memory = place(&first);
        // Two at a time have memory each.
        assert_ne!(place(&Form::parse(other.as_bytes()).unwrap()), memory);
        drop(first);
        let second = Form::parse(other.as_bytes()).unwrap();
        assert_eq!((place(&second), &*second.sorted_text()), (memory, "A1B3C4"));
        drop(second);
        assert!(Form::parse(b"A=%").is_err());
        let kept = Form::parse(body.as_bytes()).unwrap();
        assert_eq!((kept.get("A"), kept.get("B"), kept.get("C")), (Some("1"), Some("2"), None));
    }
}
