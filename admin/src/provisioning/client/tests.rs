//! The client beside a server that says what a test wants: what is sent how often, and what is made of it.

use dialplane_common::provider::Api;
use dialplane_common::rest::Reply;
use dialplane_common::rest::base::Base;
use http::Method;
use sqlx::PgPool;
use uuid::Uuid;

use super::retry::ATTEMPTS_MAX;
use super::send::BODY_BYTES_MAX;
use super::server::{Answer, Server};
use super::*;
use crate::outbound;

const API: Api = Api { base_setting: "X_API_BASE", base: "https://api.x.example" };
const ACCOUNT: AccountId = AccountId(Uuid::from_u128(1));
/// More a second than any test sends.
const FAST: u32 = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

fn client(bases: Vec<Base>) -> Client {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (http, public_http) = (outbound::client().unwrap(), outbound::public_client().unwrap());
    Client::new(http, public_http, Bases::new(bases), metrics)
}

fn at(url: String) -> Vec<Base> {
    vec![Base { setting: API.base_setting, url }]
}

async fn start(answers: Vec<Answer>) -> (Server, Client) {
    let server = Server::start(answers).await;
    let client = client(at(format!("http://{}/v2", server.address)));
    (server, client)
}

/// A request that reads.
fn look() -> Exchange<String> {
    Exchange::last(Request::new("x.numbers.get", Method::GET, API, "/numbers/1"), text)
}

/// A request that costs.
fn buy() -> Exchange<String> {
    Exchange::last(
        Request::new("x.numbers.buy", Method::POST, API, "/numbers").form([("Name", "dp:1")]),
        text,
    )
}

/// What providers' folders make of replies, in small.
fn text(reply: Reply) -> Result<String, Fault> {
    let said = String::from_utf8_lossy(&reply.body).into_owned();
    match reply.is_success() {
        true if said.is_empty() => Err(Fault::unclear("a success that says nothing")),
        true => Ok(said),
        false => Err(reply.fault("", &said)),
    }
}

async fn run<T: 'static>(client: &Client, exchange: Exchange<T>, within: Duration) -> Result<T, Fault> {
    client.run(ACCOUNT, FAST, exchange, Instant::now() + within).await
}

fn good() -> Answer {
    Answer::whole(200, "", "yes")
}

fn fails(status: u16) -> Answer {
    Answer::whole(status, "", "no")
}

