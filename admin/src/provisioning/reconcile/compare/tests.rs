use serde_json::Map;

use super::*;

const PURCHASE: Uuid = Uuid::from_u128(1);
const NUMBER: Uuid = Uuid::from_u128(2);
const E164: &str = "+12125550001";

fn held() -> Held {
    Held {
        id: "PN1".to_owned(),
        number: E164.parse().ok(),
        sip_uri: None,
        name: Tag(PURCHASE).to_string(),
        state: HeldState::Active,
        setup: Map::new(),
        agent_id: None,
        is_free: false,
    }
}

fn named(name: &str) -> Held {
    Held { name: name.to_owned(), ..held() }
}

fn kept() -> Kept {
    Kept {
        number: NUMBER,
        phone_number: E164.to_owned(),
        held_id: "PN1".to_owned(),
        is_carrier: true,
        purchase: Some(PURCHASE),
        link: None,
        is_settled: true,
    }
}

fn bought(state: &str) -> Bought {
    Bought {
        id: PURCHASE,
        state: state.to_owned(),
        phone_number: Some(E164.to_owned()),
        held_id: None,
        is_kept: false,
        is_looked_for: false,
    }
}

/// An account of the platform's, of which nothing is believed.
fn books() -> Books {
    Books { is_platforms: true, has_tags: true, ..Books::default() }
}

fn with(bought: Bought) -> Books {
    Books { bought: vec![bought], ..books() }
}

fn keeping(kept: Kept) -> Books {
    let purchase = Bought { is_kept: true, held_id: Some("PN1".to_owned()), ..bought("owned") };
    Books { kept: vec![kept], ..with(purchase) }
}

const OTHERWISE: Policies = Policies {
    late: Late::Release,
    orphans: Orphans::Adopt,
    ghosts: Ghosts::Deactivate,
    drift: Drift::Report,
};

type Found = Option<(Kind, Action)>;

