use serde_json::json;

use super::*;
use crate::rest::numbers::{HeldState, NumberType};
use crate::rest::samples::{self, ACCOUNT};
use crate::rest::script::{Talk, check_meaningless, check_replies, talk};

const NAME: &str = "dialplane-000000000000000000000000000000ac";
const TAG: &str = "dp-0123456789abcdef0123456789abcdef";
const LOCATION: &str = "/accounts/55/sites/743/sippeers/303716/products/origination/settings";
const NO_LOCATION: &str = "<SipPeerOriginationSettingsResponse/>";
const NOT_THERE: &str = "<Response><ErrorList><Error><Code>1009</Code><Description>Not in service</Description></Error></ErrorList></Response>";

fn account() -> Account<'static> {
    samples::account(
        r#"{"account_id":"55","callback_user_id":"u","callback_password":"p&w","api_user":"me","api_password":"s",
            "site_id":"743","location_id":"303716"}"#,
    )
}

fn named() -> Account<'static> {
    samples::account(
        r#"{"account_id":"55","callback_user_id":"u","callback_password":"p","api_user":"me","api_password":"s",
            "site_id":"743","location_id":"303716","application_id":"app-9"}"#,
    )
}

fn settings() -> String {
    let url = |host: &str, kind: &str| format!("https://{host}.example/webhooks/bandwidth/{kind}/{ACCOUNT}");
    format!(
        "<CallInitiatedCallbackUrl>{}</CallInitiatedCallbackUrl><CallInitiatedMethod>POST</CallInitiatedMethod>\
         <CallInitiatedFallbackUrl>{}</CallInitiatedFallbackUrl><CallStatusCallbackUrl>{}</CallStatusCallbackUrl>\
         <CallStatusMethod>POST</CallStatusMethod>",
        url("a", "voice"),
        url("b", "voice"),
        url("a", "status"),
    )
}

fn document() -> String {
    let creds = "<UserId>u</UserId><Password>p&amp;w</Password>";
    format!(
        "<Application><ServiceType>Voice-V2</ServiceType><AppName>{NAME}</AppName>{}<CallbackCreds>{creds}</CallbackCreds>\
         <FallbackCreds>{creds}</FallbackCreds><CallbackTimeout>5</CallbackTimeout></Application>",
        settings()
    )
}

fn application(settings: &str) -> String {
    format!(
        "<Application><ApplicationId>app-1</ApplicationId><ServiceType>Voice-V2</ServiceType><AppName>{NAME}</AppName>{settings}</Application>"
    )
}

fn applications(shown: &str) -> String {
    let other = "<Application><ApplicationId>app-0</ApplicationId><AppName>mine</AppName></Application>";
    format!(
        "<ApplicationProvisioningResponse><ApplicationList>{other}{shown}</ApplicationList></ApplicationProvisioningResponse>"
    )
}

fn location(application: &str) -> String {
    format!(
        "<SipPeerOriginationSettingsResponse><SipPeerOriginationSettings><HttpSettings><HttpVoiceV2AppId>{application}</HttpVoiceV2AppId></HttpSettings></SipPeerOriginationSettings></SipPeerOriginationSettingsResponse>"
    )
}

fn order(status: &str, completed: &[&str]) -> String {
    let numbers = |name: &str| {
        completed
            .iter()
            .map(|number| format!("<TelephoneNumber><{name}>{number}</{name}></TelephoneNumber>"))
            .collect::<String>()
    };
    format!(
        "<OrderResponse><Order><CustomerOrderId>{TAG}</CustomerOrderId><id>34ad</id><ExistingTelephoneNumberOrderType>\
         <TelephoneNumberList><TelephoneNumber>2125550001</TelephoneNumber></TelephoneNumberList>\
         </ExistingTelephoneNumberOrderType></Order><OrderStatus>{status}</OrderStatus>\
         <CompletedNumbers>{}</CompletedNumbers></OrderResponse>",
        numbers("FullNumber")
    )
}

/// What is asked about a number that was read: its location's application, and ours.
#[track_caller]
fn shown<T: std::fmt::Debug + 'static>(talk: Talk<T>) -> Talk<T> {
    talk.sends(&format!("GET {LOCATION}"))
        .gets(200, &location("app-1"))
        .sends("GET /accounts/55/applications")
        .gets(200, &applications(&application(&settings())))
}

fn get() -> Talk<Held> {
    talk(BandwidthNumbers.get(&account(), "2125550001")).sends("GET /accounts/55/inserviceNumbers/2125550001")
}

