//! A chain that stands by itself, in no rule.

use dialplane_common::route::Step;

use super::StepDocument;
use super::step;
use crate::invalid::Invalid;

/// What a plan says is done with a call that is one too many. It names no agent: plans are the platform's, agents tenants'.
///
/// # Errors
/// What is wanted where: `over_limit.else.to`.
pub fn over_limit(document: &StepDocument) -> Result<Vec<Step>, Invalid> {
    if let Some((_, place)) = step::named_agents("over_limit", document).into_iter().next() {
        return Err(Invalid::new(place, "wanted absent: a plan's chain takes the number's own agent"));
    }
    step::compile_chain("over_limit", document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plans_chain_is_one_like_any_and_names_no_agent() {
        let check =
            |json: &str| over_limit(&serde_json::from_str(json).unwrap()).map_err(|invalid| invalid.field);
        let chain =
            check(r#"{"action":"forward","to":"+12125550001","else":{"action":"voicemail"}}"#).unwrap();
        assert!(matches!(chain[..], [Step::Forward { .. }, Step::Voicemail { .. }]), "{chain:?}");
        check(r#"{"action":"agent"}"#).unwrap();
        assert_eq!(check(r#"{"action":"forward"}"#).unwrap_err(), "over_limit.to");
        let named = r#"{"action":"agent","agent_id":"00000000-0000-0000-0000-000000000001"}"#;
        assert_eq!(check(named).unwrap_err(), "over_limit.agent_id");
    }
}
