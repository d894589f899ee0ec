//! What usage is put together by.

use serde::Serialize;
use utoipa::ToSchema;

use super::period::Step;
use crate::invalid::Invalid;

/// One of the things that usage is put together by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The day that calls began on.
    Day,
    /// The hour that they began in.
    Hour,
    /// The called number.
    PhoneNumber,
    /// The agent.
    Agent,
    /// The provider.
    Provider,
    /// The tenant.
    Tenant,
}

impl Group {
    const ALL: [(&str, Self); 6] = [
        ("day", Self::Day),
        ("hour", Self::Hour),
        ("phone_number", Self::PhoneNumber),
        ("agent", Self::Agent),
        ("provider", Self::Provider),
        ("tenant", Self::Tenant),
    ];
}

/// All that usage is put together by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grouping {
    /// As asked for.
    pub groups: Vec<Group>,
}

impl Grouping {
    /// Reads a list with commas; absent: by day. By tenant where `tenants` says that there are several.
    ///
    /// # Errors
    /// What is wanted of `group_by`.
    pub fn parse(text: Option<&str>, tenants: bool) -> Result<Self, Invalid> {
        let text = text.unwrap_or("day");
        if text == "none" {
            return Ok(Self { groups: Vec::new() });
        }
        let mut groups = Vec::new();
        for name in text.split(',') {
            let known = Group::ALL.iter().find(|(known, _)| *known == name).map(|(_, group)| *group);
            let known = known.filter(|group| tenants || *group != Group::Tenant);
            groups.push(known.filter(|group| !groups.contains(group)).ok_or_else(|| wanted(tenants))?);
        }
        if groups.contains(&Group::Day) && groups.contains(&Group::Hour) {
            return Err(Invalid::new("group_by", "wanted day or hour, not both"));
        }
        Ok(Self { groups })
    }

    /// Whether this is among them.
    #[must_use]
    pub fn has(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }

    /// How long its periods are.
    #[must_use]
    pub fn step(&self) -> Step {
        match (self.has(Group::Day), self.has(Group::Hour)) {
            (_, true) => Step::Hour,
            (true, _) => Step::Day,
            _ => Step::All,
        }
    }

    /// Number (1), agent (2) and provider (4), as the tables have them.
    #[must_use]
    pub fn dims(&self) -> i32 {
        i32::from(self.has(Group::PhoneNumber))
            | i32::from(self.has(Group::Agent)) << 1
            | i32::from(self.has(Group::Provider)) << 2
    }
}

fn wanted(tenants: bool) -> Invalid {
    let names = Group::ALL.iter().filter(|(_, group)| tenants || *group != Group::Tenant);
    let names: Vec<_> = names.map(|(name, _)| *name).collect();
    Invalid::new(
        "group_by",
        format!("wanted none, or some of {} with commas between, each once", names.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_in_any_order_each_once() {
        let grouping = Grouping::parse(Some("provider,day,phone_number"), false).unwrap();
        assert_eq!(grouping.groups, [Group::Provider, Group::Day, Group::PhoneNumber]);
        assert_eq!((grouping.step(), grouping.dims()), (Step::Day, 5));
        assert_eq!(Grouping::parse(None, false).unwrap().groups, [Group::Day]);
        let none = Grouping::parse(Some("none"), true).unwrap();
        assert_eq!((none.groups.len(), none.step(), none.dims()), (0, Step::All, 0));
        let tenants = Grouping::parse(Some("tenant,agent,hour"), true).unwrap();
        assert_eq!((tenants.step(), tenants.dims()), (Step::Hour, 2));
        for text in ["", "days", "day,day", "day,hour", "day,none", "tenant", "agent, day"] {
            assert_eq!(Grouping::parse(Some(text), false).unwrap_err().field, "group_by", "{text}");
        }
    }
}
