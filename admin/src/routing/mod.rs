//! Routing rules: the document and what it compiles to.
//!
//! What is refused when rules are saved, and what merely has to be readable later, are two things: [`check`] also
//! judges whether each rule can match, [`compile`] doesn't, so that a stricter judgement never makes stored rules
//! unreadable.
//!
//! [`check`]: RoutingDocument::check
//! [`compile`]: RoutingDocument::compile

mod chain;
mod condition;
mod step;
mod unreachable;

pub use chain::over_limit;
pub use condition::{
    CallersDocument, ConditionDocument, DatesDocument, DayDocument, LimitDocument, ShareDocument,
    TimeDocument,
};
use dialplane_common::ids::{AgentId, TenantId};
use dialplane_common::route::{RULES_MAX, Rule, Step};
use serde::{Deserialize, Serialize};
pub use step::{Action, AgentShareDocument, DialableDocument, RejectReason, StepDocument};
use utoipa::ToSchema;

use crate::invalid::Invalid;

/// How calls are routed. What is absent is inherited: a number's from its tenant, a tenant's from the platform. One of the
/// two has to be there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingDocument {
    /// The rules, in order: the first whose condition holds decides. A list replaces the list that is inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RuleDocument>>,
    /// What is done with a call when as many are under way as `calls_max` of its number or tenant allows, instead of what
    /// the rule says that holds; unless that rule asks for `over_limit` itself, or rejects. Where nobody sets it, the caller
    /// hears busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<StepDocument>,
}

/// The platform's routing, and what holds for numbers that nobody has.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformRoutingDocument {
    /// The rules. An agent step names no agent here: it is the number's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RuleDocument>>,
    /// What is done with a call when a limit of calls at a time is reached, where neither its number nor its tenant says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<StepDocument>,
    /// The tenant who takes calls for numbers that nobody has; null: they are rejected.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub unknown_numbers: Option<TenantId>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDocument {
    /// When it holds; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<ConditionDocument>,
    /// What is done then.
    pub then: StepDocument,
}

/// What a router needs of a routing document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Routing {
    /// The rules.
    pub rules: Option<Vec<Rule>>,
    /// What is done when a limit is reached.
    pub over_limit: Option<Vec<Step>>,
}

impl RoutingDocument {
    /// What a router needs; refuses rules that no call can reach, and a document that sets nothing. Whether its
    /// [agents](Self::agents) are there is for the caller to see.
    ///
    /// # Errors
    /// What is wanted where: `rules[1].then.else.to`.
    pub fn check(&self) -> Result<Routing, Invalid> {
        if self.rules.is_none() && self.over_limit.is_none() {
            return Err(Invalid::new("rules", "wanted rules, over_limit or both"));
        }
        checked(self.compile()?)
    }

    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where: `rules[1].then.else.to`.
    pub fn compile(&self) -> Result<Routing, Invalid> {
        compile(self.rules.as_deref(), self.over_limit.as_ref())
    }

    /// The agents that steps name, each with the places that do.
    #[must_use]
    pub fn agents(&self) -> Vec<(AgentId, String)> {
        named_agents(self.rules.as_deref(), self.over_limit.as_ref())
    }

    /// This before what stands behind it.
    #[must_use]
    pub fn over(self, far: &Self) -> Self {
        Self {
            rules: self.rules.or_else(|| far.rules.clone()),
            over_limit: self.over_limit.or_else(|| far.over_limit.clone()),
        }
    }
}

impl From<PlatformRoutingDocument> for RoutingDocument {
    fn from(platform: PlatformRoutingDocument) -> Self {
        Self { rules: platform.rules, over_limit: platform.over_limit }
    }
}

impl PlatformRoutingDocument {
    /// What a router needs, and refuses rules that no call can reach.
    ///
    /// # Errors
    /// As [`PlatformRoutingDocument::compile`].
    pub fn check(&self) -> Result<Routing, Invalid> {
        checked(self.compile()?)
    }

    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where, as for a number's rules; and an agent that is named, as agents are tenants'.
    pub fn compile(&self) -> Result<Routing, Invalid> {
        let named = named_agents(self.rules.as_deref(), self.over_limit.as_ref());
        if let Some((_, place)) = named.into_iter().next() {
            return Err(Invalid::new(
                place,
                "wanted absent: the platform's rules take the number's own agent",
            ));
        }
        compile(self.rules.as_deref(), self.over_limit.as_ref())
    }
}