/// What is found by default, and with every policy the other way.
fn check(what: &str, listed: &[Held], books: &Books, by_default: Found, otherwise: Found) {
    for (policies, expected) in [(Policies::default(), by_default), (OTHERWISE, otherwise)] {
        let findings = compare(listed, books, &policies, |_| Vec::new());
        let found: Vec<_> = findings.iter().map(|found| (found.kind, found.action)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{what}: {findings:?}");
    }
}

fn both(what: &str, listed: &[Held], books: &Books, expected: Found) {
    check(what, listed, books, expected, expected);
}

const POOLED: Found = Some((Kind::LatePurchase, Action::Pool));
const RELEASED: Found = Some((Kind::LatePurchase, Action::Release));
const LATE: Found = Some((Kind::LatePurchase, Action::Report));
const STRANGE: Found = Some((Kind::Orphan, Action::Report));

#[test]
fn what_is_as_it_is_believed_is_not_found() {
    both("nothing anywhere", &[], &books(), None);
    both("held and kept", &[held()], &keeping(kept()), None);
    both("shown twice", &[held(), held()], &keeping(kept()), None);
    both(
        "a tag with a hyphen",
        &[named(&Tag(PURCHASE).to_string().replace(':', "-"))],
        &keeping(kept()),
        None,
    );
}

#[test]
fn purchases_that_were_given_up_are_late() {
    for state in ["sent", "lost", "refused", "recorded", "owned", "late"] {
        check(state, &[held()], &with(bought(state)), POOLED, RELEASED);
    }
    // It was decided already that it goes.
    both("returned", &[held()], &with(bought("returned")), RELEASED);
}

#[test]
fn what_a_job_looks_for_is_left_to_it() {
    for state in ["recorded", "sent", "owned"] {
        both(state, &[held()], &with(Bought { is_looked_for: true, ..bought(state) }), None);
    }
    let two = [held(), Held { id: "PN2".to_owned(), number: None, ..held() }];
    both("two of one tag", &two, &with(Bought { is_looked_for: true, ..bought("sent") }), None);
}

#[test]
fn a_second_number_of_one_purchase_is_late() {
    let second = Held { id: "PN2".to_owned(), number: "+12125550002".parse().ok(), ..held() };
    let listed = [held(), second];
    check("of one that is kept", &listed, &keeping(kept()), POOLED, RELEASED);
    let mut busy = keeping(Kept { is_settled: false, ..kept() });
    busy.bought[0].is_looked_for = true;
    check("though a job has the first", &listed, &busy, POOLED, RELEASED);
}

#[test]
fn late_purchases_go_where_they_can() {
    let known = Books { known: HashSet::from([E164.parse().unwrap()]), ..with(bought("lost")) };
    check("somebody has the number", &[held()], &known, LATE, RELEASED);
    let pending = Held { state: HeldState::Pending, number: None, ..held() };
    both("not done yet", &[pending], &with(bought("lost")), Some((Kind::LatePurchase, Action::Wait)));
    let nameless = Held { number: None, sip_uri: Some("sip:1@example.com".to_owned()), ..held() };
    both("without a number", &[nameless], &with(bought("lost")), RELEASED);
    let blocked = Held { state: HeldState::Blocked, ..held() };
    check("blocked", &[blocked], &with(bought("lost")), LATE, RELEASED);
    let own = Books { is_platforms: false, ..with(bought("lost")) };
    check("in a tenant's own account", &[held()], &own, POOLED, RELEASED);
}

#[test]
fn without_tags_purchases_are_known_by_their_number() {
    let untagged = |bought: Bought| Books { has_tags: false, ..with(bought) };
    let plain = [named("")];
    check("lost", &plain, &untagged(bought("lost")), POOLED, RELEASED);
    check("sent", &plain, &untagged(bought("sent")), POOLED, RELEASED);
    both("looked for", &plain, &untagged(Bought { is_looked_for: true, ..bought("sent") }), None);
    let adopted = Some((Kind::Orphan, Action::Adopt));
    check("refused: somebody bought it by hand", &plain, &untagged(bought("refused")), STRANGE, adopted);
    check("where there are tags, it has to have one", &plain, &with(bought("lost")), STRANGE, adopted);
    let brought = Bought { held_id: Some("PN1".to_owned()), ..bought("owned") };
    check("by what it brought", &plain, &untagged(brought), POOLED, RELEASED);
}

#[test]
fn orphans_are_the_platforms_alone() {
    let adopted = Some((Kind::Orphan, Action::Adopt));
    check("unknown", &[named("Main line")], &books(), STRANGE, adopted);
    both("a tenant's other number", &[named("Main line")], &Books::default(), None);
    let known = Books { known: HashSet::from([E164.parse().unwrap()]), ..books() };
    both("pointed here by hand", &[named("Main line")], &known, None);
    both("without a number", &[Held { number: None, ..named("x") }], &books(), STRANGE);
    both("not active", &[Held { state: HeldState::Pending, ..named("x") }], &books(), STRANGE);
}

#[test]
fn strange_tags_are_never_adopted() {
    both("of nothing here", &[held()], &books(), STRANGE);
    both("in a tenant's account, too", &[held()], &Books::default(), STRANGE);
    let known = Books { known: HashSet::from([E164.parse().unwrap()]), ..books() };
    both("an import that is left over", &[held()], &known, STRANGE);
    both("an import under way", &[held()], &Books { jobs: HashSet::from([PURCHASE]), ..known }, None);
}

#[test]
fn numbers_that_are_gone_are_ghosts() {
    let ghost = |action| Some((Kind::Ghost, action));
    check("gone", &[], &keeping(kept()), ghost(Action::Report), ghost(Action::Deactivate));
    both("a job is at work on it", &[], &keeping(Kept { is_settled: false, ..kept() }), None);
    let link = Kept { is_carrier: false, ..kept() };
    both("only the agent's provider forgot it", &[], &keeping(link), ghost(Action::Report));
    let brought = Bought { held_id: Some("PN1".to_owned()), ..bought("owned") };
    let vanished = ghost(Action::Report);
    check("a purchase without a number", &[], &with(brought.clone()), vanished, ghost(Action::Deactivate));
    both("that a job waits for", &[], &with(Bought { is_looked_for: true, ..brought.clone() }), None);
    both("that was given back", &[], &with(Bought { state: "returned".to_owned(), ..brought }), None);
    both("purchases that brought nothing", &[], &with(bought("lost")), None);
}

#[test]
fn drift_is_told_by_field() {
    let check = |held: Held, kept: Kept, fields: &[&str], expected: Option<&str>| {
        let drift = |_: &Held| fields.iter().map(|field| (*field).to_owned()).collect();
        for (policies, action) in [(Policies::default(), Action::Repair), (OTHERWISE, Action::Report)] {
            let findings = compare(std::slice::from_ref(&held), &keeping(kept.clone()), &policies, drift);
            let found: Vec<_> =
                findings.iter().map(|one| (one.kind, one.action, one.detail.as_str())).collect();
            let expected = expected.map(|detail| (Kind::Drift, action, detail));
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            assert!(findings.iter().all(|one| one.number == Some(NUMBER)));
        }
    };
    check(held(), kept(), &[], None);
    check(held(), kept(), &["voice_url", "sms_url"], Some("differs in voice_url, sms_url"));
    check(held(), Kept { is_settled: false, ..kept() }, &["voice_url"], None);
    check(named("Main line"), kept(), &[], Some("differs in name"));
    check(named("Main line"), Kept { purchase: None, ..kept() }, &[], None);
    // Where a provider tells no names, none is missed.
    check(named(""), kept(), &[], None);
    let linked = |agent: Option<&str>| Held { agent_id: agent.map(str::to_owned), ..held() };
    let to = |link: Link| Kept { link: Some(link), ..kept() };
    let ask = || Link::Ask { or: Some("a1".to_owned()) };
    let differs = Some("differs in agent");
    check(linked(Some("a1")), to(Link::Agent("a1".to_owned())), &[], None);
    check(linked(Some("a2")), to(Link::Agent("a1".to_owned())), &[], differs);
    check(linked(None), to(Link::Agent("a1".to_owned())), &[], differs);
    check(linked(None), to(ask()), &[], None);
    check(linked(Some("a1")), to(ask()), &[], None);
    check(linked(Some("a2")), to(ask()), &[], differs);
    check(linked(None), to(Link::None), &[], None);
    check(linked(Some("a1")), to(Link::None), &[], differs);
    check(linked(Some("a1")), kept(), &[], None);
}
