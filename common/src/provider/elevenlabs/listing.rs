//! ElevenLabs's lists, by cursor: `{"<things>": […], "next_cursor", "has_more"}`.

use serde_json::Value;

use super::api::{self, Object};
use crate::rest::{Exchange, Fault, Reply, Request, Step};

/// The most that a page may have.
const PAGE_SIZE: &str = "100";

/// One page, and the cursor of the next, if there is one.
pub struct Page {
    pub objects: Vec<Object>,
    pub next: Option<String>,
}

/// `list`, from `cursor` on.
pub fn request(list: &Request, cursor: Option<&str>) -> Request {
    let request = list.clone().query([("page_size", PAGE_SIZE)]);
    request.query(cursor.map(|cursor| ("cursor", cursor)))
}

/// Reads a page of `things` that began at `cursor`.
///
/// # Errors
/// As [`api::object`]; [`Fault::Unclear`] for a list that doesn't go on although it says so.
pub fn page(reply: &Reply, things: &str, cursor: Option<&str>) -> Result<Page, Fault> {
    let mut page = api::object(reply)?;
    let Some(Value::Array(list)) = page.remove(things) else {
        return Err(Fault::unclear(format!("an answer without {things}")));
    };
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        _ => Err(Fault::unclear(format!("an answer with other {things} than objects"))),
    };
    let objects = list.into_iter().map(object).collect::<Result<_, _>>()?;
    if page.get("has_more") != Some(&Value::Bool(true)) {
        return Ok(Page { objects, next: None });
    }
    match page.get("next_cursor").and_then(Value::as_str) {
        Some(next) if Some(next) != cursor => Ok(Page { objects, next: Some(next.to_owned()) }),
        _ => Err(Fault::unclear("a list that goes on nowhere")),
    }
}

/// The objects of a whole list whose `field` is `value`.
pub fn having(
    list: Request,
    things: &'static str,
    field: &'static str,
    value: String,
) -> Exchange<Vec<Object>> {
    Walk { list, things, field, value, found: Vec::new() }.at(None)
}

struct Walk {
    list: Request,
    things: &'static str,
    field: &'static str,
    value: String,
    found: Vec<Object>,
}

impl Walk {
    fn at(mut self, cursor: Option<String>) -> Exchange<Vec<Object>> {
        let request = request(&self.list, cursor.as_deref());
        Exchange::new(request, move |reply| {
            let page = page(&reply, self.things, cursor.as_deref())?;
            let fits = |object: &Object| object.get(self.field).and_then(Value::as_str) == Some(&self.value);
            self.found.extend(page.objects.into_iter().filter(fits));
            Ok(match page.next {
                Some(next) => Step::Next(self.at(Some(next))),
                None => Step::Done(self.found),
            })
        })
    }
}
