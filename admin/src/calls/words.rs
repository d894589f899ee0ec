//! What routers tell in the words that the database and the API have for it.

use dialplane_common::calls::event;
use dialplane_common::calls::report;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident from $told:path { $($(#[$variant_doc:meta])* $variant:ident $word:literal)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// The word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl From<$told> for $name {
            fn from(told: $told) -> Self {
                match told { $(<$told>::$variant => Self::$variant,)* }
            }
        }
    )*};
}

words! {
    /// What is done with a call.
    Action from event::Action {
        /// An agent takes it.
        Agent "agent"
        /// It is put through to a person.
        Forward "forward"
        /// Several people's telephones ring.
        Ring "ring"
        /// The caller may leave a message.
        Voicemail "voicemail"
        /// The caller hears a message.
        Message "message"
        /// It is rejected.
        Reject "reject"
        /// Another server decides.
        Redirect "redirect"
    }
    /// Why a call wasn't routed.
    Refusal from event::Refused {
        /// Nobody has the number.
        UnknownNumber "unknown_number"
        /// The number isn't active.
        InactiveNumber "inactive_number"
        /// Its tenant is suspended.
        SuspendedTenant "suspended_tenant"
        /// No rule holds.
        NoRoute "no_route"
    }
    /// How a call ended.
    End from report::End {
        /// After a conversation.
        Completed "completed"
        /// The called party was busy.
        Busy "busy"
        /// Nobody answered.
        NoAnswer "no_answer"
        /// The caller hung up first.
        Canceled "canceled"
        /// It couldn't be carried on.
        Failed "failed"
    }
}