#[test]
fn searches_by_area_code() {
    let search = |wanted: &Wanted| BandwidthNumbers.search(&account(), wanted);
    let us = samples::wanted();
    let found = "<SearchResult><ResultCount>3</ResultCount><TelephoneNumberList><TelephoneNumber>2125550001</TelephoneNumber>\
        <TelephoneNumber>3125550001</TelephoneNumber><TelephoneNumber>x</TelephoneNumber></TelephoneNumberList></SearchResult>";
    let offers = talk(search(&us))
        .sends("GET /accounts/55/availableNumbers?areaCode=212&quantity=50")
        .with_header("authorization", "Basic bWU6cw==")
        .gets(200, found)
        .done();
    assert_eq!(
        offers,
        [Offer { number: "+12125550001".parse().ok(), price: None, sms: false, requires: None }]
    );
    assert_eq!(talk(search(&us)).gets(200, "<SearchResult/>").done(), []);
    let check = |wanted: Wanted, expected: &str| match search(&wanted) {
        Ok(exchange) => assert_eq!(
            exchange.request.target,
            format!("/accounts/55/availableNumbers?{expected}&quantity=50")
        ),
        Err(fault) => assert_eq!(fault.label(), expected),
    };
    let toll_free = |area_code: Option<&str>| Wanted {
        number_type: NumberType::TollFree,
        area_code: area_code.map(str::to_owned),
        ..us.clone()
    };
    check(toll_free(None), "tollFreeWildCardPattern=8**");
    check(toll_free(Some("800")), "tollFreeWildCardPattern=80*");
    check(Wanted { area_code: Some("212555".into()), ..us.clone() }, "npaNxx=212555");
    check(Wanted { country: "CA".into(), area_code: Some("416".into()), ..us.clone() }, "areaCode=416");
    check(Wanted { area_code: None, ..us.clone() }, "elsewhere");
    check(Wanted { country: "GB".into(), ..us.clone() }, "elsewhere");
    check(Wanted { number_type: NumberType::Mobile, ..us.clone() }, "elsewhere");
    check_meaningless(|| search(&us));
    check_replies(|| search(&us), &[(401, "", "stop"), (429, "", "retry"), (200, "<Other/>", "unclear")]);
}

