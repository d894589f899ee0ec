//! Limits of calls at a time across routers: shared, freed at whatever router a call ends, and whole again after a router or
//! Redis was lost.

use dialplane_bench::http::Response;
use dialplane_bench::operator::Salon;
use dialplane_bench::system::{Router, wait_for};
use dialplane_common::feed::keys::{Keys, NAMESPACE};
use serde_json::{Value, json};

use crate::call::{REJECT_BUSY, post, twiml, with};
use crate::installation::Installation;
use crate::ops;

/// Two routers, and a salon with a limit.
struct Lines {
    routers: Vec<Router>,
    system: Installation,
    salon: Salon,
}

impl Lines {
    fn open(calls_max: u32) -> Self {
        Self::open_with(calls_max, &[])
    }

    fn open_with(calls_max: u32, settings: &[(&str, &str)]) -> Self {
        let system = Installation::start_with(settings);
        let routers = vec![system.router(settings)];
        let salon = system.salon(1);
        let lines = Self { routers, system, salon };
        lines.apply("PATCH", "", &json!({ "calls_max": calls_max }));
        lines
    }

    /// A write to the salon's tenant.
    fn apply(&self, method: &str, below: &str, body: &Value) {
        self.system.apply(method, &format!("/tenants/{}{below}", self.salon.tenant), body);
    }

    /// The installation's own router is the first, behind it come the others.
    fn router(&self, index: usize) -> &Router {
        index.checked_sub(1).map_or(&self.system.router, |index| &self.routers[index])
    }

    fn all(&self) -> impl Iterator<Item = &Router> {
        std::iter::once(&self.system.router).chain(&self.routers)
    }

    fn ring(&self, router: &Router, call: u32) -> Response {
        let sid = format!("CA{call:032x}");
        post(
            &self.salon,
            router.address,
            &self.salon.webhook_path("voice"),
            &with(&self.salon, &[("CallSid", &sid)]),
        )
    }

    /// Whether a call is taken: the salon's agent answers, or the caller hears busy.
    fn takes(&self, router: usize, call: u32) -> bool {
        let answer = self.ring(self.router(router), call);
        let is_taken = answer.body.contains("<Stream ");
        assert!(is_taken || answer.body == twiml(REJECT_BUSY), "{answer:?}");
        is_taken
    }

    fn end(&self, router: usize, call: u32) {
        let sid = format!("CA{call:032x}");
        let parameters = with(&self.salon, &[("CallSid", &sid), ("CallStatus", "completed")]);
        let path = self.salon.webhook_path("status");
        assert_eq!(post(&self.salon, self.router(router).address, &path, &parameters).status, 204);
    }

    /// How many calls of the salon a router counts.
    fn counted(&self, router: &Router) -> u64 {
        let view: Value = serde_json::from_str(&ops::get(router.ops, "/debug/live").body).expect("JSON");
        let largest = view["largest"].as_array().expect("a list");
        let own = largest.iter().find(|tenant| tenant["tenant_id"] == *self.salon.tenant);
        own.map_or(0, |tenant| tenant["now"].as_u64().expect("a number"))
    }

    /// Waits until all routers count so many.
    fn agree(&self, calls: u64) {
        wait_for(&format!("all routers to count {calls} calls"), || {
            self.all().all(|router| self.counted(router) == calls)
        });
    }

    /// How many calls lie in Redis.
    fn held(&self) -> u64 {
        let mut connection = self.system.redis.connection();
        let fields: u64 =
            redis::cmd("HLEN").arg(Keys::new(NAMESPACE).live()).query(&mut connection).expect("Redis");
        // One says which life of Redis it is.
        fields.saturating_sub(1)
    }

    fn limits(&self) -> Value {
        self.system.operator.ok("GET", &format!("/tenants/{}/limits", self.salon.tenant), &Value::Null)
    }
}

#[test]
fn routers_share_a_limit_and_an_end_at_either_frees_a_place() {
    let lines = Lines::open(2);
    assert!(lines.takes(0, 1));
    lines.agree(1);
    assert!(lines.takes(1, 2));
    lines.agree(2);
    assert!(!lines.takes(0, 3) && !lines.takes(1, 4), "who is turned away takes no place");
    assert!(lines.takes(1, 1), "a call that asks again at the other router keeps its place");
    wait_for("the API to tell", || lines.limits()["calls"] == json!({"now": 2, "max": 2}));
    let of_number = json!({"phone_number_id": lines.salon.phone, "now": 2, "max": null});
    assert_eq!(lines.limits()["numbers"], json!([of_number]));
    lines.end(1, 1);
    lines.agree(1);
    assert!(lines.takes(0, 5));
    lines.agree(2);
    (0..2).for_each(|router| lines.end(router, 5));
    lines.end(0, 2);
    lines.agree(0);
    wait_for("Redis to hold none", || lines.held() == 0);
}

