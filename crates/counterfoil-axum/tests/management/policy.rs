//! The host's own rules: its policy's no, a catalog of scopes, and the switch that stops all minting.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use counterfoil::{
    By, Caller, Grant, IssuePolicy, Policy, Record, ScopeCatalog, UnknownScopes, Verified,
    policy::{Approval, Assent, MintSwitch, Objection, Refusal},
};
use serde_json::json;

use crate::{
    ask::{Ask, id_of, post, put},
    support::Rig,
};

/// What it says next, at issue and at rotation.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<&'static str>>);

impl Told {
    fn answer(&self) -> Result<(), Objection> {
        let refusal = || Refusal::new("closed", "not now").link("https://example.com/why");
        match *self.0.lock().unwrap() {
            "no" => Err(refusal().into()),
            "later" => Err(refusal().later(Duration::from_millis(1500))),
            "lost" => Err(Objection::Unavailable("no route to host".into())),
            _ => Ok(()),
        }
    }
}

impl Policy for Told {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Ok(Assent::plain())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        self.answer()?;
        let rights = "parts:*".parse().unwrap();
        Ok(if *self.0.lock().unwrap() == "less" { Approval::plain().ceiling(rights) } else { Approval::plain() })
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        self.answer()
    }
}

#[tokio::test]
async fn a_policy_objects_to_new_secrets() {
    let policy = Told::default();
    for rig in Rig::each_with(|builder| builder.policy(policy.clone()), |api| api).await {
        *policy.0.lock().unwrap() = "";
        let made = rig.create().await;
        let create = post("/tokens", json!({ "name": "CI", "expires_in": 60 }));
        let rotate = post(format!("/tokens/{}/rotate", id_of(&made)), json!({}));
        for (says, verdict, retry_after, link) in [
            ("no", (403, "closed"), None, json!("https://example.com/why")),
            ("later", (429, "closed"), Some("2"), json!("https://example.com/why")),
            ("lost", (503, "temporarily_unavailable"), Some("1"), json!(null)),
        ] {
            *policy.0.lock().unwrap() = says;
            for ask in [create.clone(), create.clone().key(says), rotate.clone(), rotate.clone().key(says)] {
                let path = ask.path.clone();
                let reply = rig.send(ask).await;
                assert_eq!((reply.verdict(), reply.header("retry-after")), (verdict, retry_after), "{says} {path}");
                assert_eq!(reply.body["link"], link);
                assert!(!reply.text.contains("route to host"), "{}", reply.text);
            }
        }
        assert_eq!((rig.count().await, &rig.now(&id_of(&made)).await["version"]), (1, &json!(1)));
        assert_eq!(rig.verdict(&made["token"]).await, "ok");
        // A request that was refused may come again under its key.
        *policy.0.lock().unwrap() = "";
        assert_eq!(rig.send(create.key("no")).await.body["replayed"], false);
        assert_eq!(rig.send(rotate.key("no")).await.body["replayed"], false);
    }
}

#[tokio::test]
async fn scopes_beyond_the_owners_rights_are_refused_by_name() {
    let policy = Told::default();
    for rig in Rig::each_with(|builder| builder.policy(policy.clone()), |api| api).await {
        *policy.0.lock().unwrap() = "less";
        for (scopes, verdict) in
            [(json!(["parts:read"]), (201, "")), (json!(["parts:read", "orders:read"]), (403, "scopes"))]
        {
            let reply = rig.send(post("/tokens", json!({ "name": "CI", "expires_in": 60, "scopes": scopes }))).await;
            assert_eq!(reply.verdict(), verdict);
            assert_eq!(reply.body["code"] == "beyond_rights", verdict.0 == 403);
            assert!(verdict.0 == 201 || reply.text.contains("orders:read"), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn while_minting_is_stopped_tokens_are_rotated_and_not_made() {
    let switch = MintSwitch::default();
    let stopping = IssuePolicy { switch: switch.clone(), ..IssuePolicy::default() };
    for rig in Rig::each_with(|builder| builder.issue_policy(stopping.clone()), |api| api).await {
        let id = rig.id().await;
        switch.stop();
        for ask in [
            post("/tokens", json!({ "name": "CI", "expires_in": 60 })),
            post("/tokens", json!({ "name": "CI", "expires_in": 60 })).key("7f3c"),
        ] {
            assert_eq!(rig.send(ask).await.verdict(), (503, "issuing_stopped"));
        }
        assert_eq!(rig.count().await, 1);
        assert_eq!(rig.send(Ask::new("POST", format!("/tokens/{id}/rotate"))).await.status, 200);
        assert_eq!(rig.send(put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 }))).await.status, 200);
        switch.open();
        let again = post("/tokens", json!({ "name": "CI", "expires_in": 60 })).key("7f3c");
        assert_eq!(rig.send(again).await.body["replayed"], false);
    }
}

#[tokio::test]
async fn scopes_that_the_catalog_does_not_know_are_refused_or_dropped() {
    let catalog = || {
        let scopes = ScopeCatalog::builder().scope("parts:read", "see").scope("parts:write", "change");
        let scopes = scopes.implies("parts:write", "parts:read").family("orders:*", "orders").never("tokens:*");
        Arc::new(scopes.build().unwrap())
    };
    for unknown in [UnknownScopes::Reject, UnknownScopes::Drop] {
        let known = IssuePolicy { scopes: Some((catalog(), unknown)), ..IssuePolicy::default() };
        for rig in Rig::each_with(|builder| builder.issue_policy(known.clone()), |api| api).await {
            for (asked, kept, dropped) in [
                (json!(["parts:read"]), json!(["parts:read"]), json!([])),
                (json!(["parts:write"]), json!(["parts:read", "parts:write"]), json!([])),
                (json!(["orders:eu:read"]), json!(["orders:eu:read"]), json!([])),
                (json!(["parts:read", "parts:delete"]), json!(["parts:read"]), json!(["parts:delete"])),
                (json!(["parts:read", "tokens:*"]), json!(["parts:read"]), json!(["tokens:*"])),
                (json!(["parts:write", "a", "b:*"]), json!(["parts:read", "parts:write"]), json!(["a", "b:*"])),
            ] {
                for key in [None, Some(format!("{asked}").replace(['"', ' '], "_"))] {
                    let ask = post("/tokens", json!({ "name": "CI", "expires_in": 60, "scopes": asked }));
                    let reply = rig.send(key.iter().fold(ask, |ask, key| ask.key(key))).await;
                    if unknown == UnknownScopes::Reject && dropped != json!([]) {
                        assert_eq!(reply.verdict(), (400, "scopes"), "{asked}");
                    } else {
                        assert_eq!(
                            (&reply.body["scopes"], &reply.body["dropped_scopes"]),
                            (&kept, &dropped),
                            "{asked}"
                        );
                    }
                }
            }
            // A request of which nothing is left would make a token without rights.
            for scopes in [json!(["tokens:write"]), json!(["other"]), json!(["tokens:*", "other"])] {
                let reply =
                    rig.send(post("/tokens", json!({ "name": "CI", "expires_in": 60, "scopes": scopes }))).await;
                assert_eq!(reply.verdict(), (400, "scopes"), "{scopes}");
            }
        }
    }
}
