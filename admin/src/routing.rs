//! Routing rules: the document and what it compiles to.
//!
//! A step is one flat object here, not a tagged union: then each error can name its very place, and say of a field
//! that the action doesn't have it.

use std::collections::BTreeSet;

use dialplane_common::e164::E164;
use dialplane_common::ids::{AgentId, TenantId};
use dialplane_common::route::{CHAIN_MAX, Callers, Condition, Dialable, Prompt, RULES_MAX, Rule, Step};
use dialplane_common::sip;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::{self, Invalid};
use crate::url;

const CALLERS_MAX: usize = 500;
const RING_MAX: usize = 10;
const SAY_CHARS_MAX: usize = 4_000;
/// Sealed and encoded it becomes a third longer, and proxies commonly take URLs of 8 KiB.
const REST_BYTES_MAX: usize = 5_000;
const RING_TIMEOUT_S: u16 = 20;
const VOICEMAIL_LENGTH_S: u16 = 120;
const VOICEMAIL_PROMPT: &str = "Please leave a message after the tone.";

/// Rules, in order: the first whose condition holds decides. Where a number has no rules its tenant's hold, then the
/// platform's.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingDocument {
    /// The rules.
    pub rules: Vec<RuleDocument>,
}

/// The platform's rules, and what holds for numbers that nobody has.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformRoutingDocument {
    /// The rules. An agent step names no agent here: it is the number's own.
    pub rules: Vec<RuleDocument>,
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

/// When a rule holds: all that is set has to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionDocument {
    /// The location is open, or isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// The local date is a holiday, or isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holiday: Option<bool>,
    /// The caller is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallersDocument>,
}

/// A set of callers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallersDocument {
    /// These numbers, in the E.164 form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// Numbers that begin so: `+44`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Callers who withhold their number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
}

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A voice agent answers: `agent_id`, or the number's own.
    Agent,
    /// The call goes to one address: `to`, `timeout_seconds`.
    Forward,
    /// Several addresses ring at once: `to`, `timeout_seconds`.
    Ring,
    /// The caller leaves a message: `say` or `play`, `language`, `max_seconds`.
    Voicemail,
    /// The caller hears something and the call ends: `say` or `play`, `language`.
    Message,
    /// The call isn't answered: `reason`.
    Reject,
    /// Somebody else's server says what to do: `url`.
    Redirect,
}

/// What a caller hears whose call isn't answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RejectReason {
    /// The busy tone.
    Busy,
    /// That the number isn't in service.
    Rejected,
}

/// One step, and what follows when it fails.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion)]
pub struct StepDocument {
    /// What it does. Each action has some of the fields below.
    pub action: Action,
    /// agent: which one; absent: the number's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub agent_id: Option<AgentId>,
    /// forward: an E.164 number or a SIP URI. ring: a list of 2 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DialableDocument>)]
    pub to: Option<serde_json::Value>,
    /// forward, ring: how long it rings, 5 to 120 seconds; absent: 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// voicemail, message: what is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// voicemail, message: the URL of a recording, instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play: Option<String>,
    /// voicemail, message: the language of what is said, such as `en-US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// voicemail: how long the message may be, 1 to 3600 seconds; absent: 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<u32>,
    /// reject: what the caller hears; absent: rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectReason>,
    /// redirect: an absolute `https` URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// agent, forward, ring: what follows when it fails.
    #[serde(default, rename = "else", skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Box<StepDocument>>,
}

/// An address that can be dialled, or several.
#[derive(ToSchema)]
#[schema(as = Dialable)]
#[serde(untagged)]
pub enum DialableDocument {
    /// An E.164 number or a SIP URI.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl RoutingDocument {
    /// What a router needs. Whether its [agents](Self::agents) are there is for the caller to see.
    ///
    /// # Errors
    /// What is wanted where: `rules[1].then.else.to`.
    pub fn compile(&self) -> Result<Vec<Rule>, Invalid> {
        compile_rules(&self.rules)
    }

