//! A form's text and where its names and values end in it.

/// Decoded parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// Names and values, one behind the other.
    pub text: String,
    /// Of each parameter where its name and its value end. A name begins where the value before it ends. All are
    /// character boundaries.
    pub ends: Vec<[u32; 2]>,
    /// Whether each name is greater than the one before it.
    pub ascending: bool,
}

/// One parameter, by its place in the text.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    text: &'a str,
    start: usize,
    name_end: usize,
    end: usize,
}

impl Decoded {
    /// No parameters.
    pub const EMPTY: Self = Self { text: String::new(), ends: Vec::new(), ascending: true };

    /// The parameters in the order received.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.ends.iter().scan(0, |start, [name_end, end]| {
            let field =
                Field { text: &self.text, start: *start, name_end: *name_end as usize, end: *end as usize };
            *start = field.end;
            Some(field)
        })
    }

    /// The parameters by name, those of one name by value.
    pub fn sorted(&self) -> Vec<Field<'_>> {
        let mut fields: Vec<_> = self.fields().collect();
        fields.sort_unstable_by_key(|field| (field.name(), field.value()));
        fields
    }

    /// Finds out whether the names ascend. The first eight bytes tell most names from the one before.
    pub fn compare_names(&mut self) {
        let text = self.text.as_bytes();
        let (mut start, mut before_start, mut before_length) = (0, 0, 0);
        let mut before = 0;
        self.ascending = self.ends.iter().enumerate().all(|(index, [name_end, end])| {
            let length = *name_end as usize - start;
            let first = first_bytes(text, start, length);
            let ascends = before < first
                || index == 0
                || (before == first
                    && text[before_start..before_start + before_length] < text[start..start + length]);
            (before, before_start, before_length) = (first, start, length);
            start = *end as usize;
            ascends
        });
    }
}

/// A name's first eight bytes as one number, zeros behind a shorter one: names that differ in it are in its order.
fn first_bytes(text: &[u8], start: usize, length: usize) -> u64 {
    match text[start..].first_chunk() {
        Some(bytes) => {
            let behind = u64::MAX.checked_shr(8 * length.min(8) as u32).unwrap_or(0);
            u64::from_be_bytes(*bytes) & !behind
        }
        None => {
            let name = &text[start..start + length];
            name.iter().rev().fold(0, |number, byte| number >> 8 | u64::from(*byte) << 56)
        }
    }
}

impl<'a> Field<'a> {
    pub fn name(self) -> &'a str {
        &self.text[self.start..self.name_end]
    }

    pub fn value(self) -> &'a str {
        &self.text[self.name_end..self.end]
    }

    pub fn name_and_value(self) -> &'a str {
        &self.text[self.start..self.end]
    }

    pub const fn name_length(self) -> usize {
        self.name_end - self.start
    }
}
