//! Calls at carriers that are told by documents what to do: TwiML and its kin, Plivo's XML, BXML, NCCO. What the documents
//! say is the same few actions, which are walked through here; how a carrier asks and reads is its [`Speaker`].

use reqwest::Url;
use serde_json::{Value, json};

use super::{Answer, Call, Outgoing, Patience, hosted};

/// How many documents a call may ask for: one that goes in circles ends.
const DOCUMENTS_MAX: usize = 12;

/// How a carrier asks, and how it reads what it is told.
pub trait Speaker: Sync {
    /// The request for the document at a URL.
    fn request(&self, call: &Call<'_>, url: &str, step: &Step) -> Outgoing;

    /// What a document says.
    ///
    /// # Errors
    /// Why the carrier can't do anything with it.
    fn read(&self, answer: &Answer) -> Result<Vec<Action>, String>;

    /// How long it waits for a document.
    fn patience(&self) -> Patience;

    /// Whether a recording without an `action` asks for its document again.
    fn records_again(&self) -> bool {
        true
    }
}

/// Why a document is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Somebody calls.
    Ring,
    /// The document that led here failed.
    Fallback {
        /// Where it was.
        url: String,
        /// Why.
        error: String,
    },
    /// Another document led here.
    Redirect,
    /// What was tried is over.
    After {
        /// What: `dial`, `stream`, `record`.
        what: &'static str,
        /// How it ended.
        outcome: String,
    },
}

/// What a document says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Audio is sent to a socket and back; the call waits for its end.
    Stream {
        /// Where.
        url: String,
        /// What the socket is told.
        parameters: Value,
        /// Where what follows is asked for.
        then: Option<String>,
    },
    /// Somebody is called: any of these.
    Dial {
        /// Numbers and SIP URIs.
        targets: Vec<Target>,
        /// Where what follows is asked for.
        then: Option<String>,
    },
    /// Words are spoken.
    Say(String),
    /// A file is played.
    Play(String),
    /// The caller is recorded.
    Record {
        /// Where what follows is asked for.
        then: Option<String>,
    },
    /// The call isn't taken.
    Reject(String),
    /// The document elsewhere goes on.
    Redirect(String),
    /// The call ends.
    Hangup,
    /// Time passes.
    Wait,
}

/// Somebody who is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// By telephone.
    Number(String),
    /// By SIP.
    Sip(String),
}

impl Target {
    fn shown(&self) -> Value {
        match self {
            Self::Number(number) => json!({"number": number}),
            Self::Sip(uri) => json!({"sip": uri}),
        }
    }
}