#[test]
fn orders_a_number_into_the_location() {
    let buy = || BandwidthNumbers.buy(&account(), &samples::order());
    let body = format!(
        "<Order><CustomerOrderId>{TAG}</CustomerOrderId><Name>Dialplane</Name><ExistingTelephoneNumberOrderType>\
         <TelephoneNumberList><TelephoneNumber>2125550001</TelephoneNumber></TelephoneNumberList>\
         </ExistingTelephoneNumberOrderType><SiteId>743</SiteId><PeerId>303716</PeerId></Order>"
    );
    let buying = || talk(buy()).sends_once("POST /accounts/55/orders").with_xml(&body);
    let held = buying().gets(201, &order("RECEIVED", &[])).done();
    assert_eq!(
        (&*held.id, held.number, held.state),
        ("order:34ad", "+12125550001".parse().ok(), HeldState::Pending)
    );
    assert_eq!(held.name, TAG);
    check_meaningless(buy);
    let foreign = order("RECEIVED", &[]).replace("dp-0", "dp-1");
    let refused = "<OrderResponse><ErrorList><Error><Code>5016</Code><Description>SiteId</Description></Error></ErrorList></OrderResponse>";
    check_replies(
        buy,
        &[
            (201, &order("FAILED", &[]), "elsewhere"),
            (201, &foreign, "unclear"),
            (201, "<OrderResponse/>", "unclear"),
            (400, refused, "stop"),
            (401, "", "stop"),
            (429, "", "retry"),
        ],
    );
    let incomplete =
        samples::account(r#"{"account_id":"55","api_user":"me","api_password":"s","site_id":"743"}"#);
    let fault = talk(BandwidthNumbers.buy(&incomplete, &samples::order())).fault();
    assert!(fault.label() == "stop" && fault.to_string().contains("location_id"), "{fault}");
}

#[test]
fn finds_what_was_bought_whether_bandwidth_is_done_or_not() {
    let listed = |ids: &[&str]| {
        let orders: String = ids
            .iter()
            .map(|id| format!("<OrderIdUserIdDate><orderId>{id}</orderId></OrderIdUserIdDate>"))
            .collect();
        format!(
            "<ResponseSelectWrapper><ListOrderIdUserIdDate><TotalCount>1</TotalCount>{orders}</ListOrderIdUserIdDate></ResponseSelectWrapper>"
        )
    };
    let bought = || BandwidthNumbers.bought(&account(), &samples::order());
    let looking = |ids: &[&str]| {
        talk(bought())
            .sends(&format!("GET /accounts/55/orders?page=1&size=20&customerOrderId={TAG}"))
            .gets(200, &listed(ids))
    };
    let following = || looking(&["34ad"]).sends("GET /accounts/55/orders/34ad");
    let active = following()
        .gets(200, &order("COMPLETE", &["2125550001"]))
        .sends("GET /accounts/55/inserviceNumbers/2125550001")
        .gets(200, "");
    let active = shown(active).done();
    assert_eq!(
        (active.len(), &*active[0].id, active[0].state, &*active[0].name),
        (1, "2125550001", HeldState::Active, TAG)
    );
    assert!(BandwidthNumbers.drift(&account(), &active[0], &samples::webhooks()).is_empty());
    let not_yet = following().gets(200, &order("COMPLETE", &["2125550001"])).gets(404, NOT_THERE);
    assert_eq!(shown(not_yet).done()[0].id, "order:34ad");
    let received = shown(following().gets(200, &order("RECEIVED", &[]))).done();
    assert_eq!((&*received[0].id, received[0].state), ("order:34ad", HeldState::Pending));
    assert_eq!(following().gets(200, &order("FAILED", &[])).done(), []);
    assert_eq!(following().gets(200, &order("RECEIVED", &[]).replace("dp-0", "dp-1")).done(), []);
    assert_eq!(looking(&[]).done(), []);
    check_meaningless(bought);
    check_replies(bought, &[(200, "<ResponseSelectWrapper/>", "unclear")]);
}

#[test]
fn an_order_s_id_leads_to_the_number() {
    let order_of =
        || talk(BandwidthNumbers.get(&account(), "order:34ad")).sends("GET /accounts/55/orders/34ad");
    let held = order_of().gets(200, &order("PARTIAL", &["2125550001"])).gets(200, "");
    assert_eq!(shown(held).done().id, "2125550001");
    for (status, body, label) in [
        (200, order("FAILED", &[]), "gone"),
        (404, NOT_THERE.to_owned(), "gone"),
        (200, order("RECEIVED", &[]).replace("34ad", "35ad"), "unclear"),
        (200, "<OrderResponse/>".to_owned(), "unclear"),
    ] {
        assert_eq!(order_of().gets(status, &body).label(), label, "{body}");
    }
}

#[test]
fn reads_and_lists_numbers() {
    let held = shown(get().gets(
        200,
        "<TelephoneNumberResponse><TelephoneNumber>2125550001</TelephoneNumber></TelephoneNumberResponse>",
    ))
    .done();
    assert_eq!(
        (&*held.id, held.number, held.state),
        ("2125550001", "+12125550001".parse().ok(), HeldState::Active)
    );
    assert_eq!(held.setup["HttpVoiceV2AppId"], json!("app-1"));
    check_meaningless(|| BandwidthNumbers.get(&account(), "2125550001"));
    check_replies(
        || BandwidthNumbers.get(&account(), "2125550001"),
        &[(404, NOT_THERE, "gone"), (200, "<a>2125550002</a>", "unclear")],
    );
    let page = |next: &str| {
        format!(
            "<TNs><TotalCount>2</TotalCount><Links>{next}</Links><TelephoneNumbers><Count>1</Count><TelephoneNumber>2125550001</TelephoneNumber></TelephoneNumbers></TNs>"
        )
    };
    let next = "<next>Link=&lt;https://dashboard.bandwidth.com/api/accounts/55/inserviceNumbers?page=2125550002&amp;size=500&gt;;rel=\"next\";</next>";
    let list = |cursor| talk(BandwidthNumbers.list(&account(), cursor));
    let first = list(None).sends("GET /accounts/55/inserviceNumbers?page=1&size=500").gets(200, &page(next));
    let first = shown(first).done();
    assert_eq!((first.numbers, first.next.as_deref()), (vec![held], Some("2125550002")));
    let last = list(Some("2125550002")).sends("GET /accounts/55/inserviceNumbers?page=2125550002&size=500");
    assert_eq!(shown(last.gets(200, &page(""))).done().next, None);
    check_meaningless(|| BandwidthNumbers.list(&account(), None));
}

#[test]
fn points_the_location_at_an_application_that_is_made_first() {
    let held = shown(get().gets(200, "")).done();
    let configure = |account: Account<'static>| {
        talk(BandwidthNumbers.configure(&account, &held, "Broadway", &samples::webhooks()))
    };
    let set = "<SipPeerOriginationSettings><VoiceProtocol>HTTP</VoiceProtocol><HttpSettings><HttpVoiceV2AppId>app-1</HttpVoiceV2AppId></HttpSettings></SipPeerOriginationSettings>";
    let made =
        format!("<ApplicationProvisioningResponse>{}</ApplicationProvisioningResponse>", application(""));
    let configured = configure(account())
        .sends("GET /accounts/55/applications")
        .gets(200, &applications(""))
        .sends_once("POST /accounts/55/applications")
        .with_xml(&document())
        .gets(201, &made)
        .sends(&format!("GET {LOCATION}"))
        .gets(404, NOT_THERE)
        .sends(&format!("POST {LOCATION}"))
        .with_xml(set)
        .gets(201, &location("app-1"))
        .sends("GET /accounts/55/inserviceNumbers/2125550001")
        .gets(200, "");
    let configured = shown(configured).done();
    assert!(BandwidthNumbers.drift(&account(), &configured, &samples::webhooks()).is_empty());
    let updated = configure(account())
        .gets(200, &applications(&application("<CallInitiatedMethod>GET</CallInitiatedMethod>")))
        .sends("PUT /accounts/55/applications/app-1")
        .with_xml(&document())
        .gets(200, &made)
        .sends(&format!("GET {LOCATION}"))
        .gets(200, &location("app-0"))
        .sends(&format!("PUT {LOCATION}"))
        .with_xml(set);
    assert_eq!(updated.gets(200, NO_LOCATION).fault().label(), "unclear");
    let to_named = configure(named()).sends(&format!("GET {LOCATION}")).gets(200, &location("app-9"));
    to_named.sends("GET /accounts/55/inserviceNumbers/2125550001");
}

