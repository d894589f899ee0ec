//! What agents are told of a place: each scope's own, what stands behind it, and the record that routers get.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::{NumberRecord, PlatformRecord, Record, TenantRecord};
use dialplane_common::location::Percent;
use dialplane_common::route::Dialable;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Admin;
use crate::records;

/// A tenant with one number, as paths.
async fn salon(admin: &Admin) -> (String, String) {
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let number = json!({"source": "manual", "phone_number": "+12125550001"});
    let number = admin.create(&format!("{tenant}/phone-numbers"), number).await;
    let number = format!("{tenant}/phone-numbers/{number}");
    (tenant, number)
}

async fn put(admin: &Admin, path: &str, body: Value) -> Value {
    admin.expect(StatusCode::OK, Method::PUT, path, body).await
}

async fn get(admin: &Admin, path: &str) -> Value {
    admin.expect(StatusCode::OK, Method::GET, path, Value::Null).await
}

async fn number_record(admin: &Admin) -> NumberRecord {
    match records::of_kind(admin, Kind::Number).await.pop() {
        Some(Record::Number(_, record)) => record,
        other => panic!("{other:?}"),
    }
}

async fn tenant_record(admin: &Admin) -> TenantRecord {
    match records::of_kind(admin, Kind::Tenant).await.pop() {
        Some(Record::Tenant(_, record)) => record,
        other => panic!("{other:?}"),
    }
}

