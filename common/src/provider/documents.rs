//! Every kind of answer that a provider renders, with texts that are hard to write down: for the conformance tests, and
//! for checking the answers with the providers' own libraries.

use super::event::ToolResult;
use super::reply::{Action, After, Refusal, Rendered, Reply};
use super::{AFTER, Kind, Provider, samples};
use crate::call::InboundCall;
use crate::feed::record::HostedAgent;
use crate::route::{Dialable, Prompt};

/// What the webhook of kind `after` has to bring back.
pub const STATE: &str = "c3RhdGU";

/// Quotes, markup, templates, characters outside the BMP, and control characters, which XML can't hold.
const NASTY: &str =
    "\"Closed\" <today> & 'tomorrow' ]]> {{x}} ${y} \u{1f485}\u{202e}é \u{0}\u{8}\u{1b}\r\n\t\u{7f}\u{fffe}";

const REFUSALS: [Refusal; 4] =
    [Refusal::UnknownNumber, Refusal::InactiveNumber, Refusal::SuspendedTenant, Refusal::NoRoute];

/// One answer.
#[derive(Debug)]
pub struct Document {
    /// What was to be rendered: an action's name, `refuse`, `acknowledge` or `tool_results`.
    pub action: &'static str,
    /// What is special about this one, for people.
    pub case: String,
    /// What asks what follows, where something does.
    pub after: Option<After>,
    /// Whether the provider has to be told what to ask, as the action may fail or isn't one document's work.
    pub may_fail: bool,
    /// The answer.
    pub rendered: Rendered,
}

/// All answers of a provider, the same ones each time: the actions that it can do, refusals and acknowledgements of
/// each kind of webhook, and results of tools.
#[must_use]
pub fn of(provider: &dyn Provider) -> Vec<Document> {
    let mut documents = Vec::new();
    for context in provider.contexts() {
        actions(provider, context, &mut documents);
        for kind in provider.kinds() {
            refusals(provider, kind, context, &mut documents);
        }
    }
    for kind in provider.kinds() {
        documents.push(settled("acknowledge", kind.name.to_owned(), provider.acknowledge(kind)));
    }
    tools(provider, &mut documents);
    documents
}

fn actions(provider: &dyn Provider, context: &str, documents: &mut Vec<Document>) {
    let number = Dialable::Number(samples::PERSON);
    let sip = Dialable::Sip("sip:desk@h.example;transport=tls?x-a=1&x-b=2".to_owned());
    let several = [number, sip];
    let agent = HostedAgent {
        provider: provider.name().to_owned(),
        id: "agent_1".to_owned(),
        version: None,
        sip_uri: None,
    };
    let play = Prompt::Play { url: "https://cdn.example/a.mp3?x=1&y=%22".to_owned() };
    let mut all = vec![
        ("stream", "", Action::Stream("wss://voice.example/a?b=1&c=2")),
        ("agent_sip", "", Action::AgentSip("sip:a@voice.example?x-b=2")),
        ("hosted", "", Action::Hosted { agent: &agent, version: None }),
        ("hosted", "version", Action::Hosted { agent: &agent, version: Some("3") }),
        ("dial_number", "", Action::Dial { to: &several[..1], timeout_s: 15 }),
        ("dial_sip", "", Action::Dial { to: &several[1..], timeout_s: 1 }),
        ("dial_several", "", Action::Dial { to: &several, timeout_s: 600 }),
        ("voicemail_play", "", Action::Voicemail { prompt: &play, length_max_s: 1 }),
        ("message_play", "", Action::Message(&play)),
        ("reject", "", Action::Reject { busy: false }),
        ("reject", "busy", Action::Reject { busy: true }),
        ("redirect", "", Action::Redirect("https://o.example/x?y=1&z=2")),
        ("hangup", "", Action::Hangup),
    ];
    let says =
        [("", "We are closed.".to_owned()), ("nasty", NASTY.to_owned()), ("long", "<Ää& ".repeat(1_000))]
            .map(|(case, text)| (case, Prompt::Say { text, language: Some("en-US".to_owned()) }));
    for (case, say) in &says {
        all.push(("voicemail_say", case, Action::Voicemail { prompt: say, length_max_s: 120 }));
        all.push(("message_say", case, Action::Message(say)));
    }
    for (name, case, action) in all {
        if !provider.can(&action) {
            continue;
        }
        // After a voicemail, only some providers have to ask what follows.
        let may_fail = matches!(action, Action::Stream(_) | Action::AgentSip(_) | Action::Dial { .. })
            || provider.asks_within(&action);
        for (with_after, nasty_call) in [(false, false), (true, false), (true, true)] {
            let url = with_after
                .then(|| format!("https://x.example/webhooks/{}/{AFTER}/a1?s={STATE}&t=1", provider.name()));
            let rendered = samples::with_reply_in(context, action, url.as_deref(), |reply| {
                if !nasty_call {
                    return provider.render(reply);
                }
                let call = InboundCall { from: NASTY.into(), ..reply.call.clone() };
                let Reply { location, action, fallback, .. } = *reply;
                provider.render(&Reply {
                    call: &call,
                    location,
                    action,
                    after: reply.after.clone(),
                    fallback,
                })
            });
            let after = url.map(|url| After { url, state: STATE.to_owned() });
            let mut cases = vec![context, case];
            cases.extend(with_after.then_some("after"));
            cases.extend(nasty_call.then_some("nasty caller"));
            cases.retain(|case| !case.is_empty());
            documents.push(Document { action: name, case: cases.join(", "), after, may_fail, rendered });
        }
    }
}

fn refusals(provider: &dyn Provider, kind: &Kind, context: &str, documents: &mut Vec<Document>) {
    for (refusal, from) in REFUSALS.into_iter().zip(["+12025550123", "anonymous", "", NASTY]) {
        let call = InboundCall {
            call_id: "CA1".into(),
            to: "+12125550001".into(),
            from: from.into(),
            number_id: None,
            carrier_call_id: None,
            context: context.into(),
        };
        let case = format!("{} {context} {refusal:?}", kind.name);
        documents.push(settled("refuse", case, provider.refuse(kind, &call, refusal)));
    }
}

fn tools(provider: &dyn Provider, documents: &mut Vec<Document>) {
    let result =
        |id: &str, outcome| ToolResult { id: id.to_owned(), name: "opening_hours".to_owned(), outcome };
    let cases = [
        ("one", vec![result("t1", Ok("We are open until six.".to_owned()))]),
        (
            "several",
            vec![result("t1", Ok(NASTY.to_owned())), result("t2", Err("Ask \"us\" again.".to_owned()))],
        ),
        ("long", vec![result("t1", Ok("<Ää& ".repeat(1_000)))]),
        ("none", Vec::new()),
    ];
    for (case, results) in cases {
        documents.push(settled("tool_results", case.to_owned(), provider.tool_results(&results)));
    }
}

/// An answer after which nothing follows.
fn settled(action: &'static str, case: String, rendered: Rendered) -> Document {
    Document { action, case, after: None, may_fail: false, rendered }
}
