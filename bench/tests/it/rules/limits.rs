//! Limits of calls at a time: a rule sees that one is reached until a call is over.

use serde_json::{Value, json};

use super::{call_sid, heard, ring, say};
use crate::call::{REJECT_BUSY, post, twiml, with};
use crate::installation::Installation;

struct Line {
    system: Installation,
    salon: dialplane_bench::operator::Salon,
}

impl Line {
    /// Calls are refused over this limit.
    fn open(scope: &str) -> Self {
        let system = Installation::start();
        let salon = system.salon(1);
        let busy = json!({"action": "reject", "reason": "busy"});
        system
            .route(&salon, &json!([{"when": {"over_limit": scope}, "then": busy}, {"then": say("welcome")}]));
        Self { system, salon }
    }

    fn limit_number(&self, calls: Value) {
        self.system.apply("PATCH", &self.salon.phone_path(), &json!({ "calls_max": calls }));
    }

    fn limit_tenant(&self, calls: Value) {
        self.system.apply(
            "PATCH",
            &format!("/tenants/{}", self.salon.tenant),
            &json!({ "calls_max": calls }),
        );
    }

    fn is_busy(&self, call: u32) -> bool {
        let answer = ring(&self.salon, &self.system.router, &[("CallSid", &call_sid(call))]);
        assert!(heard(&answer) == "welcome" || answer.body == twiml(REJECT_BUSY), "{answer:?}");
        heard(&answer) != "welcome"
    }

    fn status(&self, call: u32, status: &str) {
        let sid = call_sid(call);
        let parameters = with(&self.salon, &[("CallSid", &sid), ("CallStatus", status)]);
        let path = self.salon.webhook_path("status");
        assert_eq!(post(&self.salon, self.system.router.address, &path, &parameters).status, 204);
    }
}

#[test]
fn a_number_is_busy_while_it_has_as_many_calls_as_it_may() {
    let line = Line::open("number");
    assert_eq!((1..=5).map(|call| line.is_busy(call)).collect::<Vec<_>>(), [false; 5], "no limit");
    (1..=5).for_each(|call| line.status(call, "completed"));
    line.limit_number(json!(2));
    assert_eq!([11, 12, 13].map(|call| line.is_busy(call)), [false, false, true]);
    line.status(11, "in-progress");
    line.status(99, "completed");
    assert!(line.is_busy(14), "the call goes on, and another's end is nothing to it");
    line.status(11, "completed");
    line.status(11, "completed");
    assert_eq!([15, 16].map(|call| line.is_busy(call)), [false, true], "one is over, once");
    line.limit_number(json!(3));
    assert_eq!([17, 18].map(|call| line.is_busy(call)), [false, true]);
    line.limit_number(Value::Null);
    assert!(!line.is_busy(19));
}

#[test]
fn a_request_that_is_repeated_is_answered_as_before() {
    let line = Line::open("number");
    line.limit_number(json!(1));
    assert_eq!([1, 1, 2, 1, 2].map(|call| line.is_busy(call)), [false, false, true, false, true]);
}

#[test]
fn a_tenants_numbers_share_its_limit() {
    let line = Line::open("tenant");
    line.limit_tenant(json!(2));
    assert_eq!([1, 2, 3].map(|call| line.is_busy(call)), [false, false, true]);
    line.status(2, "completed");
    assert!(!line.is_busy(4));
}

#[test]
fn a_limit_that_no_rule_asks_for_holds_all_the_same() {
    let line = Line::open("tenant");
    line.limit_tenant(json!(5));
    line.limit_number(json!(1));
    assert_eq!([1, 2].map(|call| line.is_busy(call)), [false, true]);
}

#[test]
fn either_limit_is_enough_where_any_is_asked_for() {
    let line = Line::open("any");
    line.limit_tenant(json!(2));
    assert_eq!([1, 2, 3].map(|call| line.is_busy(call)), [false, false, true]);
    [1, 2].into_iter().for_each(|call| line.status(call, "completed"));
    line.limit_number(json!(1));
    assert_eq!([4, 5].map(|call| line.is_busy(call)), [false, true]);
}