#[test]
fn tells_drift_of_the_location_and_of_its_application() {
    let drift = |in_use: &str, settings: &str| {
        let read = get().gets(200, "").gets(200, in_use).gets(200, &applications(&application(settings)));
        BandwidthNumbers.drift(&account(), &read.done(), &samples::webhooks())
    };
    assert!(drift(&location("app-1"), &settings()).is_empty());
    assert_eq!(drift(&location("app-0"), &settings()), ["HttpVoiceV2AppId"]);
    assert_eq!(drift(NO_LOCATION, &settings()), ["HttpVoiceV2AppId"]);
    let other = settings().replace("voice/0", "old/0");
    assert_eq!(
        drift(&location("app-1"), &other),
        ["application.CallInitiatedCallbackUrl", "application.CallInitiatedFallbackUrl"]
    );
}

#[test]
fn gives_a_number_back_once_and_has_nothing_to_put_back() {
    let held = shown(get().gets(200, "")).done();
    let body = "<DisconnectTelephoneNumberOrder><CustomerOrderId>dp-release-2125550001</CustomerOrderId>\
        <DisconnectTelephoneNumberOrderType><TelephoneNumberList><TelephoneNumber>2125550001</TelephoneNumber>\
        </TelephoneNumberList></DisconnectTelephoneNumberOrderType></DisconnectTelephoneNumberOrder>";
    let done = "<DisconnectTelephoneNumberOrderResponse><OrderStatus>RECEIVED</OrderStatus></DisconnectTelephoneNumberOrderResponse>";
    let release = || BandwidthNumbers.release(&account(), &held);
    let releasing = || talk(release()).sends("POST /accounts/55/disconnects").with_xml(body);
    releasing().gets(201, done).done();
    let refused = || releasing().gets(400, NOT_THERE).sends("GET /accounts/55/inserviceNumbers/2125550001");
    refused().gets(404, NOT_THERE).done();
    assert_eq!(refused().gets(200, "").fault().label(), "stop");
    check_meaningless(release);
    let pending = Held { id: "order:34ad".into(), ..held.clone() };
    let ordered =
        || talk(BandwidthNumbers.release(&account(), &pending)).sends("GET /accounts/55/orders/34ad");
    ordered().gets(200, &order("FAILED", &[])).done();
    assert_eq!(ordered().gets(200, &order("RECEIVED", &[])).fault().label(), "retry");
    talk(BandwidthNumbers.restore(&account(), "2125550001", &held.setup))
        .sends("GET /accounts/55/inserviceNumbers/2125550001")
        .gets(200, "")
        .done();
}
