//! Lists, a page at a time. A cursor is opaque: today it is the last row's id.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::error::Problem;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items, 1 to 200; absent: 50.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next` of the page before; absent: the first page.
    pub cursor: Option<String>,
}

/// A page of a list, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the page behind; null: this is the last.
    pub next: Option<String>,
}

/// Where a page begins and how long it is.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The row before the first; absent: the page is the first.
    pub after: Option<Uuid>,
    limit: i64,
}

impl PageQuery {
    /// Reads the query.
    ///
    /// # Errors
    /// A limit out of its range, a cursor that we didn't give.
    pub fn window(&self) -> Result<Window, Problem> {
        let refuse = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(refuse(format!("limit: wanted 1 to {LIMIT_MAX}")));
        }
        let cursor = |text: &String| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok();
            bytes
                .and_then(|bytes| Uuid::from_slice(&bytes).ok())
                .ok_or_else(|| refuse("cursor: wanted next of the page before, as it was".into()))
        };
        Ok(Window { after: self.cursor.as_ref().map(cursor).transpose()?, limit })
    }
}

impl Window {
    /// How many rows to ask for: one more than the page has tells whether another follows.
    #[must_use]
    pub const fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// The page of `rows`, which were asked for with [`Window::rows`].
    pub fn page<R, T>(&self, mut rows: Vec<R>, id: impl Fn(&R) -> Uuid, view: impl FnMut(R) -> T) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| URL_SAFE_NO_PAD.encode(id(row)));
        Page { items: rows.into_iter().map(view).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let query = PageQuery { limit: Some(2), cursor: None };
        let ids: Vec<_> = (1..=3).map(Uuid::from_u128).collect();
        let page = query.window().unwrap().page(ids.clone(), |id| *id, |id| id);
        assert_eq!(page.items, ids[..2]);
        let query = PageQuery { limit: Some(2), cursor: page.next };
        let window = query.window().unwrap();
        assert_eq!(window.after, Some(ids[1]));
        assert_eq!(window.page(ids[2..].to_vec(), |id| *id, |id| id).next, None);
    }

    #[test]
    fn refuses_limits_and_cursors_that_are_none() {
        for (limit, cursor) in [(Some(0), None), (Some(201), None), (None, Some("x")), (None, Some("AAAA"))] {
            let query = PageQuery { limit, cursor: cursor.map(str::to_owned) };
            assert_eq!(query.window().unwrap_err().status(), StatusCode::BAD_REQUEST);
        }
    }
}
