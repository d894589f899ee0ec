//! Where a change comes from. A transaction that writes carries it in three settings, which hold until it ends:
//! `dialplane.actor`, `dialplane.request_id` and `dialplane.address`. Unset, or empty, means that nobody says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

/// Who changes something.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Actor {
    /// A tenant's key, by its id.
    Key(Uuid),
    /// An operator's key, by its id.
    Operator(Uuid),
    /// Somebody whom the OIDC issuer knows, by its name of them.
    Subject(Arc<str>),
    /// A part of this program, on its own.
    System(&'static str),
}

impl Actor {
    /// Whom a text that this program wrote means; `None` when it is a part of the program itself.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        match kind {
            "key" => name.parse().ok().map(Self::Key),
            "operator" => name.parse().ok().map(Self::Operator),
            "jwt" => Some(Self::Subject(name.into())),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Operator(id) => write!(f, "operator:{id}"),
            Self::Subject(subject) => write!(f, "jwt:{subject}"),
            Self::System(what) => write!(f, "system:{what}"),
        }
    }
}

/// Who changes something, in which request, from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Who.
    pub actor: Actor,
    /// The request's id; absent: no request asked for it.
    pub request_id: Option<String>,
    /// The address that the request came from; absent: no request asked for it.
    pub address: Option<IpAddr>,
}

impl Origin {
    /// What the program does on its own: `publisher`, `start`.
    #[must_use]
    pub const fn system(what: &'static str) -> Self {
        Self { actor: Actor::System(what), request_id: None, address: None }
    }

    /// The settings' values, in the order above.
    pub(super) fn values(&self) -> [Option<String>; 3] {
        // Postgres knows no NUL in texts.
        let actor = self.actor.to_string().replace('\0', "");
        [Some(actor), self.request_id.clone(), self.address.map(|address| address.to_string())]
    }

    /// The statements that set the settings for one transaction, each with a semicolon before it.
    pub(super) fn statements(&self) -> String {
        let mut text = format!("; SET LOCAL dialplane.actor TO {}", literal(&self.actor.to_string()));
        if let Some(id) = &self.request_id {
            text.push_str(&format!("; SET LOCAL dialplane.request_id TO {}", literal(id)));
        }
        if let Some(address) = self.address {
            text.push_str(&format!("; SET LOCAL dialplane.address TO {}", literal(&address.to_string())));
        }
        text
    }
}

/// Any text as a literal of SQL, whatever the server takes backslashes for. Postgres knows no NUL in texts.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\0', "").replace('\\', r"\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_known_by_what_is_written_of_them() {
        let id = Uuid::from_u128(7);
        for actor in [Actor::Key(id), Actor::Operator(id), Actor::Subject("auth0|a:b".into())] {
            assert_eq!(Actor::from_text(&actor.to_string()), Some(actor));
        }
        for text in ["", "key:x", "system:start", "nobody"] {
            assert_eq!(Actor::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_leaves_its_literal() {
        for (text, expected) in [
            ("plain", "E'plain'"),
            ("a'; DROP TABLE tenants; --", "E'a''; DROP TABLE tenants; --'"),
            (r"a\'b", r"E'a\\''b'"),
            ("a\0b", "E'ab'"),
        ] {
            assert_eq!(literal(text), expected);
        }
    }
}