    /// The agents that steps name, each with one place that does.
    #[must_use]
    pub fn agents(&self) -> Vec<(AgentId, String)> {
        named_agents(&self.rules)
    }
}

impl PlatformRoutingDocument {
    /// What a router needs.
    ///
    /// # Errors
    /// What is wanted where, as for a number's rules; and an agent that is named, as agents are tenants'.
    pub fn compile(&self) -> Result<Vec<Rule>, Invalid> {
        if let Some((_, place)) = named_agents(&self.rules).into_iter().next() {
            return Err(Invalid::new(
                place,
                "wanted absent: the platform's rules take the number's own agent",
            ));
        }
        compile_rules(&self.rules)
    }
}

fn compile_rules(documents: &[RuleDocument]) -> Result<Vec<Rule>, Invalid> {
    if documents.len() > RULES_MAX {
        return Err(Invalid::new("rules", format!("wanted at most {RULES_MAX} rules")));
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        if rules.last().is_some_and(|before| before.when == Condition::default()) {
            let wanted =
                format!("can never match: rules[{}] has no condition and takes every call", index - 1);
            return Err(Invalid::new(format!("rules[{index}]"), wanted));
        }
        let place = format!("rules[{index}]");
        let when = document.when.as_ref().map(|when| compile_condition(&format!("{place}.when"), when));
        rules.push(Rule {
            when: when.transpose()?.unwrap_or_default(),
            then: compile_chain(&format!("{place}.then"), &document.then)?,
        });
    }
    Ok(rules)
}

fn compile_condition(place: &str, document: &ConditionDocument) -> Result<Condition, Invalid> {
    let caller = document.caller.as_ref().map(|callers| compile_callers(&format!("{place}.caller"), callers));
    Ok(Condition {
        open: document.open,
        holiday: document.holiday,
        caller: caller.transpose()?.map(Box::new),
        ..Condition::default()
    })
}

fn compile_callers(place: &str, document: &CallersDocument) -> Result<Callers, Invalid> {
    for (name, count) in [("numbers", document.numbers.len()), ("prefixes", document.prefixes.len())] {
        if count > CALLERS_MAX {
            return Err(Invalid::new(format!("{place}.{name}"), format!("wanted at most {CALLERS_MAX}")));
        }
    }
    let numbers = document.numbers.iter().enumerate().map(|(index, text)| {
        text.parse().map_err(|error: dialplane_common::e164::E164Error| {
            Invalid::new(format!("{place}.numbers[{index}]"), error.to_string())
        })
    });
    let prefixes = document.prefixes.iter().enumerate().map(|(index, text)| {
        let wanted =
            || Invalid::new(format!("{place}.prefixes[{index}]"), "wanted + and 1 to 15 digits: +44");
        let digits = text
            .strip_prefix('+')
            .filter(|digits| (1..=15).contains(&digits.len()) && !digits.starts_with('0'));
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).ok_or_else(wanted)
    });
    let callers = Callers {
        numbers: numbers.collect::<Result<_, _>>()?,
        prefixes: prefixes.collect::<Result<_, _>>()?,
        countries: Vec::new(),
        withheld: document.withheld,
    };
    if callers == Callers::default() {
        return Err(Invalid::new(place, "wanted numbers, prefixes or \"withheld\": true"));
    }
    Ok(callers)
}

fn compile_chain(first: &str, document: &StepDocument) -> Result<Vec<Step>, Invalid> {
    let mut chain = Vec::new();
    let (mut place, mut next) = (first.to_owned(), Some(document));
    while let Some(step) = next {
        if chain.len() == CHAIN_MAX {
            return Err(Invalid::new(place, format!("wanted at most {CHAIN_MAX} steps in a chain")));
        }
        chain.push(compile_step(&place, step)?);
        place.push_str(".else");
        next = step.otherwise.as_deref();
    }
    refuse_long_rest(first, &chain)?;
    Ok(chain)
}

