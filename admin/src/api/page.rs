//! Lists, a page at a time.
//!
//! A cursor is opaque: it holds the last row's id, and which list it is of. With another filter it leads to other rows,
//! so it is refused there.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::StatusCode;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Api;
use super::error::Problem;
use super::parameters::{self, Nothing};
use crate::store::search::Pattern;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;
const SEARCH_CHARS_MAX: usize = 100;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items, 1 to 200; absent: 50.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// `next` of the page before, with the same filter; absent: the first page.
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

/// A request for a page. `F` are the parameters that it takes beside [`PageQuery`]'s; others are refused.
#[derive(Debug)]
pub struct List<F = Nothing> {
    /// Which rows.
    pub filter: F,
    /// Which of those.
    pub window: Window,
}

impl<F: DeserializeOwned + Serialize> FromRequestParts<Api> for List<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let (page, own) = parameters::split(&parts.uri, &["limit", "cursor"]);
        let filter: F = parameters::read(&own)?;
        let path = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.path(), |uri| uri.path());
        let filter_text = serde_json::to_string(&filter).map_err(|_| Problem::internal())?;
        let window = parameters::read::<PageQuery>(&page)?.window(ListId::of(path, &filter_text))?;
        Ok(Self { filter, window })
    }
}

/// Which list, of which filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct ListId([u8; 8]);

impl ListId {
    fn of(path: &str, filter: &str) -> Self {
        let hash: [u8; 32] = Sha256::digest(format!("{path}\n{filter}")).into();
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        Self(id)
    }
}

/// Where a page begins and how long it is.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The row before the first; absent: the page is the first.
    pub after: Option<Uuid>,
    limit: i64,
    list: ListId,
}

impl PageQuery {
    fn window(&self, list: ListId) -> Result<Window, Problem> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let detail = format!("limit: wanted 1 to {LIMIT_MAX}");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail));
        }
        let row = |text: &String| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (id, of) = bytes.split_at_checked(16)?;
            (of == list.0).then(|| Uuid::from_slice(id).ok()).flatten()
        };
        let refuse = || {
            let detail = "cursor: wanted next of the page before, as it was, with the same path and filter";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail)
        };
        let after = self.cursor.as_ref().map(|text| row(text).ok_or_else(refuse)).transpose()?;
        Ok(Window { after, limit, list })
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
        let next =
            last.map(|row| URL_SAFE_NO_PAD.encode([id(row).as_bytes().as_slice(), &self.list.0].concat()));
        Page { items: rows.into_iter().map(view).collect(), next }
    }
}

/// What is looked for in a text: 1 to 100 characters, capitals or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Search(String);

impl TryFrom<String> for Search {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_plain = !text.chars().any(char::is_control);
        if is_plain && (1..=SEARCH_CHARS_MAX).contains(&text.chars().count()) {
            return Ok(Self(text));
        }
        Err(format!("wanted 1 to {SEARCH_CHARS_MAX} characters, no control characters"))
    }
}

impl Search {
    /// What it finds.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        Pattern::containing(&self.0)
    }

    /// The digits of it, where it is a part of a phone number, however written: `(212) 555-0001`.
    #[must_use]
    pub fn digits(&self) -> Option<Pattern> {
        let is_number = self.0.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
        let digits: String = self.0.chars().filter(char::is_ascii_digit).collect();
        (is_number && !digits.is_empty()).then(|| Pattern::containing(&digits))
    }
}

/// A filter of lists that are searched by name alone.
#[derive(Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NameFilter {
    /// Those whose name holds this, in capitals or not.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    q: Option<Search>,
}

impl NameFilter {
    /// What the name holds; absent: anything.
    #[must_use]
    pub fn name(&self) -> Option<Pattern> {
        self.q.as_ref().map(Search::pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(limit: Option<i64>, cursor: Option<&str>) -> PageQuery {
        PageQuery { limit, cursor: cursor.map(str::to_owned) }
    }

    #[test]
    fn pages_follow_one_another() {
        let list = ListId::of("/tenants", "{}");
        let ids: Vec<_> = (1..=3).map(Uuid::from_u128).collect();
        let page = query(Some(2), None).window(list).unwrap().page(ids.clone(), |id| *id, |id| id);
        assert_eq!(page.items, ids[..2]);
        let window = query(Some(2), page.next.as_deref()).window(list).unwrap();
        assert_eq!(window.after, Some(ids[1]));
        assert_eq!(window.page(ids[2..].to_vec(), |id| *id, |id| id).next, None);
        for other in [ListId::of("/accounts", "{}"), ListId::of("/tenants", "{\"q\":\"a\"}")] {
            assert_eq!(query(None, page.next.as_deref()).window(other).unwrap_err().code(), "invalid_cursor");
        }
    }

    #[test]
    fn refuses_limits_and_cursors_that_are_none() {
        let code = |limit, cursor| query(limit, cursor).window(ListId::of("", "")).unwrap_err().code();
        for limit in [0, 201, -1] {
            assert_eq!(code(Some(limit), None), "invalid_query");
        }
        let plain = URL_SAFE_NO_PAD.encode(Uuid::nil());
        for cursor in ["", "x", "AAAA", "ä", &plain, &"A".repeat(32)] {
            assert_eq!(code(None, Some(cursor)), "invalid_cursor", "{cursor}");
        }
    }

    #[test]
    fn numbers_are_found_however_written() {
        let digits = |text: &str| Search(text.into()).digits().map(|pattern| pattern.as_str().to_owned());
        assert_eq!(digits("(212) 555-00"), Some("%21255500%".to_owned()));
        assert_eq!(digits("+1"), Some("%1%".to_owned()));
        assert_eq!((digits("Main 5"), digits("-")), (None, None));
    }
}
