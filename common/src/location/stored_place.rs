//! A place as routers keep it: encoded, since most calls don't ask for it.

use std::cell::OnceCell;

use super::Place;

/// A place that is read when it is first asked for.
#[derive(Clone, Debug)]
pub struct StoredPlace<'a> {
    bytes: &'a [u8],
    read: OnceCell<Place>,
}

impl<'a> StoredPlace<'a> {
    /// A place encoded with postcard.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, read: OnceCell::new() }
    }

    /// The place. Bytes that are none say nothing of it.
    #[must_use]
    pub fn get(&self) -> &Place {
        self.read.get_or_init(|| postcard::from_bytes(self.bytes).unwrap_or_default())
    }
}

impl From<Place> for StoredPlace<'static> {
    fn from(place: Place) -> Self {
        Self { bytes: &[], read: OnceCell::from(place) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_its_bytes() {
        let place = Place { display_name: "Mitte".into(), ..Place::default() };
        let bytes = postcard::to_stdvec(&place).unwrap();
        assert_eq!(*StoredPlace::new(&bytes).get(), place);
        assert_eq!(*StoredPlace::from(place.clone()).get(), place);
        assert_eq!(*StoredPlace::new(&bytes[..3]).get(), Place::default());
    }
}