async fn platform_record(admin: &Admin) -> PlatformRecord {
    match records::of_kind(admin, Kind::Platform).await.pop() {
        Some(Record::Platform(record)) => record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn voice_is_inherited_field_by_field() {
    let Some(admin) = Admin::start().await else { return };
    let (tenant, number) = salon(&admin).await;
    let (own, of_tenant) = (format!("{number}/settings/voice"), format!("{tenant}/defaults/voice"));
    let unset = json!({"own": null, "inherited": null, "inherited_from": {}, "effective": null});
    assert_eq!(get(&admin, &own).await, unset);
    put(&admin, "/defaults/voice", json!({"language": "en-US", "stability": 0.5, "speed": 1})).await;
    put(&admin, &of_tenant, json!({"language": "es", "voice_id": "v1"})).await;
    let setting = put(&admin, &own, json!({"speed": 1.1, "greeting": null})).await;
    assert_eq!(setting["own"], json!({"speed": 1.1}));
    assert_eq!(
        setting["inherited"],
        json!({"language": "es", "voice_id": "v1", "stability": 0.5, "speed": 1.0})
    );
    let from =
        json!({"language": "tenant", "voice_id": "tenant", "stability": "platform", "speed": "platform"});
    assert_eq!(setting["inherited_from"], from);
    assert_eq!(
        setting["effective"],
        json!({"language": "es", "voice_id": "v1", "stability": 0.5, "speed": 1.1})
    );
    assert_eq!(get(&admin, &own).await, setting);
    // Each record has what its own scope sets: routers merge.
    assert_eq!(number_record(&admin).await.place.profile.voice.speed, Some(Percent(110)));
    assert_eq!(tenant_record(&admin).await.business.profile.voice.language.as_deref(), Some("es"));
    assert_eq!(platform_record(&admin).await.profile.voice.stability, Some(Percent(50)));
    for path in [&own, &of_tenant, "/defaults/voice"] {
        admin.expect(StatusCode::NO_CONTENT, Method::DELETE, path, Value::Null).await;
    }
    assert_eq!(get(&admin, &own).await["effective"], Value::Null);
    assert_eq!(number_record(&admin).await.place.profile.voice.speed, None);
    assert_eq!(platform_record(&admin).await.profile.voice.stability, None);
}

#[tokio::test]
async fn variables_are_inherited_name_by_name_and_lists_whole() {
    let Some(admin) = Admin::start().await else { return };
    let (tenant, number) = salon(&admin).await;
    let behind = json!({
        "prompt": "You are the front desk.", "rules": ["Never quote prices."], "transfer_to": "+12125550199",
        "variables": {"parking": "none", "wifi": "free"},
    });
    put(&admin, &format!("{tenant}/defaults/rules"), behind).await;
    let own = json!({"rules": ["Be brief.", "Be kind."], "max_duration_seconds": 600, "variables": {"parking": "behind"}});
    let setting = put(&admin, &format!("{number}/settings/rules"), own.clone()).await;
    assert_eq!(setting["own"], own);
    assert_eq!(
        setting["effective"],
        json!({
            "prompt": "You are the front desk.", "rules": ["Be brief.", "Be kind."], "transfer_to": "+12125550199",
            "max_duration_seconds": 600, "variables": {"parking": "behind", "wifi": "free"},
        })
    );
    let conversation = number_record(&admin).await.place.profile.conversation;
    assert_eq!((conversation.duration_max_s, conversation.prompt), (Some(600), None));
    let behind = tenant_record(&admin).await.business.profile.conversation.clone();
    assert_eq!(behind.transfer_to, Some(Dialable::Number("+12125550199".parse().unwrap())));
}

/// A list without the ids that its items were given.
fn without_ids(list: &Value) -> Value {
    let mut list = list.clone();
    for items in list.as_object_mut().unwrap().values_mut() {
        for item in items.as_array_mut().unwrap() {
            assert!(item.as_object_mut().unwrap().remove("id").is_some(), "{item}");
        }
    }
    list
}

#[tokio::test]
async fn a_numbers_people_and_services_replace_the_tenants() {
    let Some(admin) = Admin::start().await else { return };
    let (tenant, number) = salon(&admin).await;
    let services = json!({"services": [{"name": "Manicure", "duration_minutes": 45, "price": "30 USD"}]});
    // Where nothing says what is offered, people may give anything.
    let ana = json!({"name": "Ana", "role": "stylist", "weekly": {"mon": [["09:00", "17:00"]]}, "services": ["Cut"]});
    put(&admin, &format!("{tenant}/defaults/staff"), json!({"staff": [ana]})).await;
    put(&admin, &format!("{tenant}/defaults/services"), services.clone()).await;
    let bo = json!({"staff": [{"name": "Bo", "services": ["Cut"]}]});
    let path = format!("{number}/staff");
    admin.refused(Method::PUT, &path, bo, "staff[0].services[0]").await;
    let bo = json!({"staff": [{"name": "Bo", "services": ["manicure"]}]});
    let setting = put(&admin, &path, bo.clone()).await;
    assert_eq!((&setting["own"], &setting["effective"]), (&bo, &bo));
    assert_eq!(without_ids(&setting["inherited"]), json!({"staff": [ana]}));
    let effective = &get(&admin, &format!("{number}/services")).await["effective"];
    assert_eq!(without_ids(effective), services);
    let place = number_record(&admin).await.place;
    assert_eq!((place.staff.unwrap()[0].name.as_str(), place.services), ("Bo", None));
    let business = tenant_record(&admin).await.business;
    assert_eq!(business.staff[0].weekly.as_ref().unwrap()[0].len(), 1);
    assert_eq!(business.services[0].duration_minutes, Some(45));
    // An empty list is a list: nobody works here.
    put(&admin, &path, json!({"staff": []})).await;
    assert_eq!(number_record(&admin).await.place.staff, Some(Vec::new()));
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    assert_eq!(get(&admin, &path).await["own"], Value::Null);
    assert_eq!(number_record(&admin).await.place.staff, None);
}

#[tokio::test]
async fn refusals_name_the_place() {
    let Some(admin) = Admin::start().await else { return };
    let (tenant, number) = salon(&admin).await;
    for (path, body, field) in [
        (format!("{number}/settings/voice"), json!({"speed": 0.4}), "speed"),
        (format!("{number}/settings/voice"), json!({"pitch": 1}), "pitch"),
        (format!("{tenant}/defaults/voice"), json!({"language": "english"}), "language"),
        ("/defaults/voice".to_owned(), json!({"similarity": 1.01}), "similarity"),
        (format!("{number}/settings/rules"), json!({"variables": {"caller": "x"}}), "variables.caller"),
        (format!("{number}/settings/rules"), json!({"variables": {"system__x": "x"}}), "variables.system__x"),
        (format!("{tenant}/defaults/rules"), json!({"transfer_to": "212-555-0199"}), "transfer_to"),
        ("/defaults/rules".to_owned(), json!({"rules": [""]}), "rules[0]"),
        (
            format!("{number}/staff"),
            json!({"staff": [{"name": "Ana", "weekly": {"mon": [["9", "17:00"]]}}]}),
            "staff[0].weekly.mon[0][0]",
        ),
        (
            format!("{tenant}/defaults/services"),
            json!({"services": [{"name": "Cut"}, {"name": "cut"}]}),
            "services[1].name",
        ),
    ] {
        admin.refused(Method::PUT, &path, body, field).await;
    }
}