/// What follows a step stands in the URL by which the provider asks for it, sealed: what is too long for one is refused
/// here, not by a proxy in the middle of a call.
fn refuse_long_rest(place: &str, chain: &[Step]) -> Result<(), Invalid> {
    let bytes = dialplane_common::feed::frame::encode(&chain.get(1..).unwrap_or_default()).len();
    if bytes > REST_BYTES_MAX {
        let wanted =
            format!("wanted at most {REST_BYTES_MAX} bytes of texts and addresses here, not {bytes}");
        return Err(Invalid::new(format!("{place}.else"), wanted));
    }
    Ok(())
}

fn compile_step(place: &str, step: &StepDocument) -> Result<Step, Invalid> {
    refuse_foreign_fields(place, step)?;
    Ok(match step.action {
        Action::Agent => Step::Agent { agent: step.agent_id },
        Action::Forward => {
            let field = format!("{place}.to");
            let to = step.to.as_ref().and_then(serde_json::Value::as_str);
            let to =
                to.ok_or_else(|| Invalid::new(&field, "wanted an E.164 number or a SIP URI, as text"))?;
            Step::Forward { to: dialable(&field, to)?, timeout_s: timeout(place, step)? }
        }
        Action::Ring => Step::Ring { to: ring_targets(place, step)?, timeout_s: timeout(place, step)? },
        Action::Voicemail => Step::Voicemail {
            prompt: prompt(place, step, Some(VOICEMAIL_PROMPT))?,
            length_max_s: seconds(place, "max_seconds", step.max_seconds, (1, 3600), VOICEMAIL_LENGTH_S)?,
        },
        Action::Message => Step::Message { prompt: prompt(place, step, None)? },
        Action::Reject => Step::Reject { busy: step.reason == Some(RejectReason::Busy) },
        Action::Redirect => {
            let field = format!("{place}.url");
            let url = step.url.clone().ok_or_else(|| Invalid::new(&field, "wanted an absolute https URL"))?;
            url::absolute(&field, &url, &["https"])?;
            Step::Redirect { url }
        }
    })
}

/// Fields of other actions are refused, never passed over: who sets one means something by it.
fn refuse_foreign_fields(place: &str, step: &StepDocument) -> Result<(), Invalid> {
    use Action::{Agent, Forward, Message, Redirect, Reject, Ring, Voicemail};
    let fields: [(&str, bool, &[Action]); 9] = [
        ("agent_id", step.agent_id.is_some(), &[Agent]),
        ("to", step.to.is_some(), &[Forward, Ring]),
        ("timeout_seconds", step.timeout_seconds.is_some(), &[Forward, Ring]),
        ("say", step.say.is_some(), &[Voicemail, Message]),
        ("play", step.play.is_some(), &[Voicemail, Message]),
        ("language", step.language.is_some(), &[Voicemail, Message]),
        ("max_seconds", step.max_seconds.is_some(), &[Voicemail]),
        ("reason", step.reason.is_some(), &[Reject]),
        ("url", step.url.is_some(), &[Redirect]),
    ];
    for (name, is_set, actions) in fields {
        if is_set && !actions.contains(&step.action) {
            return Err(Invalid::new(format!("{place}.{name}"), "this action doesn't have it"));
        }
    }
    if step.otherwise.is_some() && !matches!(step.action, Agent | Forward | Ring) {
        let wanted = "wanted absent: this action can't fail, so nothing follows it";
        return Err(Invalid::new(format!("{place}.else"), wanted));
    }
    Ok(())
}

fn ring_targets(place: &str, step: &StepDocument) -> Result<Vec<Dialable>, Invalid> {
    let field = format!("{place}.to");
    let wanted =
        || Invalid::new(&field, format!("wanted a list of 2 to {RING_MAX} E.164 numbers or SIP URIs"));
    let list = step.to.as_ref().and_then(serde_json::Value::as_array).ok_or_else(wanted)?;
    if !(2..=RING_MAX).contains(&list.len()) {
        return Err(wanted());
    }
    let mut seen = BTreeSet::new();
    let targets = list.iter().enumerate().map(|(index, item)| {
        let field = format!("{field}[{index}]");
        let text =
            item.as_str().ok_or_else(|| Invalid::new(&field, "wanted an E.164 number or a SIP URI"))?;
        if !seen.insert(text) {
            return Err(Invalid::new(&field, "wanted each address once"));
        }
        dialable(&field, text)
    });
    targets.collect()
}

