//! What a rule does: the document of a step and what follows it, and what they compile to.
//!
//! A step is one flat object, not a tagged union: then each error can name its very place, and say of a field that the
//! action doesn't have it.

use std::collections::BTreeSet;

use dialplane_common::e164::E164;
use dialplane_common::ids::AgentId;
use dialplane_common::route::{AgentShare, CHAIN_MAX, Dialable, Prompt, Step};
use dialplane_common::sip;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::invalid::{self, Invalid};
use crate::url;

const RING_MAX: usize = 10;
const SPLIT_MAX: usize = 10;
const SAY_CHARS_MAX: usize = 4_000;
/// Sealed and encoded it becomes a third longer, and proxies commonly take URLs of 8 KiB.
const REST_BYTES_MAX: usize = 5_000;
const RING_TIMEOUT_S: u16 = 20;
const VOICEMAIL_LENGTH_S: u16 = 120;
pub(super) const VOICEMAIL_PROMPT: &str = "Please leave a message after the tone.";

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A voice agent answers: `agent_id`, one of `split`, or the number's own.
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
    /// agent: one of 2 to 10, each with its share of the calls, instead of `agent_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Vec<AgentShareDocument>>,
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

/// One of several agents that divide the calls of a step. A call keeps its agent however often it is asked about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentShare)]
pub struct AgentShareDocument {
    /// Which one.
    #[schema(value_type = Uuid)]
    pub agent_id: AgentId,
    /// How many of a hundred calls: 1 to 99. All of a step together: 100.
    pub weight: u32,
    /// The version of it that these calls get; absent: the agent's own setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
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

pub(super) fn compile_chain(first: &str, document: &StepDocument) -> Result<Vec<Step>, Invalid> {
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
        Action::Agent => match &step.split {
            None => Step::Agent { agent: step.agent_id },
            Some(_) if step.agent_id.is_some() => {
                return Err(Invalid::new(place, "wanted agent_id or split, not both"));
            }
            Some(shares) => Step::Split { agents: compile_split(&format!("{place}.split"), shares)? },
        },
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
    let fields: [(&str, bool, &[Action]); 10] = [
        ("agent_id", step.agent_id.is_some(), &[Agent]),
        ("split", step.split.is_some(), &[Agent]),
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

fn compile_split(place: &str, documents: &[AgentShareDocument]) -> Result<Vec<AgentShare>, Invalid> {
    if !(2..=SPLIT_MAX).contains(&documents.len()) {
        return Err(Invalid::new(place, format!("wanted 2 to {SPLIT_MAX} agents")));
    }
    let mut shares: Vec<AgentShare> = Vec::with_capacity(documents.len());
    for (index, document) in documents.iter().enumerate() {
        let place = format!("{place}[{index}]");
        let weight = u8::try_from(document.weight).ok().filter(|weight| (1..=99).contains(weight));
        let weight = weight.ok_or_else(|| Invalid::new(format!("{place}.weight"), "wanted 1 to 99"))?;
        if let Some(version) = &document.version {
            invalid::name(&format!("{place}.version"), version)?;
        }
        let share = AgentShare { agent: document.agent_id, version: document.version.clone(), weight };
        if shares.iter().any(|other| other.agent == share.agent && other.version == share.version) {
            return Err(Invalid::new(place, "wanted each agent, or each version of it, once"));
        }
        shares.push(share);
    }
    let sum: u32 = shares.iter().map(|share| u32::from(share.weight)).sum();
    if sum != 100 {
        return Err(Invalid::new(place, format!("wanted weights that add up to 100, not {sum}")));
    }
    Ok(shares)
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

/// The agents that a step and those that follow it name, each with its place.
pub(super) fn named_agents(first: &str, document: &StepDocument) -> Vec<(AgentId, String)> {
    let mut agents = Vec::new();
    let (mut place, mut next) = (first.to_owned(), Some(document));
    while let Some(step) = next {
        agents.extend(step.agent_id.map(|agent| (agent, format!("{place}.agent_id"))));
        let split = step.split.iter().flatten().enumerate();
        agents
            .extend(split.map(|(index, share)| (share.agent_id, format!("{place}.split[{index}].agent_id"))));
        place.push_str(".else");
        next = step.otherwise.as_deref();
    }
    agents
}
