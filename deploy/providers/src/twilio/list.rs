//! An account's numbers, page by page: newest first, each page beginning behind the number that its token names.

use serde_json::{Value, json};

use super::{dialect, errors, fields};
use crate::number::{Kind, Number};
use crate::reply::Reply;
use crate::request::Params;
use crate::turn::{Outcome, Turn};

const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1000;

/// All of them.
pub fn all(turn: &mut Turn<'_>) -> Outcome {
    page(turn, None)
}

/// Those of a place.
pub fn local(turn: &mut Turn<'_>) -> Outcome {
    page(turn, Some(Kind::Local))
}

/// Toll-free ones.
pub fn toll_free(turn: &mut Turn<'_>) -> Outcome {
    page(turn, Some(Kind::TollFree))
}

/// Mobile ones.
pub fn mobile(turn: &mut Turn<'_>) -> Outcome {
    page(turn, Some(Kind::Mobile))
}

fn page(turn: &Turn<'_>, kind: Option<Kind>) -> Outcome {
    let query = turn.request.query();
    let size = query.count("PageSize", PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let (index, token) = (query.count("Page", 0), query.filled("PageToken"));
    if index > 0 && token.is_none() {
        return Err(errors::invalid(turn.provider, "Page needs its PageToken: follow next_page_uri"));
    }
    let fits = |number: &&Number| kind.is_none_or(|kind| number.kind == kind) && is_asked_for(number, &query);
    let mut found: Vec<_> = turn.numbers().filter(fits).collect();
    found.reverse();
    let behind = token.and_then(|token| token.strip_prefix("PA"));
    let start = behind
        .map_or(0, |id| found.iter().position(|number| number.id == id).map_or(found.len(), |at| at + 1));
    let shown: Vec<_> = found.iter().skip(start).take(size).collect();
    let next = shown.last().filter(|_| start + shown.len() < found.len());
    let next = next.map(|last| place(turn, &query, size, index + 1, Some(&last.id)));
    let begin = index * size;
    Ok(Reply::json(
        200,
        &json!({
            "incoming_phone_numbers": shown.iter().map(|number| fields::document(number)).collect::<Vec<_>>(),
            "page": index, "page_size": size, "start": begin, "end": (begin + shown.len()).saturating_sub(1),
            "first_page_uri": place(turn, &query, size, 0, None), "next_page_uri": next,
            "previous_page_uri": Value::Null, "uri": turn.request.path,
        }),
    ))
}

/// The path of a page.
fn place(turn: &Turn<'_>, query: &Params, size: usize, index: usize, behind: Option<&str>) -> String {
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &query.0 {
        if !matches!(name.as_str(), "Page" | "PageSize" | "PageToken") {
            written.append_pair(name, value);
        }
    }
    written.append_pair("PageSize", &size.to_string()).append_pair("Page", &index.to_string());
    if let Some(id) = behind {
        written.append_pair("PageToken", &format!("PA{id}"));
    }
    let dialect = dialect::of(turn.provider);
    let file = format!("IncomingPhoneNumbers{}", dialect.suffix);
    format!("{}/Accounts/{}/{file}?{}", dialect.root, turn.account, written.finish())
}

fn is_asked_for(number: &Number, query: &Params) -> bool {
    let name = query.filled("FriendlyName").is_none_or(|name| number.name == name);
    let digits = query.filled("PhoneNumber").is_none_or(|pattern| is_like(number.digits(), pattern));
    let origin = query.filled("Origin").is_none_or(|origin| origin == "twilio");
    name && digits && origin
}

/// Whether digits hold the pattern's, in which `*` is any run of digits.
fn is_like(digits: &str, pattern: &str) -> bool {
    let wanted = pattern.replace(['+', ' ', '-'], "");
    let mut rest = digits;
    wanted.split('*').filter(|part| !part.is_empty()).all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_parts_in_their_order() {
        for (pattern, matches) in
            [("+14155500100", true), ("415", true), ("1415*0100", true), ("0100*415", false), ("416", false)]
        {
            assert_eq!(is_like("14155500100", pattern), matches, "{pattern}");
        }
    }
}
