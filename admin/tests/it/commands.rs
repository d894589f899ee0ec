//! The command line, as an operator runs it.

use std::path::PathBuf;
use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, ENCRYPTION_KEY, OPERATOR};

/// A file that is removed again.
struct TempFile(PathBuf);

impl TempFile {
    fn new(ending: &str, text: &str) -> Self {
        let name = format!("dialplane-{}.{ending}", uuid::Uuid::now_v7().simple());
        let file = Self(std::env::temp_dir().join(name));
        std::fs::write(&file.0, text).unwrap();
        file
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn files_go_in_and_out_of_a_terminal() {
    let Some(admin) = Admin::start().await else { return };
    let tenants = TempFile::new("csv", "external_id,name\nsalon-1,Sparkle\n");
    let (code, out, error) = said(&admin.run(&["import", "--kind", "tenants", tenants.path()]));
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "done: 1 lines, 1 created, 0 changed, 0 unchanged, 0 bad\n"),
        "{error}"
    );
    let numbers = TempFile::new(
        "jsonl",
        "{\"phone_number\":\"+12125550001\",\"tenant_external_id\":\"salon-1\"}\n{\"phone_number\":\"5\"}\n",
    );
    let (code, out, error) =
        said(&admin.run(&["import", "--kind", "numbers", "--all-or-nothing", numbers.path()]));
    assert_eq!(code, Some(1), "{out}");
    assert!(
        error.contains("line 2: phone_number: wanted") && error.contains("import: some lines are bad"),
        "{error}"
    );
    let (code, out, error) = said(&admin.run(&["import", "--kind", "numbers", "--json", numbers.path()]));
    let import: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &import["lines_created"]), (Some(1), &json!(1)), "{error}");
    // Of an import that was left, the rest.
    let file = "phone_number,tenant_external_id\n+12125550002,salon-1\n+12125550003,salon-1\n";
    let rest = TempFile::new("csv", file);
    let request = admin
        .request(OPERATOR, Method::POST, "/imports?kind=numbers&format=csv")
        .header("Upload-Complete", "?0");
    let left: Value = request.body(&file[..60]).send().await.unwrap().json().await.unwrap();
    assert!(left["bytes_received"].as_i64().unwrap() > 0, "{left}");
    let id = left["id"].as_str().unwrap();
    let (code, out, error) = said(&admin.run(&["import", "--kind", "numbers", "--resume", id, rest.path()]));
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "done: 2 lines, 2 created, 0 changed, 0 unchanged, 0 bad\n"),
        "{error}"
    );
    let out = TempFile::new("csv", "");
    let (code, _, error) = said(&admin.run(&["export", "--kind", "numbers", out.path()]));
    assert_eq!(code, Some(0), "{error}");
    let (_, stdout, _) = said(&admin.run(&["export", "--kind", "numbers", "--format", "csv", "-"]));
    assert_eq!(stdout, std::fs::read_to_string(out.path()).unwrap());
    assert_eq!(stdout.lines().count(), 4, "{stdout}");
    // What isn't there, what isn't known, what is called wrong.
    let (code, _, error) = said(&admin.run(&["import", "--kind", "numbers", "/nowhere.csv"]));
    assert!(code == Some(1) && error.contains("/nowhere.csv"), "{error}");
    assert_eq!(said(&admin.run(&["import", "--kind", "colours", rest.path()])).0, Some(2));
    assert_eq!(said(&admin.run(&["export", "--kind", "numbers", "-"])).0, Some(1));
    let (code, out, error) = said(&admin.run(&["explain", "--to", "+12125550002"]));
    let explained: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &explained["phone_number"]["display_name"]),
        (Some(0), &json!("+12125550002")),
        "{error}"
    );
    let (code, out, error) = said(&admin.run(&["fleet", "--json"]));
    let fleet: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &fleet["routers"]), (Some(0), &json!([])), "{error}");
}

