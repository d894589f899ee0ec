//! TwiML, and the documents of providers that speak it with an accent: what differs stands in a [`Dialect`].
//!
//! Source: <https://www.twilio.com/docs/voice/twiml> and its pages on each verb; the dialects name theirs.

use std::ops::RangeInclusive;

use super::reply::{Action, Refusal, Rendered, Reply};
use super::xml::{MEDIA_TYPE, Xml};
use crate::call::InboundCall;
use crate::location::MessageAnswer;
use crate::route::{Dialable, Prompt};

const REJECT: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response><Reject/></Response>"#;
const REJECT_BUSY: &str =
    r#"<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy"/></Response>"#;
const EMPTY: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#;

/// Twilio takes 500 characters for a stream parameter's name and value together.
const PARAMETER_CHARS_MAX: usize = 400;

/// Twilio takes 1600 characters for a text message.
const MESSAGE_CHARS_MAX: usize = 1_600;

/// How long a SIP agent may take to answer, in seconds.
const AGENT_TIMEOUT_S: u16 = 20;

/// In what a provider's documents differ from each other.
#[derive(Debug)]
pub struct Dialect {
    /// How a stream says where to go on when it has ended.
    pub stream_end: StreamEnd,
    /// A stream's attributes besides its URL, each with a blank in front.
    pub stream: &'static str,
    /// A recording's attributes besides its length and its URLs, each with a blank in front.
    pub record: &'static str,
    /// The kind of webhook that is told when a recording can be fetched.
    pub recording: Option<&'static str>,
    /// How long a dial may ring, in seconds.
    pub timeout_s: RangeInclusive<u16>,
    /// How many addresses may ring at once.
    pub addresses_max: usize,
    /// Whether the person who is called sees the called number; else the provider's default, the caller's.
    pub called_as_caller_id: bool,
    /// Whether braces in a document are code, which texts must not hold.
    pub braces_are_code: bool,
}

/// How a stream says where to go on when it has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamEnd {
    /// `<Connect>` has an `action`.
    Action,
    /// The verb behind `<Connect>` is run.
    NextVerb,
    /// One of these, but the provider's page doesn't say which: both ask for the same.
    Either,
}

/// The caller hears that an unknown or inactive number is not in service; a suspended tenant's number is busy, as it
/// may be back. Neither is answered, so neither is billed.
#[must_use]
pub fn refusal(refusal: Refusal) -> Rendered {
    reject(refusal.is_busy())
}

/// A document that does nothing.
#[must_use]
pub fn empty() -> Rendered {
    Rendered::document(MEDIA_TYPE, EMPTY)
}

fn reject(busy: bool) -> Rendered {
    Rendered::document(MEDIA_TYPE, if busy { REJECT_BUSY } else { REJECT })
}

/// The answer to a text message, of which the text is the context: what is sent back, and the message passed on.
#[must_use]
pub fn messages(message: &InboundCall<'_>, answer: &MessageAnswer<'_>) -> Rendered {
    if *answer == MessageAnswer::default() {
        return empty();
    }
    let mut xml = Xml::new();
    xml.raw("<Response>");
    if let Some(reply) = answer.reply {
        xml.raw("<Message>").text(reply).raw("</Message>");
    }
    if let Some(person) = answer.forward_to {
        xml.raw("<Message to=\"").display(&person).raw("\">").text(&passed_on(message)).raw("</Message>");
    }
    xml.raw("</Response>");
    xml.finish()
}

/// A text message as somebody else gets it: as much of it as one message takes.
#[must_use]
pub fn passed_on(message: &InboundCall<'_>) -> String {
    format!("{}: {}", message.from, message.context).chars().take(MESSAGE_CHARS_MAX).collect()
}

/// The answer to a call.
#[must_use]
pub fn reply(dialect: &Dialect, reply: &Reply<'_>) -> Rendered {
    if let Action::Reject { busy } = reply.action {
        return reject(busy);
    }
    let mut document = Document { xml: Xml::new(), dialect, reply };
    document.xml.raw("<Response>");
    match reply.action {
        Action::Stream(url) => document.stream(url),
        Action::AgentSip(uri) => document.agent_sip(uri),
        Action::Redirect(url) => document.redirect(url),
        Action::Dial { to, timeout_s } => document.ring(to, timeout_s),
        Action::Voicemail { prompt, length_max_s } => document.voicemail(prompt, length_max_s),
        Action::Message(prompt) => document.prompt(prompt).hangup(),
        // None of these providers has agents that this could reach, and a rejection is answered above.
        Action::Hangup | Action::Hosted { .. } | Action::Reject { .. } => document.hangup(),
    }
    document.xml.raw("</Response>");
    document.xml.finish()
}

struct Document<'d> {
    xml: Xml,
    dialect: &'d Dialect,
    reply: &'d Reply<'d>,
}

