//! Queries that name something wrong → 400, which names it back.

use serde_json::json;

use crate::{
    ask::get,
    support::{Rig, START},
};

#[tokio::test]
async fn a_wrong_query_is_refused_by_the_parameters_name() {
    for rig in Rig::each().await {
        let id = rig.id().await;
        let long = format!("limit={}", "1".repeat(10_000));
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=+5", "limit"), // a space, once decoded
            ("limit=%2B5", "limit"),
            ("limit=abc", "limit"),
            ("limit=", "limit"),
            ("limit", "limit"),
            ("limit=1.0", "limit"),
            ("limit=0x10", "limit"),
            ("limit=\u{661}".trim(), "limit"),
            ("limit=4294967297", "limit"),
            ("limit=18446744073709551617", "limit"),
            (&long, "limit"),
            ("limit=5&limit=5", "limit"),
            ("limit=5&LIMIT=5", "LIMIT"),
            ("status=Active", "status"),
            ("status=", "status"),
            ("status=active,blocked", "status"),
            ("status=active&status=blocked", "status"),
            ("sort=name", "sort"),
            ("sort=", "sort"),
            ("sort=-last_used", "sort"),
            ("cursor=", "cursor"),
            ("cursor=1", "cursor"),
            ("cursor=%00", "cursor"),
            ("sort=last_used&cursor=", "cursor"),
            ("sort=last_used&cursor=-.", "cursor"),
            ("sort=last_used&cursor=1.1", "cursor"),
            ("used_since=", "used_since"),
            ("used_since=-1", "used_since"),
            ("used_since=%2B1767225600000", "used_since"),
            ("used_since=1767225600", "used_since"), // seconds
            ("used_since=2026-01-01", "used_since"),
            ("used_since=99999999999999999999", "used_since"),
            ("unused_since=253402300800000", "unused_since"),
            ("unused_since=1767225600000&unused_since=1767225600000", "unused_since"),
            ("owner=bob", "owner"),
            ("tenant=", "tenant"),
            ("%6Cimit=5&x", "x"),
            ("=", ""),
            ("\u{FFFD}=1".trim(), "\u{FFFD}"),
        ] {
            let encoded: String = query.chars().map(|c| if c.is_ascii() { c.into() } else { percent(c) }).collect();
            let reply = rig.send(get(format!("/tokens?{encoded}"))).await;
            assert_eq!((reply.status, &reply.body["field"]), (400, &json!(field)), "{query}: {}", reply.text);
        }
        // A cursor is of one sort.
        for (query, status) in [
            (format!("cursor={id}"), 200),
            (format!("sort=last_used&cursor={id}"), 400),
            (format!("sort=last_used&cursor=-.{id}"), 200),
            (format!("cursor=-.{id}"), 400),
            (format!("cursor={START}.{id}"), 400),
            (format!("cursor={}", id.to_uppercase()), 400),
        ] {
            assert_eq!(rig.send(get(format!("/tokens?{query}"))).await.status, status, "{query}");
        }
    }
}

fn percent(character: char) -> String {
    character.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()
}