#[tokio::test]
async fn keys_are_made_and_revoked_without_a_key() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Sparkle"})).await;
    let (code, key, error) = said(&admin.run(&["keys", "create", "--name", "mine"]));
    assert_eq!(code, Some(0), "{error}");
    let get = async |key: &str, path: &str| admin.send(key, Method::GET, path, &Value::Null).await.0;
    assert_eq!(get(key.trim(), "/api/v2/feed").await, StatusCode::OK);
    let (_, viewer, _) =
        said(&admin.run(&["keys", "create", "--name", "theirs", "--tenant", &tenant, "--role", "viewer"]));
    let path = format!("/api/v2/tenants/{tenant}");
    assert_eq!(get(viewer.trim(), &path).await, StatusCode::OK);
    let change = admin.send(viewer.trim(), Method::PATCH, &path, &json!({"name": "x"})).await.0;
    assert_eq!(change, StatusCode::FORBIDDEN);
    let (_, list, _) = said(&admin.run(&["keys", "list", "--json"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    let mine = list.as_array().unwrap().iter().find(|key| key["name"] == "mine").unwrap();
    assert!(!list.to_string().contains(key.trim()), "{list}");
    let id = mine["id"].as_str().unwrap();
    assert_eq!(said(&admin.run(&["keys", "revoke", id])).0, Some(0));
    // The process that serves hears of it from Postgres.
    let mut looks = 0;
    while get(key.trim(), "/api/v2/feed").await != StatusCode::UNAUTHORIZED {
        looks += 1;
        assert!(looks < 1_000, "the key is still taken");
        tokio::task::yield_now().await;
    }
    let (code, _, error) = said(&admin.run(&["keys", "revoke", id]));
    assert!(code == Some(1) && error.contains("not found"), "{error}");
}

#[tokio::test]
async fn stored_secrets_are_sealed_anew_and_the_old_key_can_go() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Sparkle"})).await;
    let account = |sid: &str| {
        let credentials = json!({"account_sid": sid, "auth_token": "t"});
        json!({"provider": "twilio", "label": "main", "credentials": credentials})
    };
    let path = format!("/tenants/{tenant}/accounts");
    let id = admin.create(&path, account("AC1")).await;
    admin.create(&path, account("AC2")).await;
    let server = json!({"url": "https://tools.example/dialplane"});
    admin.expect(StatusCode::OK, Method::PUT, &format!("/tenants/{tenant}/tool-server"), server).await;
    let new_key = "another-encryption-key-of-the-tests";
    let both = format!("{new_key},{ENCRYPTION_KEY}");
    admin.restart_with(&both);
    // One is sealed with the new key already, as it was written since.
    let changed = json!({"credentials": {"auth_token": "u"}});
    admin.expect(StatusCode::OK, Method::PATCH, &format!("{path}/{id}"), changed.clone()).await;
    let rotate = |keys: &str| said(&admin.run_with(&["rotate-keys", "--json"], keys));
    let (code, out, error) = rotate(&both);
    let rows: Value = serde_json::from_str(&out).unwrap_or_default();
    let of = |rows: &Value| -> Vec<_> {
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| (row["sealed_anew"].as_u64(), row["already"].as_u64()))
            .collect()
    };
    assert_eq!((code, of(&rows)), (Some(0), vec![(Some(1), Some(1)), (Some(1), Some(0))]), "{error}");
    let (_, out, _) = rotate(&both);
    assert_eq!(of(&serde_json::from_str(&out).unwrap()), [(Some(0), Some(2)), (Some(0), Some(1))]);
    let (code, _, error) = rotate("a-key-that-never-sealed-anything");
    assert!(code == Some(1) && error.contains("accounts"), "{error}");
    admin.restart_with(new_key);
    admin.expect(StatusCode::OK, Method::PATCH, &format!("{path}/{id}"), changed).await;
}

#[tokio::test]
async fn settings_are_checked_without_serving() {
    let Some(admin) = Admin::start().await else { return };
    let (code, out, error) = said(&admin.run(&["check", "--json"]));
    let rows: Value = serde_json::from_str(&out).unwrap();
    let what: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (row["what"].as_str(), row["ok"].as_bool())).collect();
    assert_eq!(
        what.iter().map(|(what, _)| what.unwrap()).collect::<Vec<_>>(),
        ["settings", "postgres", "schema", "redis"]
    );
    assert_eq!(code, Some(if what.iter().all(|(_, ok)| *ok == Some(true)) { 0 } else { 1 }), "{out} {error}");
    assert!(what[..3].iter().all(|(_, ok)| *ok == Some(true)), "{out}");
    let nowhere = ["check", "--database-url", "postgres://nobody@127.0.0.1:1/nothing"];
    let (code, out, error) = said(&admin.run(&nowhere));
    assert!(
        code == Some(1) && out.contains("false") && error.contains("not good: postgres, schema"),
        "{out} {error}"
    );
    assert_eq!(said(&admin.run(&["check", "--log-format", "xml"])).0, Some(1));
}
