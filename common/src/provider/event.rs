//! What a webhook says, whoever sent it.

use std::borrow::Cow;

use super::reply::Rendered;
use crate::call::InboundCall;
use crate::calls::report::Report;

/// What a webhook says.
#[derive(Debug)]
pub enum Event<'r> {
    /// A call comes in, or a call asks again: what is to be done with it?
    Call(InboundCall<'r>),
    /// A step of a route has ended: what follows?
    After(StepEnd<'r>),
    /// A running call is to be handed over to a person: where to?
    Transfer(InboundCall<'r>),
    /// The agent in a call wants something done.
    Tools(ToolRequest<'r>),
    /// What became of a call, or something that isn't about a call. Needs no answer.
    Status {
        /// The call; absent where the event is about none, or doesn't say about which. Its `to` is the number of ours,
        /// also of a call that we made, and empty where the event doesn't say it.
        call: Option<InboundCall<'r>>,
        /// One of a small, fixed set, for a metric's label.
        status: &'static str,
        /// The same for the call's record.
        report: Report<'r>,
    },
    /// A text message.
    Message(InboundCall<'r>),
    /// The provider's own protocol goes on within a step.
    Continued {
        /// The call.
        call: InboundCall<'r>,
        /// What is sent back, and done.
        rendered: Rendered,
        /// What it tells of the call, if anything.
        report: Option<Report<'r>>,
    },
    /// The provider asks for the token that it is to show.
    Token,
}

/// How a step of a route ended.
#[derive(Debug)]
pub struct StepEnd<'r> {
    /// The call.
    pub call: InboundCall<'r>,
    /// How it ended.
    pub result: StepResult,
    /// What [`super::reply::After`] said is to come back.
    pub state: Option<Cow<'r, str>>,
    /// What it tells of the call, if anything: that the caller left a message.
    pub report: Option<Report<'r>>,
}

/// How a step of a route ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepResult {
    /// Somebody answered, or the caller was served: nothing follows.
    Done,
    /// Nobody did: the next step follows.
    Failed,
    /// The provider doesn't say.
    Unknown,
}

/// What an agent wants done during a call.
#[derive(Debug)]
pub struct ToolRequest<'r> {
    /// The call.
    pub call: InboundCall<'r>,
    /// What is wanted: several at once are usual.
    pub calls: Vec<ToolCall<'r>>,
}

/// One thing that an agent wants done.
#[derive(Debug)]
pub struct ToolCall<'r> {
    /// The provider's name of this request; empty where it has none.
    pub id: Cow<'r, str>,
    /// The tool.
    pub name: Cow<'r, str>,
    /// What with: the text of a JSON object.
    pub arguments: Cow<'r, str>,
}

/// What came of a [`ToolCall`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToolResult {
    /// The request's id.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What the agent is told: one line of text, or why there is none, in words that can be spoken.
    pub outcome: Result<String, String>,
}
