//! Lists, twenty entries to a page.

use http::Method;
use serde::Deserialize;

use super::number::Number;
use crate::provider::plivo::api::{request, success};
use crate::rest::numbers::Page;
use crate::rest::{Account, Exchange, Fault};

/// How many entries a page has at most.
pub const PAGE_SIZE: u32 = 20;

/// What stands beside a page.
#[derive(Deserialize)]
pub struct Meta {
    /// Where the next begins; absent: this was the last.
    pub next: Option<String>,
}

/// The numbers from `cursor`, an offset, on.
pub fn numbers(account: &Account<'_>, cursor: Option<&str>) -> Result<Exchange<Page>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        meta: Meta,
        objects: Vec<Number>,
    }
    let offset: u32 = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let request = request(account, "plivo.numbers.list", Method::GET, "Number/")?;
    let (limit, from) = (PAGE_SIZE.to_string(), offset.to_string());
    let request = request.query([("limit", &*limit), ("offset", &*from)]);
    Ok(Exchange::last(request, move |reply| {
        let Answer { meta, objects } = success(&reply)?.json()?;
        let numbers: Vec<_> = objects.into_iter().map(Number::held).collect();
        let next = meta.next.filter(|_| !numbers.is_empty());
        Ok(Page { next: next.map(|_| offset.saturating_add(PAGE_SIZE).to_string()), numbers })
    }))
}
