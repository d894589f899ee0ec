//! Bandwidth's REST API: where it is, who asks, how its XML is read, and what its errors mean.
//!
//! Source, read 2026-11: <https://dev.bandwidth.com/apis/numbers/>.

use http::Method;
use roxmltree::{Document, Node};

use crate::e164::E164;
use crate::provider::Api;
use crate::provider::xml::Xml;
use crate::rest::request::segment;
use crate::rest::{Account, Fault, Reply, Request};

/// Numbers, orders, locations and applications: XML.
pub const API: Api = Api { base_setting: "BANDWIDTH_API_BASE", base: "https://dashboard.bandwidth.com/api" };

/// A request below the account.
pub fn request(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    below: &str,
) -> Result<Request, Fault> {
    let path = format!("/accounts/{}{below}", segment(account.wanted("account_id")?));
    let request = Request::new(operation, method, API, path);
    Ok(request.basic(account.wanted("api_user")?, account.wanted("api_password")?))
}

/// What `find` finds in an answer that is a success.
pub fn read<T>(reply: &Reply, find: impl FnOnce(Node<'_, '_>) -> Option<T>) -> Result<T, Fault> {
    let unclear = |why: &str| Fault::unclear(format!("status {} with an answer that {why}", reply.status));
    if !reply.is_success() {
        return Err(fault(reply));
    }
    let text = str::from_utf8(&reply.body).map_err(|_| unclear("isn't text"))?;
    let document = Document::parse(text).map_err(|_| unclear("isn't XML"))?;
    find(document.root_element()).ok_or_else(|| unclear("isn't as documented"))
}

/// What an answer means that is no success, by the code of its first error.
pub fn fault(reply: &Reply) -> Fault {
    let text = str::from_utf8(&reply.body).unwrap_or_default();
    let document = Document::parse(text).ok();
    let said = |name: &str| {
        let error = all(document.as_ref()?.root_element(), "Error").next()?;
        first(error, name).map(str::to_owned)
    };
    let (code, words) = (said("Code").unwrap_or_default(), said("Description").unwrap_or_default());
    let stop = |remedy: &str| Fault::stop(&*code, format!("{}: {remedy}", reply.reason(&words)));
    match (reply.status, &*code) {
        (401 | 403, _) => stop("check account_id, api_user and api_password of this account"),
        (_, "5016") => stop("check site_id of this account"),
        _ => reply.fault(&code, &words),
    }
}

/// The elements of this name, at any depth.
pub fn all<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(move |node| node.is_element() && node.tag_name().name() == name)
}

/// The text of the first element of this name.
pub fn first<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let text = all(node, name).next()?.text()?.trim();
    (!text.is_empty()).then_some(text)
}

/// An element that holds text.
pub fn element(name: &str, text: &str) -> String {
    let mut xml = Xml::new();
    xml.raw(&format!("<{name}>")).text(text).raw(&format!("</{name}>"));
    let text = xml.into_text();
    // Without the declaration: elements stand in one another.
    text.split_once("?>").map(|(_, element)| element.to_owned()).unwrap_or_default()
}

/// The number of ten digits, as this API writes them.
pub fn number(digits: &str) -> Option<E164> {
    let digits = digits.trim();
    if digits.len() == 10 { format!("+1{digits}").parse().ok() } else { None }
}

/// The ten digits of a number. Bandwidth has numbers of the United States and Canada alone.
pub fn digits(number: E164) -> Result<String, Fault> {
    let text = number.to_string();
    let ten = text.strip_prefix("+1").filter(|digits| digits.len() == 10);
    ten.map(str::to_owned)
        .ok_or_else(|| Fault::elsewhere("country", "Bandwidth has numbers of the +1 plan alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_their_code() {
        let check = |status: u16, body: &str, label: &str, words: &str| {
            let fault = read(&Reply::new(status, body), |_| Some(())).unwrap_err();
            assert_eq!(fault.label(), label, "{status} {body}");
            assert!(fault.to_string().contains(words), "{fault}");
        };
        let listed = |code: u32| {
            format!(
                "<OrderResponse><ErrorList><Error><Code>{code}</Code><Description>No such luck</Description></Error></ErrorList></OrderResponse>"
            )
        };
        check(400, &listed(5016), "stop", "site_id");
        check(400, &listed(4010), "stop", "No such luck (4010)");
        check(
            400,
            "<SearchResult><Error><Code>4010</Code><Description>x</Description></Error></SearchResult>",
            "stop",
            "4010",
        );
        check(401, "", "stop", "api_password");
        check(403, &listed(1), "stop", "api_user");
        check(404, &listed(1009), "gone", "");
        check(429, "", "retry", "");
        check(502, "<html><br>", "unclear", "");
        check(200, "<html><br>", "unclear", "XML");
        check(200, "", "unclear", "");
    }

    #[test]
    fn numbers_have_ten_digits_and_texts_are_escaped() {
        assert_eq!(number(" 2125550001\n"), "+12125550001".parse().ok());
        assert_eq!(["12125550001", "", "212555000x", "+212555000"].map(number), [None; 4]);
        assert_eq!(digits("+12125550001".parse().unwrap()).unwrap(), "2125550001");
        assert_eq!(digits("+442079460958".parse().unwrap()).unwrap_err().label(), "elsewhere");
        assert_eq!(element("A", "x & <y>"), "<A>x &amp; &lt;y&gt;</A>");
    }
}