fn checked(routing: Routing) -> Result<Routing, Invalid> {
    unreachable::refuse(routing.rules.as_deref().unwrap_or_default())?;
    Ok(routing)
}

const OVER_LIMIT: &str = "over_limit";

fn compile(rules: Option<&[RuleDocument]>, over_limit: Option<&StepDocument>) -> Result<Routing, Invalid> {
    Ok(Routing {
        rules: rules.map(compile_rules).transpose()?,
        over_limit: over_limit.map(|step| step::compile_chain(OVER_LIMIT, step)).transpose()?,
    })
}

fn compile_rules(documents: &[RuleDocument]) -> Result<Vec<Rule>, Invalid> {
    if documents.len() > RULES_MAX {
        return Err(Invalid::new("rules", format!("wanted at most {RULES_MAX} rules")));
    }
    let mut taken = condition::Taken::default();
    let mut rules = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let place = format!("rules[{index}]");
        let when =
            document.when.as_ref().map(|when| condition::compile(&format!("{place}.when"), when, &mut taken));
        rules.push(Rule {
            when: when.transpose()?.unwrap_or_default(),
            then: step::compile_chain(&format!("{place}.then"), &document.then)?,
        });
    }
    Ok(rules)
}

fn named_agents(rules: Option<&[RuleDocument]>, over_limit: Option<&StepDocument>) -> Vec<(AgentId, String)> {
    let of_rule = |(index, rule): (usize, &RuleDocument)| {
        step::named_agents(&format!("rules[{index}].then"), &rule.then)
    };
    let of_rules = rules.unwrap_or_default().iter().enumerate().flat_map(of_rule);
    of_rules.chain(over_limit.into_iter().flat_map(|step| step::named_agents(OVER_LIMIT, step))).collect()
}

#[cfg(test)]
mod tests {
    use dialplane_common::route::{Date, Interval, LimitScope, Prompt, Step, TimeRange};
    use uuid::Uuid;

    use super::step::VOICEMAIL_PROMPT;
    use super::*;

    fn compile(rules: &str) -> Result<Vec<Rule>, Invalid> {
        let document: RoutingDocument = serde_json::from_str(&format!("{{\"rules\":{rules}}}")).unwrap();
        document.check().map(|routing| routing.rules.unwrap())
    }

