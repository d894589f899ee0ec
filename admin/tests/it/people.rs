//! Staff and services one by one: the same lists that the defaults show.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Admin;

#[tokio::test]
async fn staff_and_services_are_also_written_one_by_one() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let cut = admin.create(&format!("{tenant}/services"), json!({"name": "Cut", "price": "30 USD"})).await;
    let ana = json!({"name": "Ana", "role": "stylist", "services": ["cut"]});
    let id = admin.create(&format!("{tenant}/staff"), ana).await;
    let path = format!("{tenant}/staff/{id}");
    let expected = json!({"id": id, "name": "Ana", "services": ["cut"]});
    // Null unsets a field.
    let changed = admin.expect(StatusCode::OK, Method::PATCH, &path, json!({"role": null})).await;
    assert_eq!(changed, expected);
    assert_eq!(admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await, expected);
    let list = admin.expect(StatusCode::OK, Method::GET, &format!("{tenant}/staff"), Value::Null).await;
    assert_eq!(list, json!({"items": [expected], "next": null}));
    let defaults = format!("{tenant}/defaults/staff");
    let document = admin.expect(StatusCode::OK, Method::GET, &defaults, Value::Null).await;
    assert_eq!(document["own"], json!({"staff": [expected]}));

    for (method, path, body, field) in [
        (Method::POST, format!("{tenant}/staff"), json!({"name": "ana "}), "name"),
        (Method::POST, format!("{tenant}/staff"), json!({"name": "Bo", "id": id}), "id"),
        (
            Method::POST,
            format!("{tenant}/staff"),
            json!({"name": "Bo", "services": ["Shave"]}),
            "services[0]",
        ),
        (Method::PATCH, path.clone(), json!({"weekly": {"mon": [["9", "17:00"]]}}), "weekly.mon[0][0]"),
        (Method::PATCH, path.clone(), json!({"name": null}), "name"),
        (Method::PATCH, path.clone(), json!({"age": 3}), "age"),
        (Method::PATCH, path.clone(), json!({"id": cut}), "id"),
        (
            Method::PATCH,
            format!("{tenant}/services/{cut}"),
            json!({"duration_minutes": 0}),
            "duration_minutes",
        ),
    ] {
        admin.refused(method, &path, body, field).await;
    }
    // Ids that a document brings along stay; those without get one.
    let both = json!({"staff": [{"name": "Bo"}, {"id": id, "name": "Ana"}]});
    admin.expect(StatusCode::OK, Method::PUT, &defaults, both).await;
    assert_eq!(admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await["name"], "Ana");
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    admin.expect(StatusCode::NOT_FOUND, Method::DELETE, &path, Value::Null).await;
    let list = admin.expect(StatusCode::OK, Method::GET, &format!("{tenant}/staff"), Value::Null).await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["name"]), (1, &json!("Bo")));
}

#[tokio::test]
async fn whoever_adds_at_once_is_added() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let adding = (0..8).map(|index| {
        let path = format!("{tenant}/services");
        let admin = &admin;
        async move { admin.create(&path, json!({"name": format!("Service {index}")})).await }
    });
    futures_util::future::join_all(adding).await;
    let list = admin.expect(StatusCode::OK, Method::GET, &format!("{tenant}/services"), Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 8);
}
