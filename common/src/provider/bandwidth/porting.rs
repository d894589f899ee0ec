//! Whether numbers can be ported to Bandwidth.
//!
//! Source, read 2026-11: <https://dev.bandwidth.com/docs/numbers/porting/port-ins/stand-alone-portins/lnpChecker/>.

use http::Method;

use super::api::{all, digits, element, read, request};
use crate::e164::E164;
use crate::rest::porting::{NO_REASON, Portability, Porting};
use crate::rest::{Account, Effect, Exchange, Fault};

/// Porting to Bandwidth. Toll-free numbers are checked with the request itself.
pub struct BandwidthPorting;

impl Porting for BandwidthPorting {
    fn check(&self, account: &Account<'_>, number: E164) -> Result<Exchange<Portability>, Fault> {
        let digits = digits(number)?;
        let body = format!(
            "<NumberPortabilityRequest><TnList>{}</TnList></NumberPortabilityRequest>",
            element("Tn", &digits)
        );
        let request = request(account, "bandwidth.porting.check", Method::POST, "/lnpchecker")?;
        Ok(Exchange::last(request.effect(Effect::Repeatable).xml(body), move |reply| {
            read(&reply, |root| {
                let names = |node: roxmltree::Node<'_, '_>| {
                    all(node, "Tn").any(|node| node.text().is_some_and(|text| text.trim() == digits))
                };
                let is_portable = all(root, "PortableNumbers").any(names);
                let is_answer = root.tag_name().name() == "NumberPortabilityResponse";
                is_answer.then(|| match is_portable {
                    true => Portability::Portable { wants: None },
                    false => Portability::NotPortable { reason: NO_REASON.to_owned() },
                })
            })
        }))
    }

    fn by_hand(&self) -> &'static str {
        "in Bandwidth's dashboard: Numbers → Port In"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;
    use crate::rest::script::{check_meaningless, check_replies, talk};

    #[test]
    fn says_whether() {
        let account = samples::account(r#"{"account_id":"55","api_user":"u","api_password":"p"}"#);
        let check = || BandwidthPorting.check(&account, "+12125550001".parse().unwrap());
        let asked = |body: &str| {
            talk(check())
                .sends("POST /accounts/55/lnpchecker")
                .with_xml("<NumberPortabilityRequest><TnList><Tn>2125550001</Tn></TnList></NumberPortabilityRequest>")
                .gets(200, body)
                .done()
        };
        let yes = asked(
            "<NumberPortabilityResponse><PortableNumbers><Tn>2125550001</Tn></PortableNumbers></NumberPortabilityResponse>",
        );
        assert_eq!(yes, Portability::Portable { wants: None });
        let no = asked(
            "<NumberPortabilityResponse><PortableNumbers/><X><Tn>2125550001</Tn></X></NumberPortabilityResponse>",
        );
        assert!(matches!(no, Portability::NotPortable { .. }));
        check_meaningless(check);
        check_replies(check, &[(200, "<Other/>", "unclear"), (401, "", "stop")]);
        let london = BandwidthPorting.check(&account, "+442079460958".parse().unwrap());
        assert_eq!(talk(london).fault().label(), "elsewhere");
    }
}
