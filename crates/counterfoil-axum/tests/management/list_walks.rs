//! Lists that are chosen and paged at one time, and what a list is not asked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    ask::{Ask, get, id_of, post},
    support::{Rig, START},
};

#[tokio::test]
async fn pages_of_chosen_tokens_hold_each_of_them_once() {
    for rig in Rig::each().await {
        let (mut used, mut blocked) = (BTreeSet::new(), BTreeSet::new());
        for n in 0..30 {
            rig.wait(n);
            let made = rig.create().await;
            if n % 2 == 0 {
                assert_eq!(rig.verdict(&made["token"]).await, "ok");
                used.insert(id_of(&made));
            }
            if n % 3 == 0 {
                rig.send(post(format!("/tokens/{}/block", id_of(&made)), json!({}))).await;
                blocked.insert(id_of(&made));
            }
        }
        rig.registry.flush_uses().await.unwrap();
        let both = used.intersection(&blocked).cloned().collect();
        for (chosen, expected) in [
            ("status=blocked".to_owned(), &blocked),
            (format!("used_since={START}"), &used),
            (format!("status=blocked&used_since={START}"), &both),
            ("status=revoked".to_owned(), &BTreeSet::new()),
        ] {
            for (sort, limit) in [("id", 1), ("id", 4), ("id", 5), ("last_used", 1), ("last_used", 4), ("last_used", 5)]
            {
                let query = format!("{chosen}&sort={sort}&limit={limit}");
                let (mut found, mut cursor) = (Vec::new(), String::new());
                loop {
                    let page = rig.send(get(format!("/tokens?{query}{cursor}"))).await.body;
                    let ids: Vec<_> = page["tokens"].as_array().unwrap().iter().map(id_of).collect();
                    assert!(ids.len() <= limit, "{query}");
                    found.extend(ids);
                    assert!(found.len() <= expected.len(), "{query}: {found:?}");
                    let Some(next) = page["next_cursor"].as_str() else { break };
                    cursor = format!("&cursor={next}");
                }
                assert_eq!(found.len(), expected.len(), "{query}");
                assert_eq!(&BTreeSet::from_iter(found), expected, "{query}");
            }
        }
    }
}

/// The bounds themselves are good.
#[tokio::test]
async fn a_limit_is_digits_from_1_to_100() {
    for rig in Rig::each().await {
        for _ in 0..2 {
            rig.create().await;
        }
        for (limit, tokens) in [("1", 1), ("2", 2), ("100", 2), ("0100", 2)] {
            let reply = rig.send(get(format!("/tokens?limit={limit}"))).await;
            assert_eq!(reply.body["tokens"].as_array().map(Vec::len), Some(tokens), "{limit}: {}", reply.text);
        }
        for limit in
            ["1e2", "1E2", "1_0", "1,0", "1;2", "NaN", "null", "%0910", "10%20", "10%0A", "10%00", "00", "000101"]
        {
            assert_eq!(rig.send(get(format!("/tokens?limit={limit}"))).await.verdict(), (400, "limit"), "{limit}");
        }
    }
}

#[tokio::test]
async fn each_parameter_is_given_once() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        let moment = START.to_string();
        for (name, value) in [
            ("limit", "5"),
            ("cursor", &*id),
            ("status", "active"),
            ("sort", "id"),
            ("used_since", &moment),
            ("unused_since", &moment),
        ] {
            let once = rig.send(get(format!("/tokens?{name}={value}"))).await;
            assert_eq!(once.status, 200, "{name}: {}", once.text);
            let twice = rig.send(get(format!("/tokens?{name}={value}&{name}={value}"))).await;
            assert_eq!((twice.status, &twice.body["field"]), (400, &json!(name)), "{}", twice.text);
        }
    }
}

/// As each sort gives them out, not as someone has made them up.
#[tokio::test]
async fn a_cursor_of_one_sort_is_none_of_the_other() {
    for rig in Rig::each().await {
        for n in 0..3 {
            rig.wait(n);
            let made = rig.create().await;
            assert_eq!(rig.verdict(&made["token"]).await, "ok");
        }
        rig.registry.flush_uses().await.unwrap();
        let next = async |sort| rig.send(get(format!("/tokens?limit=1&sort={sort}"))).await.body["next_cursor"].clone();
        let [by_id, by_use] = [next("id").await, next("last_used").await].map(|cursor| match cursor {
            Value::String(text) => text,
            other => panic!("{other}"),
        });
        assert_ne!(by_id, by_use);
        for (sort, cursor, verdict) in [
            ("id", &by_id, (200, "")),
            ("last_used", &by_use, (200, "")),
            ("id", &by_use, (400, "cursor")),
            ("last_used", &by_id, (400, "cursor")),
        ] {
            let ask = Ask::new("GET", format!("/tokens?sort={sort}&cursor={cursor}"));
            assert_eq!(rig.send(ask).await.verdict(), verdict, "{sort} {cursor}");
        }
    }
}