impl Document<'_> {
    /// `<Connect>` holds the call until the socket closes; then the provider asks what follows, when something does.
    fn stream(&mut self, url: &str) {
        let (reply, dialect) = (self.reply, self.dialect);
        self.xml.raw("<Connect");
        if dialect.stream_end != StreamEnd::NextVerb {
            self.after();
        }
        self.xml.raw("><Stream url=\"");
        self.url(url).xml.raw("\"").raw(dialect.stream).raw(">");
        self.xml.raw("<Parameter name=\"tenant_id\" value=\"").id(reply.location.tenant_id.0).raw("\"/>");
        if let Some(id) = reply.location.phone_number_id {
            self.xml.raw("<Parameter name=\"phone_number_id\" value=\"").id(id.0).raw("\"/>");
        }
        self.parameter("call_id", &reply.call.call_id);
        self.parameter("from", &reply.call.from);
        self.parameter("to", &reply.call.to);
        self.xml.raw("</Stream></Connect>");
        if let (StreamEnd::NextVerb | StreamEnd::Either, Some(url)) = (dialect.stream_end, reply.after_url())
        {
            self.redirect(url);
        }
    }

    fn parameter(&mut self, name: &str, value: &str) {
        self.xml.raw("<Parameter name=\"").raw(name).raw("\" value=\"");
        self.words(short(value)).xml.raw("\"/>");
    }

    /// A SIP agent gets the same facts as headers: what stands behind the URI's question mark is sent on.
    fn agent_sip(&mut self, uri: &str) {
        let location = self.reply.location;
        self.dial(AGENT_TIMEOUT_S);
        self.xml.raw("<Sip>");
        self.url(uri).xml.raw(if uri.contains('?') { "&amp;" } else { "?" });
        self.xml.raw("x-tenant-id=").id(location.tenant_id.0);
        if let Some(id) = location.phone_number_id {
            self.xml.raw("&amp;x-phone-number-id=").id(id.0);
        }
        self.xml.raw("&amp;x-call-id=");
        for byte in self.reply.call.call_id.bytes().take(PARAMETER_CHARS_MAX) {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
                self.xml.raw(char::from(byte).encode_utf8(&mut [0; 4]));
            } else {
                self.xml.raw("%").display(&format_args!("{byte:02X}"));
            }
        }
        self.xml.raw("</Sip></Dial>");
    }

    fn ring(&mut self, to: &[Dialable], timeout_s: u16) {
        self.dial(timeout_s);
        for address in to.iter().take(self.dialect.addresses_max) {
            match address {
                Dialable::Number(number) => self.xml.raw("<Number>").display(number).raw("</Number>"),
                Dialable::Sip(uri) => {
                    self.xml.raw("<Sip>");
                    self.url(uri).xml.raw("</Sip>")
                }
            };
        }
        self.xml.raw("</Dial>");
    }

    fn dial(&mut self, timeout_s: u16) {
        let (shortest, longest) = (self.dialect.timeout_s.start(), self.dialect.timeout_s.end());
        let timeout_s = timeout_s.clamp(*shortest, *longest);
        self.xml.raw("<Dial answerOnBridge=\"true\" timeout=\"").display(&timeout_s).raw("\"");
        if let (true, Some(number)) = (self.dialect.called_as_caller_id, self.reply.location.number) {
            self.xml.raw(" callerId=\"").display(&number).raw("\"");
        }
        self.after();
        self.xml.raw(">");
    }

    fn voicemail(&mut self, prompt: &Prompt, length_max_s: u16) {
        let dialect = self.dialect;
        self.prompt(prompt);
        self.xml.raw("<Record playBeep=\"true\" finishOnKey=\"#\" maxLength=\"").display(&length_max_s);
        self.xml.raw("\"").raw(dialect.record);
        self.after();
        let recording = dialect.recording.zip(self.reply.after.as_ref());
        if let Some(url) = recording.and_then(|(kind, after)| after.webhook(kind)) {
            self.xml.raw(" recordingStatusCallback=\"");
            self.url(&url).xml.raw("\"");
        }
        self.xml.raw("/>");
        self.hangup();
    }

    fn after(&mut self) {
        if let Some(url) = self.reply.after_url() {
            self.xml.raw(" method=\"POST\" action=\"");
            self.url(url).xml.raw("\"");
        }
    }

    fn redirect(&mut self, url: &str) {
        self.xml.raw("<Redirect method=\"POST\">");
        self.url(url).xml.raw("</Redirect>");
    }

    fn prompt(&mut self, prompt: &Prompt) -> &mut Self {
        match prompt {
            Prompt::Say { text, language } => {
                self.xml.raw("<Say");
                if let Some(language) = language {
                    self.xml.raw(" language=\"");
                    self.words(language).xml.raw("\"");
                }
                self.xml.raw(">");
                self.words(text).xml.raw("</Say>");
            }
            Prompt::Play { url } => {
                self.xml.raw("<Play>");
                self.url(url).xml.raw("</Play>");
            }
        }
        self
    }

    fn hangup(&mut self) {
        self.xml.raw("<Hangup/>");
    }

    /// Text of people. Where braces are code they become parentheses, which sound the same.
    fn words(&mut self, text: &str) -> &mut Self {
        self.without_code(text, "(", ")")
    }

    /// A URL. Where braces are code they are escaped, as the rules for URLs want them anyway.
    fn url(&mut self, url: &str) -> &mut Self {
        self.without_code(url, "%7B", "%7D")
    }

    fn without_code(&mut self, text: &str, open: &str, close: &str) -> &mut Self {
        if self.dialect.braces_are_code && text.contains(['{', '}']) {
            self.xml.text(&text.replace('{', open).replace('}', close));
        } else {
            self.xml.text(text);
        }
        self
    }
}

/// As much of a parameter's value as Twilio takes.
fn short(value: &str) -> &str {
    if value.len() <= PARAMETER_CHARS_MAX {
        return value;
    }
    value.char_indices().nth(PARAMETER_CHARS_MAX).map_or(value, |(end, _)| &value[..end])
}
