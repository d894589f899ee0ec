//! Shares of the calls: which share a call belongs to depends on its id alone, so that every router and every later
//! request of the call agree, whatever else changes.

use serde::{Deserialize, Serialize};

use crate::ids::AgentId;

/// A range of a hundred parts into which a key divides all calls.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Share {
    /// What divides: calls are divided anew for each key, and alike for one.
    pub key: String,
    /// The first of its parts.
    pub from: u8,
    /// The part after its last, at most 100.
    pub to: u8,
}

impl Share {
    /// Whether the call belongs to it.
    #[must_use]
    pub fn holds(&self, call_id: &str) -> bool {
        let part = hash(&[self.key.as_bytes(), call_id.as_bytes()]) % 100;
        (u64::from(self.from)..u64::from(self.to)).contains(&part)
    }
}

/// An agent's share of the calls.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AgentShare {
    /// The agent.
    pub agent: AgentId,
    /// The version of it that these calls get; absent: the agent's own setting.
    pub version: Option<String>,
    /// How many of a hundred calls.
    pub weight: u8,
}

/// The agent that a call gets.
///
/// Weighted rendezvous hashing: a call keeps its agent and version when others are added, taken away or reordered, but
/// for the calls that the change itself moves. Source: Schindelhauer and Schomaker, "Weighted distributed hash tables",
/// 2005.
#[must_use]
pub fn choose<'s>(shares: &'s [AgentShare], call_id: &str) -> Option<&'s AgentShare> {
    let score = |share: &AgentShare| {
        let version = share.version.as_deref().unwrap_or_default();
        let drawn = hash(&[share.agent.as_bytes(), version.as_bytes(), call_id.as_bytes()]);
        // 53 bits, so that it lies strictly between 0 and 1.
        let uniform = ((drawn >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        f64::from(share.weight) / -uniform.ln()
    };
    shares.iter().filter(|share| share.weight > 0).max_by(|a, b| score(a).total_cmp(&score(b)))
}

/// A hash that stays the same from one program and version to the next, of parts whose ends count.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn agent(number: u128, weight: u8) -> AgentShare {
        AgentShare { agent: AgentId(Uuid::from_u128(number)), version: None, weight }
    }

    fn calls() -> impl Iterator<Item = String> {
        (0..20_000).map(|call| format!("CA{call:032x}"))
    }

    #[test]
    fn agents_get_calls_by_weight() {
        let shares = [agent(1, 70), agent(2, 25), agent(3, 5)];
        let mut counts = [0_u32; 3];
        for call in calls() {
            let chosen = choose(&shares, &call).unwrap();
            counts[shares.iter().position(|share| share == chosen).unwrap()] += 1;
        }
        for (count, share) in counts.into_iter().zip(&shares) {
            let expected = u32::from(share.weight) * 200;
            assert!(count.abs_diff(expected) < 300, "{counts:?}");
        }
    }

    #[test]
    fn a_call_keeps_its_agent_when_others_move() {
        let before = [agent(1, 50), agent(2, 50)];
        let after = [agent(3, 20), agent(2, 40), agent(1, 40)];
        for call in calls().take(2_000) {
            let (old, new) = (choose(&before, &call).unwrap(), choose(&after, &call).unwrap());
            assert!(old.agent == new.agent || new.agent == after[0].agent, "{call}");
            assert_eq!(choose(&before, &call), Some(old));
        }
        assert_eq!(choose(&[agent(1, 0)], "CA1"), None);
    }

    #[test]
    fn shares_of_one_key_divide_the_calls() {
        let share = |key: &str, from, to| Share { key: key.into(), from, to };
        let (first, rest) = (share("greeting", 0, 10), share("greeting", 10, 100));
        let count = calls().filter(|call| first.holds(call)).count();
        assert!(count.abs_diff(2_000) < 200, "{count}");
        assert!(calls().all(|call| first.holds(&call) != rest.holds(&call)));
        let other = share("voice", 0, 10);
        let both = calls().filter(|call| first.holds(call) && other.holds(call)).count();
        assert!(both.abs_diff(200) < 80, "keys divide independently: {both}");
    }
}