enum Next {
    Ask(String, Step),
    Hosted(&'static str),
    End,
}

/// Walks through the documents, from the first on; tells who answered.
pub async fn walk(
    call: &mut Call<'_>,
    speaker: &dyn Speaker,
    first: &str,
    fallback: Option<String>,
) -> Value {
    let (mut url, mut step, mut fallback) =
        (first.to_owned(), Step::Ring, fallback.filter(|url| !url.is_empty()));
    for _ in 0..DOCUMENTS_MAX {
        if let Some(provider) = hosted::of_url(&url) {
            return hosted::answer(call, provider).await;
        }
        let actions = match document(call, speaker, &url, &step).await {
            Ok(actions) => actions,
            Err(error) => match fallback.take() {
                Some(other) => {
                    call.did(json!({"fallback": other, "because": error}));
                    step = Step::Fallback { url: std::mem::replace(&mut url, other), error };
                    continue;
                }
                None => return json!({"failed": error}),
            },
        };
        match perform(call, speaker, &url, actions) {
            Next::Ask(next, because) => (url, step) = (resolve(&url, &next), because),
            Next::Hosted(provider) => return hosted::answer(call, provider).await,
            Next::End => return answered(&call.steps),
        }
    }
    json!({"failed": "the documents go in circles"})
}

async fn document(
    call: &mut Call<'_>,
    speaker: &dyn Speaker,
    url: &str,
    step: &Step,
) -> Result<Vec<Action>, String> {
    let request = speaker.request(call, url, step);
    let answer = call.ask(&request, &speaker.patience().of(url)).await?;
    if answer.is_success() { speaker.read(&answer) } else { Err(format!("status {}", answer.status)) }
}

fn perform(call: &mut Call<'_>, speaker: &dyn Speaker, url: &str, actions: Vec<Action>) -> Next {
    for (place, action) in actions.into_iter().enumerate() {
        let (what, then, outcome) = match action {
            Action::Stream { url, parameters, then } => {
                ("stream", then, call.attempt(json!({"stream": url, "parameters": parameters})))
            }
            Action::Dial { targets, then } => {
                if let Some(provider) = targets.iter().find_map(hosted::of_target) {
                    return Next::Hosted(provider);
                }
                let shown: Vec<_> = targets.iter().map(Target::shown).collect();
                ("dial", then, call.attempt(json!({"dial": shown})))
            }
            Action::Record { then } => {
                let again = (speaker.records_again() && then.is_none()).then(|| url.to_owned());
                call.did(json!({"record": true}));
                ("record", then.or(again), "completed".to_owned())
            }
            Action::Redirect(to) => return Next::Ask(to, Step::Redirect),
            Action::Reject(reason) if place == 0 => {
                call.did(json!({"rejected": reason}));
                return Next::End;
            }
            Action::Reject(_) | Action::Hangup => return Next::End,
            Action::Say(text) => {
                call.did(json!({"message": text}));
                continue;
            }
            Action::Play(file) => {
                call.did(json!({"play": file}));
                continue;
            }
            Action::Wait => continue,
        };
        match then {
            Some(then) => return Next::Ask(then, Step::After { what, outcome }),
            None if outcome == "completed" && what != "record" => return Next::End,
            None => {}
        }
    }
    Next::End
}

/// Who took the call in the end: the last that did, else what the caller was told.
fn answered(steps: &[Value]) -> Value {
    let completed = steps.iter().rev().find(|step| step["outcome"] == "completed");
    if let Some(step) = completed {
        let target = step["dial"].get(0).cloned();
        return target.unwrap_or_else(|| json!({"stream": step["stream"], "parameters": step["parameters"]}));
    }
    let found = |name: &str| steps.iter().rev().find_map(|step| step.get(name)).cloned();
    if found("record").is_some() {
        return json!({"voicemail": true, "message": found("message")});
    }
    for name in ["rejected", "message", "play"] {
        if let Some(value) = found(name) {
            return json!({name: value});
        }
    }
    json!({"nobody": true})
}

/// A URL that may stand relative to its document's.
fn resolve(document: &str, url: &str) -> String {
    let Ok(base) = Url::parse(document) else { return url.to_owned() };
    if url.contains("://") {
        url.to_owned()
    } else {
        base.join(url).map_or_else(|_| url.to_owned(), String::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answered_is_who_took_the_call_last() {
        let check = |steps: Value, answered_by: Value| {
            assert_eq!(answered(steps.as_array().unwrap()), answered_by);
        };
        check(
            json!([{"message": "m"}, {"stream": "wss://a", "outcome": "failed"}, {"dial": [{"number": "+1"}], "outcome": "completed"}]),
            json!({"number": "+1"}),
        );
        check(
            json!([{"dial": [{"number": "+1"}], "outcome": "busy"}, {"message": "m"}]),
            json!({"message": "m"}),
        );
        check(json!([{"message": "m"}, {"record": true}]), json!({"voicemail": true, "message": "m"}));
        check(json!([{"rejected": "busy"}]), json!({"rejected": "busy"}));
        check(json!([]), json!({"nobody": true}));
    }

    #[test]
    fn urls_may_stand_relative_to_their_document() {
        assert_eq!(resolve("https://x.example/a/b?c", "/d"), "https://x.example/d");
        assert_eq!(resolve("https://x.example/a", "https://y.example/e?f=%3a"), "https://y.example/e?f=%3a");
    }
}
