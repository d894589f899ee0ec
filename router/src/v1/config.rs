//! `GET /v1/numbers/{e164}/config`: what an agent is told of the number that it answers, all of it effective: the
//! number's own settings with the agent's, the tenant's and the platform's behind them. `?from=` and `?call_id=` fill the
//! variables of the call.

use std::collections::BTreeMap;

use dialplane_common::call::InboundCall;
use dialplane_common::e164::E164;
use dialplane_common::feed::record::TokenHolder;
use dialplane_common::ids::{AgentId, PhoneNumberId, TenantId};
use dialplane_common::location::Variables;
use dialplane_common::provider::form::Form;
use dialplane_common::route::{Dialable, Step};
use dialplane_common::time::UnixSeconds;
use dialplane_common::wire::AgentView;
use serde::Serialize;

use super::problem::Problem;
use super::sees;
use crate::snapshot::{Number, Snapshot};

#[derive(Serialize)]
struct Config<'a> {
    phone_number: String,
    phone_number_id: PhoneNumberId,
    tenant_id: TenantId,
    tenant_name: &'a str,
    display_name: &'a str,
    address: Option<&'a str>,
    timezone: &'a str,
    open_now: bool,
    next_opening: Option<String>,
    agent: Option<AgentView<'a>>,
    voice: VoiceView<'a>,
    rules: RulesView<'a>,
    intents: Vec<IntentView<'a>>,
    staff: Vec<PersonView<'a>>,
    services: Vec<ServiceView<'a>>,
    variables: Variables<'a>,
    revision: u64,
}

#[derive(Serialize)]
struct VoiceView<'a> {
    provider: Option<&'a str>,
    voice_id: Option<&'a str>,
    model: Option<&'a str>,
    language: Option<&'a str>,
    greeting: Option<&'a str>,
    speed: Option<f32>,
    stability: Option<f32>,
    similarity: Option<f32>,
}

#[derive(Serialize)]
struct RulesView<'a> {
    prompt: Option<&'a str>,
    rules: &'a [String],
    transfer_to: Option<String>,
    max_duration_seconds: Option<u16>,
}

#[derive(Serialize)]
struct IntentView<'a> {
    name: &'a str,
    phrases: &'a [String],
    responses: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct PersonView<'a> {
    name: &'a str,
    role: Option<&'a str>,
    services: &'a [String],
}

#[derive(Serialize)]
struct ServiceView<'a> {
    name: &'a str,
    description: Option<&'a str>,
    duration_minutes: Option<u16>,
    price: Option<&'a str>,
}

pub(super) fn answer(
    snapshot: &Snapshot,
    asker: TokenHolder,
    number: &str,
    query: &str,
    now: UnixSeconds,
) -> Result<Vec<u8>, Problem> {
    let number = address(number)?;
    let known =
        snapshot.number(number).filter(|known| sees(asker, known.tenant_id())).ok_or(Problem::NotFound)?;
    let owner @ (tenant_id, tenant) = known.tenant().ok_or(Problem::NotFound)?;
    let subject = snapshot.subject(Some(known), tenant);
    let agent_id = match asker {
        TokenHolder::Agent(_, agent) if answers(agent, known, &subject.rules) => Some(agent),
        TokenHolder::Agent(..) => return Err(Problem::NotFound),
        TokenHolder::Operator | TokenHolder::Tenant(_) => known.agent_id(),
    };
    let agent = agent_id.and_then(|id| Some((id, snapshot.agent(tenant_id, id)?)));
    let form = Form::parse(query.as_bytes()).map_err(|error| Problem::Malformed(error.to_string()))?;
    let text = |name| form.get(name).unwrap_or_default().to_owned().into();
    let call = InboundCall {
        call_id: text("call_id"),
        to: number.to_string().into(),
        from: text("from"),
        number_id: None,
        carrier_call_id: None,
        context: "".into(),
    };
    let place = known.place();
    let known_place = (Some(known), place.as_ref());
    let location = snapshot.location(Some(number), known_place, owner, agent.map(|(_, agent)| agent), now);
    let (voice, conversation) = (location.voice(), location.conversation());
    let config = Config {
        phone_number: number.to_string(),
        phone_number_id: known.id(),
        tenant_id,
        tenant_name: &tenant.about.business.name,
        display_name: location.name(),
        address: location.address(),
        timezone: known.timezone().unwrap_or(&tenant.about.timezone),
        open_now: location.open().open,
        next_opening: location.next_opening().and_then(|at| {
            let at = jiff::Timestamp::from_second(at.0).ok()?.to_zoned(location.zone.clone());
            Some(at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
        }),
        agent: agent.map(|(id, agent)| AgentView::of(id, agent)),
        voice: VoiceView {
            provider: voice.provider,
            voice_id: voice.voice_id,
            model: voice.model,
            language: voice.language,
            greeting: voice.greeting,
            speed: voice.speed.map(|percent| percent.factor()),
            stability: voice.stability.map(|percent| percent.factor()),
            similarity: voice.similarity.map(|percent| percent.factor()),
        },
        rules: RulesView {
            prompt: conversation.prompt,
            rules: conversation.rules.unwrap_or_default(),
            transfer_to: conversation.transfer_to.map(|to| match to {
                Dialable::Number(number) => number.to_string(),
                Dialable::Sip(uri) => uri.clone(),
            }),
            max_duration_seconds: conversation.duration_max_s,
        },
        intents: location
            .intents()
            .map(|intent| IntentView {
                name: &intent.name,
                phrases: &intent.phrases,
                responses: &intent.responses,
            })
            .collect(),
        staff: location
            .staff()
            .iter()
            .map(|person| PersonView {
                name: &person.name,
                role: person.role.as_deref(),
                services: &person.services,
            })
            .collect(),
        services: location
            .services()
            .iter()
            .map(|service| ServiceView {
                name: &service.name,
                description: service.description.as_deref(),
                duration_minutes: service.duration_minutes,
                price: service.price.as_deref(),
            })
            .collect(),
        variables: location.variables(&call),
        revision: snapshot.revision().0,
    };
    serde_json::to_vec(&config).map_err(|error| Problem::Malformed(error.to_string()))
}

/// The number in the path: `+12125550001`, its plus escaped or not, or left out.
fn address(text: &str) -> Result<E164, Problem> {
    let digits =
        text.strip_prefix("%2B").or_else(|| text.strip_prefix("%2b")).or_else(|| text.strip_prefix('+'));
    let number = format!("+{}", digits.unwrap_or(text)).parse();
    number.map_err(|error| Problem::Malformed(format!("number in the path: {error}")))
}

/// Whether an agent answers calls for a number: as its own, or as one that a rule names.
fn answers(
    agent: AgentId,
    number: Number<'_>,
    rules: &[Option<&[dialplane_common::route::Rule]>; 3],
) -> bool {
    let rules = rules.iter().flatten().next().copied().unwrap_or_default();
    let named = |step: &Step| match step {
        Step::Agent { agent: Some(named) } => *named == agent,
        Step::Split { agents } => agents.iter().any(|share| share.agent == agent),
        _ => false,
    };
    number.agent_id() == Some(agent) || rules.iter().flat_map(|rule| &rule.then).any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_paths_are_read_leniently() {
        for text in ["+12125550001", "%2B12125550001", "%2b12125550001", "12125550001"] {
            assert_eq!(address(text).unwrap().to_string(), "+12125550001");
        }
        for text in ["", "+", "desk", "%2B", "++12125550001"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
