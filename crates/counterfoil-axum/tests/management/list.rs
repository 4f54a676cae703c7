//! Lists: query → which tokens, in which order.

use std::collections::BTreeSet;

use counterfoil::{By, Status, TokenStore as _, record::Statuses};
use serde_json::{Value, json};

use crate::{
    ask::{Ask, Reply, get, id_of, post, put},
    support::{DAY, Rig, START, at},
};

fn ids(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["tokens"].as_array().unwrap().iter().map(id_of).collect()
}

/// Follows `next_cursor` from the first page to the last.
async fn walk(rig: &Rig, query: &str) -> Vec<Vec<String>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let reply = rig.send(get(format!("/tokens?{query}{cursor}"))).await;
        pages.push(ids(&reply));
        match &reply.body["next_cursor"] {
            Value::Null => return pages,
            next => cursor = format!("&cursor={}", next.as_str().unwrap()),
        }
        assert!(pages.len() < 200, "no end");
    }
}

async fn use_at(rig: &Rig, token: &Value, millis: i64) {
    rig.wait(millis);
    assert_eq!(rig.verdict(&token["token"]).await, "ok");
    rig.registry.flush_uses().await.unwrap();
}

#[tokio::test]
async fn pages_walk_every_token_once() {
    for rig in Rig::each().await {
        let mut all = BTreeSet::new();
        for n in 0..103 {
            rig.wait(n);
            let made = rig.create().await;
            if n % 3 == 0 {
                use_at(&rig, &made, n / 2).await; // some at one moment
            }
            all.insert(id_of(&made));
        }
        let bobs = post("/tokens", json!({ "name": "CI", "expires_in": 60 })).by("bob");
        assert_eq!(rig.send(bobs).await.status, 201);
        for (query, sizes) in [
            ("", vec![50, 50, 3]),
            ("limit=100", vec![100, 3]),
            ("limit=52", vec![52, 51]),
            ("sort=id&limit=100", vec![100, 3]),
            ("sort=last_used", vec![50, 50, 3]),
            ("sort=last_used&limit=7", [vec![7; 14], vec![5]].concat()),
            ("limit=%31%30%30", vec![100, 3]),
        ] {
            let pages = walk(&rig, query).await;
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{query}");
            assert_eq!(BTreeSet::from_iter(pages.concat()), all, "{query}");
            if !query.contains("last_used") {
                assert!(pages.concat().is_sorted(), "{query}");
            }
        }
        assert_eq!(walk(&rig, "limit=1").await.len(), 103);
    }
}

#[tokio::test]
async fn statuses_and_uses_choose_tokens() {
    for rig in Rig::each().await {
        let [active, blocked, suspended, expired, revoked] = {
            let mut made = Vec::new();
            for _ in 0..5 {
                made.push(rig.create().await);
            }
            <[Value; 5]>::try_from(made).unwrap()
        };
        use_at(&rig, &active, 10).await;
        use_at(&rig, &expired, 20).await;
        rig.send(Ask::new("POST", format!("/tokens/{}/block", id_of(&blocked)))).await;
        rig.registry.suspend(id_of(&suspended).parse::<counterfoil::TokenId>().unwrap(), By::unknown()).await.unwrap();
        rig.send(put(format!("/tokens/{}/expiry", id_of(&expired)), json!({ "expires_in": 1 }))).await;
        rig.send(Ask::new("DELETE", format!("/tokens/{}", id_of(&revoked)))).await;
        rig.wait(DAY);
        let since = |name: &str, millis: i64| format!("{name}={}", START + millis);
        for (query, expected) in [
            ("status=active".to_owned(), vec![&active]),
            ("status=blocked".to_owned(), vec![&blocked]),
            ("status=suspended".to_owned(), vec![&suspended]),
            ("status=expired".to_owned(), vec![&expired]),
            ("status=revoked".to_owned(), vec![&revoked]),
            (String::new(), vec![&active, &blocked, &suspended, &expired, &revoked]),
            (since("used_since", 10), vec![&active, &expired]),
            (since("used_since", 11), vec![&expired]),
            (since("used_since", 21), vec![]),
            (since("unused_since", 0), vec![]),
            (since("unused_since", 1), vec![&blocked, &suspended, &revoked]),
            (since("unused_since", 11), vec![&active, &blocked, &suspended, &revoked]),
            (since("status=revoked&unused_since", 21), vec![&revoked]),
            (since("status=active&used_since", 20), vec![]),
        ] {
            let found = BTreeSet::from_iter(ids(&rig.send(get(format!("/tokens?{query}"))).await));
            assert_eq!(found, expected.into_iter().map(id_of).collect(), "{query}");
        }
        // The last used first; those never used by their ids.
        let order = ids(&rig.send(get("/tokens?sort=last_used")).await);
        assert_eq!(order[..2], [id_of(&expired), id_of(&active)]);
    }
}

#[tokio::test]
async fn a_cursor_by_id_outlives_its_row() {
    for rig in Rig::each().await {
        for n in 0..3 {
            rig.wait(n);
            rig.create().await;
        }
        let [first, second, third] = <[String; 3]>::try_from(ids(&rig.send(get("/tokens")).await)).unwrap();
        let page = rig.send(get("/tokens?limit=2")).await;
        assert_eq!(page.body["next_cursor"], json!(second));
        rig.send(Ask::new("DELETE", format!("/tokens/{second}"))).await;
        assert_eq!(rig.registry.store().purge(at(DAY), None, 10).await.unwrap(), 1);
        assert_eq!(ids(&rig.send(get(format!("/tokens?cursor={second}"))).await), std::slice::from_ref(&third));
        assert_eq!(ids(&rig.send(get(format!("/tokens?cursor={first}"))).await), [third]);
    }
}

#[tokio::test]
async fn the_hosts_usual_list_leaves_out_what_is_asked_for_by_name() {
    let usual = |api: counterfoil_axum::management::Management| api.listing(Statuses::except(Status::Revoked));
    for rig in Rig::each_with(|builder| builder, usual).await {
        let (kept, gone) = (rig.id().await, rig.id().await);
        rig.send(Ask::new("DELETE", format!("/tokens/{gone}"))).await;
        for (query, expected) in [("", vec![&kept]), ("?status=revoked", vec![&gone]), ("?status=active", vec![&kept])]
        {
            let found = ids(&rig.send(get(format!("/tokens{query}"))).await);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        }
        assert_eq!(rig.now(&gone).await["status"], "revoked");
    }
}

#[tokio::test]
async fn a_use_is_told_with_its_token() {
    for rig in Rig::each().await {
        let made = rig.create().await;
        use_at(&rig, &made, 5).await;
        let told = ids(&rig.send(get("/tokens")).await);
        assert_eq!(told, [id_of(&made)]);
        assert_eq!(rig.now(&id_of(&made)).await["last_used_at"], START + 5);
        let blocked = rig.send(Ask::new("POST", format!("/tokens/{}/block", id_of(&made)))).await;
        assert_eq!(blocked.body["last_used_at"], START + 5);
    }
}