fn dialable(field: &str, text: &str) -> Result<Dialable, Invalid> {
    if let Ok(number) = text.parse::<E164>() {
        return Ok(Dialable::Number(number));
    }
    if sip::is_uri(text) && text.len() <= 255 {
        return Ok(Dialable::Sip(text.to_owned()));
    }
    Err(Invalid::new(
        field,
        "wanted an E.164 number such as +12125550001, or a SIP URI such as sip:desk@pbx.example",
    ))
}

fn timeout(place: &str, step: &StepDocument) -> Result<u16, Invalid> {
    seconds(place, "timeout_seconds", step.timeout_seconds, (5, 120), RING_TIMEOUT_S)
}

fn seconds(
    place: &str,
    name: &str,
    given: Option<u32>,
    (least, most): (u16, u16),
    default: u16,
) -> Result<u16, Invalid> {
    let Some(given) = given else { return Ok(default) };
    u16::try_from(given)
        .ok()
        .filter(|seconds| (least..=most).contains(seconds))
        .ok_or_else(|| Invalid::new(format!("{place}.{name}"), format!("wanted {least} to {most}")))
}

fn prompt(place: &str, step: &StepDocument, default: Option<&str>) -> Result<Prompt, Invalid> {
    let text = match (step.say.as_deref().or(default.filter(|_| step.play.is_none())), step.play.as_deref()) {
        (Some(_), Some(_)) => return Err(Invalid::new(place, "wanted say or play, not both")),
        (None, None) => {
            return Err(Invalid::new(place, "wanted say (a text) or play (the URL of a recording)"));
        }
        (None, Some(url)) => {
            url::absolute(&format!("{place}.play"), url, &["https", "http"])?;
            if step.language.is_some() {
                return Err(Invalid::new(
                    format!("{place}.language"),
                    "wanted absent: a recording speaks for itself",
                ));
            }
            return Ok(Prompt::Play { url: url.to_owned() });
        }
        (Some(text), None) => text,
    };
    invalid::spoken(&format!("{place}.say"), text, SAY_CHARS_MAX)?;
    if let Some(language) = &step.language {
        invalid::language(&format!("{place}.language"), language)?;
    }
    Ok(Prompt::Say { text: text.to_owned(), language: step.language.clone() })
}

fn named_agents(rules: &[RuleDocument]) -> Vec<(AgentId, String)> {
    let mut agents = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let (mut place, mut next) = (format!("rules[{index}].then"), Some(&rule.then));
        while let Some(step) = next {
            agents.extend(step.agent_id.map(|agent| (agent, format!("{place}.agent_id"))));
            place.push_str(".else");
            next = step.otherwise.as_deref();
        }
    }
    agents
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn compile(rules: &str) -> Result<Vec<Rule>, Invalid> {
        let document: RoutingDocument = serde_json::from_str(&format!("{{\"rules\":{rules}}}")).unwrap();
        document.compile()
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
    fn named_agents_are_found_in_every_step() {
        let id = Uuid::from_u128(7);
        let json = format!(
            r#"{{"rules":[{{"then":{{"action":"agent","else":{{"action":"agent","agent_id":"{id}"}}}}}}]}}"#
        );
        let document: RoutingDocument = serde_json::from_str(&json).unwrap();
        assert_eq!(document.agents(), [(AgentId(id), "rules[0].then.else.agent_id".to_owned())]);
        let platform: PlatformRoutingDocument = serde_json::from_str(&json).unwrap();
        assert_eq!(platform.compile().unwrap_err().field, "rules[0].then.else.agent_id");
    }
}
