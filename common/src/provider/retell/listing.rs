//! Retell's lists: `{"items": […], "has_more", "pagination_key"}`.

use serde_json::Value;

use super::api::{self, Object};
use crate::rest::{Exchange, Fault, Reply, Request, Step};

/// How many objects a page has.
pub const PAGE_OBJECTS: u32 = 100;

/// One page, and the key of the next, if there is one.
pub struct Page {
    pub objects: Vec<Object>,
    pub next: Option<String>,
}

/// Reads a page that began at `cursor`.
///
/// # Errors
/// As [`api::object`]; [`Fault::Unclear`] for a list that doesn't go on although it says so.
pub fn page(reply: &Reply, cursor: Option<&str>) -> Result<Page, Fault> {
    let mut page = api::object(reply)?;
    let Some(Value::Array(list)) = page.remove("items") else {
        return Err(Fault::unclear("an answer without items"));
    };
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(Fault::unclear("an answer with other items than objects")),
    };
    let objects = list.into_iter().map(object).collect::<Result<_, _>>()?;
    if page.get("has_more") != Some(&Value::Bool(true)) {
        return Ok(Page { objects, next: None });
    }
    match page.get("pagination_key").and_then(Value::as_str) {
        Some(next) if Some(next) != cursor => Ok(Page { objects, next: Some(next.to_owned()) }),
        _ => Err(Fault::unclear("a list that goes on nowhere")),
    }
}

/// The objects of a whole list whose `field` is `value`; `at` asks for the page at a key.
pub fn having(
    at: impl Fn(Option<&str>) -> Request + Send + 'static,
    field: &'static str,
    value: String,
) -> Exchange<Vec<Object>> {
    Walk { at, field, value, found: Vec::new() }.walk(None)
}

struct Walk<F> {
    at: F,
    field: &'static str,
    value: String,
    found: Vec<Object>,
}

impl<F: Fn(Option<&str>) -> Request + Send + 'static> Walk<F> {
    fn walk(mut self, key: Option<String>) -> Exchange<Vec<Object>> {
        Exchange::new((self.at)(key.as_deref()), move |reply| {
            let page = page(&reply, key.as_deref())?;
            let fits = |object: &Object| object.get(self.field).and_then(Value::as_str) == Some(&self.value);
            self.found.extend(page.objects.into_iter().filter(fits));
            Ok(match page.next {
                Some(next) => Step::Next(self.walk(Some(next))),
                None => Step::Done(self.found),
            })
        })
    }
}
