//! Vapi's lists, newest first, by the time of creation: they have no cursor of their own.
//!
//! A page goes on at the instant of the last one's oldest object, that instant included, so that of two objects made in
//! the same millisecond none is lost. What comes twice is dropped.

use std::collections::BTreeSet;

use serde_json::Value;

use super::api::{self, Object};
use crate::rest::{Exchange, Fault, Reply, Request, Step};

/// How many objects a page has: assistants are several kilobytes each.
const PAGE_OBJECTS: usize = 100;

/// One page, and where the next begins: the time of creation of its oldest object, if there may be more.
pub struct Page {
    pub objects: Vec<Object>,
    pub next: Option<String>,
}

/// `list`, from `cursor` on.
pub fn request(list: &Request, cursor: Option<&str>) -> Request {
    let request = list.clone().query([("limit", PAGE_OBJECTS.to_string().as_str())]);
    match cursor {
        Some(created_at) => request.query([("createdAtLe", created_at)]),
        None => request,
    }
}

/// Reads a page that began at `cursor`.
///
/// # Errors
/// As [`api::objects`]; [`Fault::Unclear`] for a list that isn't newest first or doesn't go on.
pub fn page(reply: &Reply, cursor: Option<&str>) -> Result<Page, Fault> {
    let objects = api::objects(reply)?;
    if objects.len() < PAGE_OBJECTS {
        return Ok(Page { objects, next: None });
    }
    let created_at = |object: Option<&Object>| object?.get("createdAt")?.as_str().map(str::to_owned);
    let unclear = || Fault::unclear("a list that isn't ordered by createdAt, newest first");
    let newest = created_at(objects.first()).ok_or_else(unclear)?;
    let oldest = created_at(objects.last()).ok_or_else(unclear)?;
    if oldest > newest || cursor.is_some_and(|cursor| oldest.as_str() >= cursor) {
        return Err(unclear());
    }
    Ok(Page { objects, next: Some(oldest) })
}

/// The objects of the whole list that are called `name`.
pub fn named(list: Request, name: String) -> Exchange<Vec<Object>> {
    Walk { list, name, found: Vec::new() }.at(None)
}

struct Walk {
    list: Request,
    name: String,
    found: Vec<Object>,
}

impl Walk {
    fn at(mut self, cursor: Option<String>) -> Exchange<Vec<Object>> {
        let request = request(&self.list, cursor.as_deref());
        Exchange::new(request, move |reply| {
            let page = page(&reply, cursor.as_deref())?;
            let called = |object: &Object| object.get("name").and_then(Value::as_str) == Some(&self.name);
            self.found.extend(page.objects.into_iter().filter(called));
            Ok(match page.next {
                Some(next) => Step::Next(self.at(Some(next))),
                None => Step::Done(self.once()),
            })
        })
    }

    /// What was found, each object once.
    fn once(self) -> Vec<Object> {
        let mut seen = BTreeSet::new();
        let id = |object: &Object| object.get("id").map(Value::to_string).unwrap_or_default();
        self.found.into_iter().filter(|object| seen.insert(id(object))).collect()
    }
}
