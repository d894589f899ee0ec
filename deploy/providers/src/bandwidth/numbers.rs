//! Numbers to be had, and those that the account has: ten digits, without the country's code.

use super::NAME;
use super::xml::{answer, element, error, parent};
use crate::number::Kind;
use crate::stock::{Wanted, countries};
use crate::turn::{Outcome, Turn};

/// The numbers that there are; none is an empty answer.
pub fn search(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let toll_free = query.filled("tollFreeWildCardPattern");
    let (kind, area) = match toll_free {
        Some(pattern) => (Kind::TollFree, Some(pattern.trim_end_matches('*'))),
        None => (Kind::Local, query.filled("areaCode").or_else(|| query.filled("npaNxx"))),
    };
    if area.is_some_and(|area| !area.bytes().all(|byte| byte.is_ascii_digit())) {
        let refused =
            parent("Error", &[element("Code", "4010"), element("Description", "The area code is invalid")]);
        return Err(answer(400, &parent("SearchResult", &[refused])));
    }
    let wanted = Wanted { area, contains: None, limit: query.count("quantity", 10).min(5000) };
    let offers =
        countries::country("US").map(|country| turn.offers(country, kind, &wanted)).unwrap_or_default();
    if offers.is_empty() {
        return Ok(answer(200, "<SearchResult/>"));
    }
    let numbers: Vec<_> = offers.iter().map(|offer| element("TelephoneNumber", offer.national())).collect();
    let count = element("ResultCount", &numbers.len().to_string());
    Ok(answer(200, &parent("SearchResult", &[count, parent("TelephoneNumberList", &numbers)])))
}

/// Those that are in service, page by page: a page begins at the number that the link before names.
pub fn list(turn: &mut Turn<'_>) -> Outcome {
    let query = turn.request.query();
    let size = query.count("size", 500).clamp(1, 5000);
    let now = turn.world.turn.now;
    let mut found: Vec<_> =
        turn.numbers().filter(|number| number.ready <= now).map(|number| number.id.clone()).collect();
    found.sort();
    let from = query.filled("page").filter(|page| *page != "1").unwrap_or_default();
    let mut rest = found.iter().filter(|number| number.as_str() >= from);
    let shown: Vec<_> = rest.by_ref().take(size).map(|number| element("TelephoneNumber", number)).collect();
    let mut parts = vec![element("TotalCount", &found.len().to_string())];
    if let Some(next) = rest.next() {
        let link = format!("Link=<{}?page={next}&size={size}>;rel=\"next\";", turn.request.path);
        parts.push(parent("Links", &[element("next", &link)]));
    }
    let count = element("Count", &shown.len().to_string());
    parts.push(parent("TelephoneNumbers", &[vec![count], shown].concat()));
    Ok(answer(200, &parent("TNs", &parts)))
}

/// One of them.
pub fn get(turn: &mut Turn<'_>) -> Outcome {
    let (id, now) = (turn.param("number"), turn.world.turn.now);
    let number = turn.world.number(NAME, &turn.account, &id).filter(|number| number.ready <= now);
    let number = number.ok_or_else(|| error(404, "1009", "The telephone number is not in service"))?;
    let field = |name: &str, field: &str| element(name, number.text(field).unwrap_or_default());
    let parts = [
        element("TelephoneNumber", &number.id),
        field("AccountSite", "site"),
        field("SipPeer", "peer"),
        field("CustomerOrderId", "order"),
        element("Status", "Inservice"),
    ];
    Ok(answer(200, &parent("TelephoneNumberResponse", &[parent("TelephoneNumberDetails", &parts)])))
}