#[test]
fn calls_of_a_router_that_was_killed_count_until_their_ends_come_to_another() {
    let mut lines = Lines::open(2);
    assert!(lines.takes(0, 1) && lines.takes(0, 2));
    lines.agree(2);
    lines.system.router.process.kill();
    assert!(!lines.takes(1, 3));
    let newcomer = lines.system.router(&[]);
    lines.routers.push(newcomer);
    wait_for("a new router to count them", || lines.counted(lines.router(2)) == 2);
    assert!(!lines.takes(2, 4));
    lines.end(1, 1);
    wait_for("a place to be free", || lines.counted(lines.router(2)) == 1);
    assert!(lines.takes(2, 5));
}

#[test]
fn while_redis_is_away_each_counts_for_itself_and_all_agree_when_it_is_back_empty() {
    let mut lines = Lines::open(3);
    assert!(lines.takes(0, 1) && lines.takes(0, 2));
    lines.agree(2);
    lines.system.redis.stop();
    assert!(lines.takes(0, 3) && lines.takes(1, 4), "a place is free, as far as each knows");
    assert!(!lines.takes(0, 5) && !lines.takes(1, 6));
    lines.end(1, 1);
    assert!(lines.takes(1, 7));
    lines.system.redis.restart();
    // 2, 3, 4 and 7 are under way.
    lines.agree(4);
    wait_for("Redis to hold them again", || lines.held() == 4);
    assert!(!lines.takes(0, 8) && !lines.takes(1, 9));
}

#[test]
fn redis_that_forgets_all_is_told_again() {
    let lines = Lines::open(2);
    assert!(lines.takes(0, 1));
    lines.agree(1);
    assert!(lines.takes(1, 2));
    lines.agree(2);
    let _: () = redis::cmd("DEL")
        .arg(Keys::new(NAMESPACE).live())
        .query(&mut lines.system.redis.connection())
        .expect("Redis");
    wait_for("Redis to hold them again", || lines.held() == 2);
    lines.agree(2);
    assert!(!lines.takes(0, 3) && !lines.takes(1, 4));
}

#[test]
fn what_somebody_writes_to_redis_without_the_key_counts_for_nothing() {
    let lines = Lines::open(1);
    let (keys, mut connection) = (Keys::new(NAMESPACE), lines.system.redis.connection());
    let _: () = redis::pipe()
        .hset(keys.live(), [7_u8; 16].as_slice(), "forged")
        .publish(keys.live_changes(), "forged")
        .query(&mut connection)
        .expect("Redis");
    wait_for("the message to be rejected", || {
        ops::metric(lines.system.router.ops, "router_feed_messages_rejected_total") >= 1.0
    });
    assert!(lines.takes(0, 1));
    assert_eq!(lines.limits()["calls"]["max"], 1);
}

#[test]
fn a_call_whose_end_was_lost_frees_its_place_in_time() {
    let lines = Lines::open_with(1, &[("ROUTER_CALL_MAX_S", "2")]);
    assert!(lines.takes(0, 1));
    lines.agree(1);
    assert!(!lines.takes(1, 2));
    lines.agree(0);
    assert!(lines.takes(1, 3));
}

#[test]
fn a_call_too_many_hears_busy_where_nobody_says_else() {
    let lines = Lines::open(1);
    lines.system.route(&lines.salon, &json!([{"then": {"action": "agent"}}]));
    assert!(lines.takes(0, 1) && !lines.takes(0, 2));
    let explained = ops::get(
        lines.system.router.ops,
        &format!("/debug/explain?to={}", lines.salon.number.replace('+', "%2B")),
    );
    let explained: Value = serde_json::from_str(&explained.body).expect("JSON");
    assert_eq!(explained["is_over_limit"], true);
    assert!(explained["why"].as_str().expect("text").ends_with("so the caller hears busy"), "{explained}");
}

#[test]
fn what_follows_a_reached_limit_is_the_numbers_else_the_tenants() {
    let lines = Lines::open(1);
    let voicemail = json!({"action": "voicemail", "say": "Nobody is free."});
    lines.apply("PUT", "/defaults/routing", &json!({ "over_limit": voicemail }));
    assert!(lines.takes(0, 1), "rules are as they were");
    let heard = |call: u32| lines.ring(lines.router(0), call).body;
    assert!(heard(2).contains("<Say>Nobody is free.</Say><Record "), "{}", heard(2));
    let message = json!({"action": "message", "say": "All lines are busy."});
    let routing = format!("{}/routing", lines.salon.phone_path());
    lines.system.apply("PUT", &routing, &json!({ "over_limit": message }));
    assert_eq!(heard(3), twiml("<Say>All lines are busy.</Say><Hangup/>"));
    let shown = lines.system.operator.ok("GET", &routing, &Value::Null);
    assert_eq!(shown["own"], json!({ "over_limit": message }));
    assert_eq!(shown["inherited"], json!({ "over_limit": voicemail }));
    assert_eq!(shown["inherited_from"], json!({"over_limit": "tenant"}));
    assert_eq!(lines.counted(lines.router(0)), 1, "who leaves a message takes no place");
    let refused = lines.system.operator.send("PUT", &routing, &json!({}));
    assert_eq!(refused.status, 422, "{refused:?}");
}