/// Ways to end without an answer that says what came of the request.
fn losses() -> [(&'static str, Answer); 7] {
    [
        ("closed", Answer::none()),
        ("silent", Answer::none().hanging()),
        ("cut in the head", Answer::cut("HTTP/1.1 200 X\r\nconten")),
        ("cut in the body", Answer::begun(200, "", "ye", 3)),
        ("slow in the body", Answer::begun(200, "", "ye", 3).hanging()),
        ("unavailable", fails(503)),
        ("an error", fails(500)),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_exchange_is_driven_from_request_to_request_to_its_end() {
    let answers = vec![Answer::whole(201, "location: /orders/7\r\n", ""), fails(404), good()];
    let (server, client) = start(answers).await;
    let order =
        Request::new("x.orders.make", Method::POST, API, "/orders").bearer("hunter2").form([("a", "b c")]);
    let exchange = Exchange::new(order, |reply| {
        assert_eq!((reply.status, reply.location.as_deref()), (201, Some("/orders/7")));
        let first = Request::new("x.orders.get", Method::GET, API, "/orders/7?x=%2B1");
        Ok(Step::Next(Exchange::new(first, |reply| {
            assert_eq!(reply.status, 404);
            Ok(Step::Later(Duration::from_secs(3), look()))
        })))
    });
    assert_eq!(run(&client, exchange, MINUTE).await, Ok("yes".to_owned()));
    let seen = server.seen();
    let lines: Vec<&str> = seen.iter().filter_map(|seen| seen.head.lines().next()).collect();
    let expected =
        ["post /v2/orders http/1.1", "get /v2/orders/7?x=%2b1 http/1.1", "get /v2/numbers/1 http/1.1"];
    assert_eq!(lines, expected);
    let version = concat!("user-agent: dialplane/", env!("CARGO_PKG_VERSION"));
    for line in ["authorization: bearer hunter2", "content-type: application/x-www-form-urlencoded", version]
    {
        assert!(seen[0].head.contains(line), "{line}: {}", seen[0].head);
    }
    assert_eq!(seen[0].body, "a=b+c");
    assert!(seen[2].at - seen[1].at >= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_until_it_is_answered() {
    for (name, loss) in losses() {
        let (server, client) = start(vec![loss.clone(), loss, good()]).await;
        assert_eq!(run(&client, look(), MINUTE).await, Ok("yes".to_owned()), "{name}");
        assert_eq!(server.seen().len(), 3, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_given_up_as_not_done() {
    for (name, loss) in losses() {
        let (server, client) = start(vec![loss; 9]).await;
        let fault = run(&client, look(), MINUTE * 5).await.unwrap_err();
        assert_eq!((fault.label(), server.seen().len()), ("retry", ATTEMPTS_MAX as usize), "{name}: {fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_costs_is_never_repeated_when_it_may_have_been_done() {
    let unreadable = [("says nothing", Answer::whole(200, "", "")), ("timed out there", fails(408))];
    for (name, loss) in losses().into_iter().chain(unreadable) {
        let (server, client) = start(vec![loss, good()]).await;
        let fault = run(&client, buy(), MINUTE).await.unwrap_err();
        assert_eq!((fault.label(), server.seen().len()), ("unclear", 1), "{name}: {fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_costs_is_waited_for_longer_than_what_reads() {
    let (_server, client) = start(vec![Answer::none().hanging(); 2]).await;
    let check = async |exchange, within, expected: Duration| {
        let began = Instant::now();
        assert!(run(&client, exchange, within).await.is_err());
        let took = began.elapsed();
        assert!((expected..expected + Duration::from_secs(1)).contains(&took), "{took:?} for {expected:?}");
    };
    check(buy(), MINUTE, ONCE_TIMEOUT).await;
    check(look(), TIMEOUT + Duration::from_millis(1), TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_holds_whatever_happens() {
    let within = Duration::from_secs(20);
    let check = async |name: &str, answer: Answer, exchange: Exchange<String>, requests: usize| {
        let (server, client) = start(vec![answer; 9]).await;
        let began = Instant::now();
        let fault = run(&client, exchange, within).await.unwrap_err();
        // A timer of tokio's may be a millisecond late.
        assert!(began.elapsed() <= within + Duration::from_millis(1), "{name}: {:?}", began.elapsed());
        assert_eq!(server.seen().len(), requests, "{name}: {fault}");
        fault
    };
    let silent = check("silent", Answer::none().hanging(), look(), 2).await;
    assert_eq!(silent.label(), "retry");
    let unclear = check("a silent purchase", Answer::none().hanging(), buy(), 1).await;
    assert_eq!(unclear.label(), "unclear");
    let asks_much = || Answer::whole(429, "retry-after: 60\r\n", "no");
    for exchange in [look(), buy()] {
        let fault = check("asks for more", asks_much(), exchange, 1).await;
        assert!(matches!(fault, Fault::Retry { after, .. } if after == Some(MINUTE)), "{fault:?}");
    }
    let waits = Exchange::new(look().request, |_| Ok(Step::Later(within_and_more(), look())));
    let fault = check("isn't done yet", good(), waits, 1).await;
    assert!(matches!(fault, Fault::Retry { after, .. } if after == Some(within_and_more())), "{fault:?}");
}

fn within_and_more() -> Duration {
    Duration::from_secs(25)
}

#[tokio::test(start_paused = true)]
async fn what_costs_isnt_sent_when_its_answer_would_come_too_late() {
    let (server, client) = start(vec![good()]).await;
    let fault = run(&client, buy(), ONCE_TIME_MIN).await.unwrap_err();
    assert_eq!((fault.label(), server.seen().len()), ("retry", 0));
    assert_eq!(run(&client, buy(), ONCE_TIME_MIN * 2).await, Ok("yes".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_where_nobody_answers_or_proves_who_it_is() {
    let (server, _) = start(vec![Answer::none(); 9]).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("https://{}", server.address), format!("http://{nobody}")] {
        let client = client(at(url.clone()));
        let fault = run(&client, buy(), MINUTE).await.unwrap_err();
        assert_eq!(fault.label(), "retry", "{url}: {fault}");
        assert!(fault.to_string().contains("nothing was sent"), "{fault}");
        assert!(!fault.to_string().contains("numbers"), "{fault}");
        assert_eq!(run(&client, look(), MINUTE).await.unwrap_err().label(), "retry", "{url}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_are_waited_out_by_what_costs_as_well() {
    for exchange in [buy(), look()] {
        let (server, client) =
            start(vec![Answer::whole(429, "retry-after: 7\r\n", "no"), fails(429), good()]).await;
        assert_eq!(run(&client, exchange, MINUTE).await, Ok("yes".to_owned()));
        let seen = server.seen();
        assert_eq!(seen.len(), 3);
        assert!(seen[1].at - seen[0].at >= Duration::from_secs(7), "{:?}", seen[1].at - seen[0].at);
    }
    let (server, client) = start(vec![fails(429); 9]).await;
    assert_eq!(run(&client, buy(), MINUTE).await.unwrap_err().label(), "retry");
    assert_eq!(server.seen().len(), ATTEMPTS_MAX as usize);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_provider_asks_for_is_for_all_who_ask_for_the_account() {
    let (server, client) =
        start(vec![Answer::whole(429, "retry-after: 9\r\n", "no"), good(), good(), good()]).await;
    // The first is turned away, and has no time to wait.
    let began = Instant::now();
    let fault = run(&client, look(), Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(fault, Fault::Retry { after: Some(after), .. } if after.as_secs() == 9), "{fault:?}");
    // Another isn't even sent, unless it has the time to wait.
    let fault = run(&client, buy(), Duration::from_secs(8)).await.unwrap_err();
    assert!(matches!(fault, Fault::Retry { after: Some(_), .. }), "{fault:?}");
    assert_eq!(server.seen().len(), 1);
    // Another account isn't held up by it.
    let other = AccountId(Uuid::from_u128(2));
    assert!(client.run(other, FAST, look(), Instant::now() + MINUTE).await.is_ok());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(run(&client, buy(), MINUTE).await.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(9), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_account_s_requests_keep_the_provider_s_pace() {
    let (server, client) = start(vec![good(); 5]).await;
    let deadline = Instant::now() + MINUTE;
    let all = futures_util::future::join_all((0..5).map(|_| client.run(ACCOUNT, 2, look(), deadline))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let seen = server.seen();
    let took = seen[4].at - seen[0].at;
    // Five at two a second; how long a connection takes to be noticed varies a little.
    let expected = Duration::from_millis(1_900)..Duration::from_millis(2_500);
    assert!(expected.contains(&took), "{took:?}");
    let text = client.metrics.text(&nowhere()).unwrap();
    assert!(text.contains("dialplane_admin_provider_waits_total{provider=\"x\"} 4"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn behind_something_that_cost_nothing_is_said_not_to_be_done() {
    let behind = |lead: Exchange<String>| lead.then(|_| Ok(Step::Next(look())));
    let check = async |lead: Exchange<String>, next: Answer, expected: &str| {
        let mut answers = vec![good()];
        answers.extend(vec![next; 9]);
        let (_server, client) = start(answers).await;
        let fault = run(&client, behind(lead), MINUTE).await.unwrap_err();
        assert_eq!(fault.label(), expected, "{fault}");
    };
    check(look(), fails(500), "retry").await;
    check(buy(), fails(500), "unclear").await;
    check(buy(), fails(429), "unclear").await;
    check(buy(), Answer::none().hanging(), "unclear").await;
    check(look(), fails(404), "gone").await;
    check(buy(), fails(404), "unclear").await;
    check(buy(), fails(401), "unclear").await;
    let (_server, client) = start(vec![good()]).await;
    let waits = buy().then(|_| Ok::<Step<String>, _>(Step::Later(MINUTE * 2, look())));
    assert_eq!(run(&client, waits, MINUTE).await.unwrap_err().label(), "unclear");
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_a_largest_size() {
    let largest = "x".repeat(BODY_BYTES_MAX);
    let (_server, client) = start(vec![Answer::whole(200, "", &largest)]).await;
    assert_eq!(run(&client, look(), MINUTE).await.map(|text| text.len()), Ok(BODY_BYTES_MAX));
    for exchange in [look(), buy()] {
        let (server, client) = start(vec![Answer::whole(200, "", &format!("{largest}x")); 2]).await;
        let fault = run(&client, exchange, MINUTE).await.unwrap_err();
        assert_eq!((fault.label(), server.seen().len()), ("unclear", 1), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_cant_be_read_is_the_caller_s_to_ask_for_again() {
    let (server, client) = start(vec![Answer::whole(200, "", ""), good()]).await;
    assert_eq!(run(&client, look(), MINUTE).await.unwrap_err().label(), "unclear");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_refuses_is_read_at_once_and_redirects_lead_nowhere() {
    for (status, expected) in [(302, "stop"), (400, "stop"), (401, "stop"), (404, "gone")] {
        let (server, client) =
            start(vec![Answer::whole(status, "location: /v2/other\r\n", "no"), good()]).await;
        assert_eq!(run(&client, look(), MINUTE).await.unwrap_err().label(), expected);
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_that_accounts_name_are_public_ones_unless_a_setting_names_another() {
    let (server, named) = start(vec![good()]).await;
    let unnamed = client(Vec::new());
    let inside = format!("http://{}", server.address);
    for base in [inside.clone(), format!("https://{}", server.address)] {
        assert_refused(&unnamed, &base).await;
    }
    assert!(server.seen().is_empty());
    assert_eq!(run(&named, look_at(&inside), MINUTE).await, Ok("yes".to_owned()));
}

/// Without a server, whose clock would go on while the system is asked what the name leads to.
#[tokio::test(start_paused = true)]
async fn a_name_that_leads_inside_isnt_asked_either() {
    assert_refused(&client(Vec::new()), "https://localhost:9").await;
}

fn look_at(base: &str) -> Exchange<String> {
    Exchange::last(look().request.base(base), text)
}

async fn assert_refused(client: &Client, base: &str) {
    let fault = run(client, look_at(base), MINUTE).await.unwrap_err();
    assert!(matches!(&fault, Fault::Stop { code, .. } if code == "host_refused"), "{base}: {fault:?}");
}

#[tokio::test(start_paused = true)]
async fn each_request_is_counted_by_what_came_of_it_and_credentials_stay_where_they_are() {
    let (_server, client) = start(vec![fails(500), fails(429), good(), fails(401)]).await;
    assert!(run(&client, look(), MINUTE).await.is_ok());
    assert!(run(&client, look(), MINUTE).await.is_err());
    let broken = Exchange::last(look().request.header("authorization", "hunter2\n"), text);
    let fault = run(&client, broken, MINUTE).await.unwrap_err();
    assert!(fault.label() == "stop" && !format!("{fault:?}").contains("hunter2"), "{fault:?}");
    let metrics = client.metrics.text(&nowhere()).unwrap();
    for outcome in ["unclear", "retry", "done", "stop"] {
        let labels = format!("{{operation=\"x.numbers.get\",outcome=\"{outcome}\",provider=\"x\"}} 1");
        assert!(metrics.contains(&format!("dialplane_admin_provider_requests_total{labels}")), "{metrics}");
    }
    assert!(
        metrics.contains("dialplane_admin_provider_request_seconds_count{provider=\"x\"} 4"),
        "{metrics}"
    );
}

fn nowhere() -> PgPool {
    PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/nothing").unwrap()
}
