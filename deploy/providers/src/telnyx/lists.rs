//! Lists, page by page: `page[number]`, `page[size]`.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::request::Params;

const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 250;

/// The page that is asked for.
pub fn page(query: &Params, found: &[Value]) -> Reply {
    let size = query.count("page[size]", PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let number = query.count("page[number]", 1).max(1);
    let shown: Vec<_> = found.iter().skip((number - 1) * size).take(size).collect();
    let meta = json!({"total_pages": found.len().div_ceil(size), "total_results": found.len(), "page_number": number,
        "page_size": size});
    Reply::json(200, &json!({"data": shown, "meta": meta}))
}