    #[test]
    fn what_follows_a_reached_limit_is_a_chain_like_any() {
        let routing = |text: &str| serde_json::from_str::<RoutingDocument>(text).unwrap();
        let chain =
            r#"{"over_limit":{"action":"forward","to":"+12125550003","else":{"action":"voicemail"}}}"#;
        let compiled = routing(chain).check().unwrap();
        assert!(matches!(compiled.over_limit.unwrap()[..], [Step::Forward { .. }, Step::Voicemail { .. }]));
        assert_eq!(compiled.rules, None, "rules are inherited");
        let refused = |text: &str| routing(text).check().unwrap_err().field;
        assert_eq!(refused(r#"{"over_limit":{"action":"forward"}}"#), "over_limit.to");
        assert_eq!(refused("{}"), "rules");
        let agent = Uuid::from_u128(1);
        let named = format!(r#"{{"over_limit":{{"action":"agent","agent_id":"{agent}"}}}}"#);
        assert_eq!(routing(&named).agents(), [(AgentId(agent), "over_limit.agent_id".to_owned())]);
        let platform: PlatformRoutingDocument = serde_json::from_str(&named).unwrap();
        assert_eq!(platform.check().unwrap_err().field, "over_limit.agent_id");
    }

    fn check(rules: &str, field: &str) {
        assert_eq!(compile(rules).map_err(|invalid| invalid.field), Err(field.to_owned()), "{rules}");
    }

    #[test]
    fn the_smallest_session_compiles() {
        let rules = compile(
            r#"[{"when":{"open":false},"then":{"action":"message","say":"We are closed."}},
                {"then":{"action":"agent"}}]"#,
        )
        .unwrap();
        assert_eq!(rules[0].when.open, Some(false));
        let prompt = Prompt::Say { text: "We are closed.".into(), language: None };
        assert_eq!(rules[0].then, [Step::Message { prompt }]);
        assert_eq!(rules[1].then, [Step::Agent { agent: None }]);
    }

    #[test]
    fn a_chain_is_what_follows() {
        let rules = compile(
            r#"[{"then":{"action":"ring","to":["+12125550002","sip:a@b"],"timeout_seconds":5,
                 "else":{"action":"forward","to":"+12125550003","else":{"action":"voicemail"}}}}]"#,
        )
        .unwrap();
        let [
            Step::Ring { timeout_s: 5, .. },
            Step::Forward { timeout_s: 20, .. },
            Step::Voicemail { length_max_s: 120, prompt },
        ] = rules[0].then.as_slice()
        else {
            panic!("{rules:?}")
        };
        assert!(matches!(prompt, Prompt::Say { text, .. } if text == VOICEMAIL_PROMPT));
    }

    #[test]
    fn what_follows_fits_a_url() {
        let chain = |say: String| {
            format!(r#"[{{"then":{{"action":"agent","else":{{"action":"message","say":"{say}"}}}}}}]"#)
        };
        assert!(compile(&chain("a".repeat(4_000))).is_ok());
        check(&chain("\u{3042}".repeat(4_000)), "rules[0].then.else");
        let alone = format!(r#"[{{"then":{{"action":"message","say":"{}"}}}}]"#, "\u{3042}".repeat(4_000));
        assert!(compile(&alone).is_ok(), "the first step stands in no URL");
    }

    #[test]
    fn errors_name_the_place() {
        check(r#"[{"then":{"action":"forward","to":"12125550002"}}]"#, "rules[0].then.to");
        check(r#"[{"then":{"action":"forward","to":["+12125550002"]}}]"#, "rules[0].then.to");
        check(r#"[{"then":{"action":"forward"}}]"#, "rules[0].then.to");
        check(r#"[{"then":{"action":"ring","to":["+12125550002"]}}]"#, "rules[0].then.to");
        check(r#"[{"then":{"action":"ring","to":["+12125550002","x"]}}]"#, "rules[0].then.to[1]");
        check(
            r#"[{"then":{"action":"agent","else":{"action":"forward","to":"x"}}}]"#,
            "rules[0].then.else.to",
        );
        check(r#"[{"then":{"action":"message"}}]"#, "rules[0].then");
        check(r#"[{"then":{"action":"message","say":"x","play":"https://a/x"}}]"#, "rules[0].then");
        check(r#"[{"then":{"action":"message","play":"file:///x"}}]"#, "rules[0].then.play");
        check(
            r#"[{"then":{"action":"message","say":"x","else":{"action":"reject"}}}]"#,
            "rules[0].then.else",
        );
        check(r#"[{"then":{"action":"reject","say":"x"}}]"#, "rules[0].then.say");
        check(r#"[{"then":{"action":"redirect","url":"http://a"}}]"#, "rules[0].then.url");
        check(r#"[{"then":{"action":"voicemail","max_seconds":0}}]"#, "rules[0].then.max_seconds");
        check(
            r#"[{"then":{"action":"forward","to":"+12125550002","timeout_seconds":4}}]"#,
            "rules[0].then.timeout_seconds",
        );
        check(r#"[{"when":{"caller":{}},"then":{"action":"reject"}}]"#, "rules[0].when.caller");
        check(
            r#"[{"when":{"caller":{"prefixes":["44"]}},"then":{"action":"reject"}}]"#,
            "rules[0].when.caller.prefixes[0]",
        );
        check(
            r#"[{"when":{"caller":{"numbers":["44"]}},"then":{"action":"reject"}}]"#,
            "rules[0].when.caller.numbers[0]",
        );
        check(r#"[{"when":{},"then":{"action":"reject"}},{"then":{"action":"agent"}}]"#, "rules[1]");
        let long = format!(
            "{}{{\"action\":\"agent\"}}{}",
            "{\"action\":\"agent\",\"else\":".repeat(8),
            "}".repeat(8)
        );
        check(&format!("[{{\"then\":{long}}}]"), &format!("rules[0].then{}", ".else".repeat(8)));
    }

    #[test]
    fn conditions_compile() {
        let rules = compile(
            r#"[{"when":{"caller":{"numbers":["+12125550002","+12125550001"],"countries":["US","CA"]},
                         "not_caller":{"prefixes":["+1900"],"withheld":true},
                         "time":{"days":["sat","mon"],"from":"22:00","to":"02:00",
                                 "dates":{"from":"2026-12-01","to":"2026-12-31"}},
                         "over_limit":"any"},
                 "then":{"action":"reject"}}]"#,
        )
        .unwrap();
        let when = &rules[0].when;
        let caller = when.caller.as_ref().unwrap();
        assert!(caller.numbers.is_sorted() && caller.numbers.len() == 2);
        assert_eq!(caller.countries.iter().map(ToString::to_string).collect::<Vec<_>>(), ["CA", "US"]);
        let not_caller = when.not_caller.as_ref().unwrap();
        assert_eq!((not_caller.prefixes.as_slice(), not_caller.withheld), ([1900].as_slice(), true));
        let date = |day| Date { year: 2026, month: 12, day };
        let time = TimeRange {
            days: 1 | 1 << 5,
            interval: Interval::new(22 * 60, 2 * 60),
            dates: Some((date(1), date(31))),
        };
        assert_eq!((when.time.as_ref(), when.over_limit), (Some(&time), Some(LimitScope::Any)));
    }

    #[test]
    fn an_open_end_of_a_time_is_midnight() {
        let interval = |time: &str| {
            let rules = compile(&format!(r#"[{{"when":{{"time":{time}}},"then":{{"action":"reject"}}}}]"#));
            rules.unwrap()[0].when.time.as_ref().and_then(|time| time.interval)
        };
        assert_eq!(interval(r#"{"from":"18:00"}"#), Interval::new(18 * 60, 24 * 60));
        assert_eq!(interval(r#"{"to":"06:00"}"#), Interval::new(0, 6 * 60));
        assert_eq!(interval(r#"{"days":["mon"]}"#), None);
    }

    #[test]
    fn rules_of_one_key_divide_the_calls() {
        let share = |percent: u32, key: &str| {
            format!(
                r#"{{"when":{{"share":{{"percent":{percent},"key":"{key}"}}}},"then":{{"action":"reject"}}}}"#
            )
        };
        let list = |shares: &[String]| format!("[{}]", shares.join(","));
        let rules = compile(&list(&[share(30, ""), share(60, "b"), share(70, ""), share(40, "b")])).unwrap();
        let parts: Vec<_> = rules
            .iter()
            .map(|rule| rule.when.share.as_ref().unwrap())
            .map(|share| (share.key.as_str(), share.from, share.to))
            .collect();
        assert_eq!(parts, [("", 0, 30), ("b", 0, 60), ("", 30, 100), ("b", 60, 100)]);
        let refused = compile(&list(&[share(60, ""), share(30, "b"), share(41, "")])).unwrap_err();
        assert_eq!(refused.field, "rules[2].when.share.percent");
        assert_eq!(
            refused.wanted,
            "the rules before it with this key have 60 of 100: wanted at most 100 in all"
        );
        for percent in [0, 100, 300] {
            check(&list(&[share(percent, "")]), "rules[0].when.share.percent");
        }
        check(&list(&[share(1, &"k".repeat(51))]), "rules[0].when.share.key");
    }

    #[test]
    fn conditions_errors_name_the_place() {
        let when = |when: &str, place: &str| {
            check(
                &format!(r#"[{{"when":{when},"then":{{"action":"reject"}}}}]"#),
                &format!("rules[0].when.{place}"),
            );
        };
        when(r#"{"caller":{}}"#, "caller");
        when(r#"{"not_caller":{}}"#, "not_caller");
        when(r#"{"not_caller":{"numbers":["44"]}}"#, "not_caller.numbers[0]");
        when(r#"{"caller":{"countries":["US","UK"]}}"#, "caller.countries[1]");
        when(r#"{"caller":{"countries":["us"]}}"#, "caller.countries[0]");
        when(r#"{"time":{}}"#, "time");
        when(r#"{"time":{"days":[]}}"#, "time.days");
        when(r#"{"time":{"days":["mon","mon"]}}"#, "time.days[1]");
        when(r#"{"time":{"from":"12:00","to":"12:00"}}"#, "time");
        when(r#"{"time":{"to":"00:00"}}"#, "time");
        when(r#"{"time":{"from":"24:00","to":"02:00"}}"#, "time.from");
        when(r#"{"time":{"from":"12:00","to":"24:01"}}"#, "time.to");
        when(r#"{"time":{"dates":{"from":"2026-02-30","to":"2026-03-01"}}}"#, "time.dates.from");
        when(r#"{"time":{"dates":{"from":"2026-03-01","to":"1.4.2026"}}}"#, "time.dates.to");
        when(r#"{"time":{"dates":{"from":"2026-12-26","to":"2026-12-24"}}}"#, "time.dates");
        // 24 December 2026 is a Thursday.
        let days = |days: &str| {
            format!(r#"{{"time":{{"days":[{days}],"dates":{{"from":"2026-12-24","to":"2026-12-26"}}}}}}"#)
        };
        when(&days(r#""sun","mon""#), "time.days");
        let taken = format!(r#"[{{"when":{},"then":{{"action":"reject"}}}}]"#, days(r#""sun","sat""#));
        assert!(compile(&taken).is_ok());
    }

    #[test]
    fn agents_share_a_steps_calls() {
        let id = |number| Uuid::from_u128(number);
        let share = |number, weight: u32, version: &str| {
            let version =
                if version.is_empty() { String::new() } else { format!(r#","version":"{version}""#) };
            format!(r#"{{"agent_id":"{}","weight":{weight}{version}}}"#, id(number))
        };
        let rules = |shares: &[String]| {
            format!(
                r#"[{{"then":{{"action":"agent","split":[{}],"else":{{"action":"reject"}}}}}}]"#,
                shares.join(",")
            )
        };
        let compiled = compile(&rules(&[share(1, 90, ""), share(1, 9, "v2"), share(2, 1, "")])).unwrap();
        let Step::Split { agents } = &compiled[0].then[0] else { panic!("{compiled:?}") };
        let parts: Vec<_> =
            agents.iter().map(|share| (share.agent.0, share.version.as_deref(), share.weight)).collect();
        assert_eq!(parts, [(id(1), None, 90), (id(1), Some("v2"), 9), (id(2), None, 1)]);

        let refuse = |shares: &[String], place: &str, wanted: &str| {
            let refused = compile(&rules(shares)).unwrap_err();
            assert_eq!(
                (refused.field, refused.wanted),
                (format!("rules[0].then.split{place}"), wanted.to_owned())
            );
        };
        refuse(&[share(1, 99, "")], "", "wanted 2 to 10 agents");
        refuse(&(0..11).map(|n| share(n, 9, "")).collect::<Vec<_>>(), "", "wanted 2 to 10 agents");
        refuse(&[share(1, 50, ""), share(2, 49, "")], "", "wanted weights that add up to 100, not 99");
        refuse(&[share(1, 50, ""), share(2, 51, "")], "", "wanted weights that add up to 100, not 101");
        refuse(&[share(1, 0, ""), share(2, 99, "")], "[0].weight", "wanted 1 to 99");
        refuse(&[share(1, 1, ""), share(2, 300, "")], "[1].weight", "wanted 1 to 99");
        let once = "wanted each agent, or each version of it, once";
        refuse(&[share(1, 50, "a"), share(1, 50, "a")], "[1]", once);
        let both = format!(
            r#"[{{"then":{{"action":"agent","agent_id":"{}","split":[{},{}]}}}}]"#,
            id(1),
            share(1, 50, ""),
            share(2, 50, "")
        );
        check(&both, "rules[0].then");
        check(r#"[{"then":{"action":"reject","split":[]}}]"#, "rules[0].then.split");
    }

    #[test]
    fn named_agents_are_found_in_every_step() {
        let id = Uuid::from_u128(7);
        let json = format!(
            r#"{{"rules":[{{"then":{{"action":"agent","else":{{"action":"agent","agent_id":"{id}"}}}}}}]}}"#
        );
        let document: RoutingDocument = serde_json::from_str(&json).unwrap();
        assert_eq!(document.agents(), [(AgentId(id), "rules[0].then.else.agent_id".to_owned())]);
        let split = format!(
            r#"{{"rules":[{{"then":{{"action":"agent","split":[{{"agent_id":"{id}","weight":50}},{{"agent_id":"{id}","weight":50}}]}}}}]}}"#
        );
        let split: RoutingDocument = serde_json::from_str(&split).unwrap();
        let place = |index: u8| (AgentId(id), format!("rules[0].then.split[{index}].agent_id"));
        assert_eq!(split.agents(), [place(0), place(1)]);
        let platform: PlatformRoutingDocument = serde_json::from_str(&json).unwrap();
        assert_eq!(platform.compile().unwrap_err().field, "rules[0].then.else.agent_id");
    }
}
