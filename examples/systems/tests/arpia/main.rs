//! What ARPIA's page on personal tokens says, statement by statement, over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "an example that cannot be run here is told")]

#[path = "../rig/mod.rs"]
mod rig;

mod creating;
mod examples;
mod managing;
mod page;
mod proxy;
mod using;

use std::collections::BTreeMap;

use counterfoil::Owner;
use counterfoil_sqlx::SqliteStore;
use rig::{Reply, Rig, Send as _};
use serde_json::{Value, json};
use systems::{
    arpia::{Arpia, page::PATH},
    host::Service as _,
};

pub(crate) const WORKSPACE: &str = "13a4ebf0f1";
pub(crate) const ELSEWHERE: &str = "0badc0ffee";
pub(crate) const TOKENS: &str = "/profile/tokens";
pub(crate) const DAY_SECONDS: u64 = 86_400;

/// A workspace with the collections sales, support and board. Ann may use the first two.
pub(crate) struct World {
    pub(crate) rig: Rig<Arpia>,
    pub(crate) ann: Owner,
    /// Ann's.
    pub(crate) session: String,
    /// The tokens of the collections.
    pub(crate) sales: String,
    pub(crate) support: String,
    pub(crate) board: String,
}

pub(crate) async fn world() -> World {
    world_on(SqliteStore::in_memory().await.unwrap()).await
}

pub(crate) async fn world_on(store: SqliteStore) -> World {
    let rig = Rig::<Arpia>::start_on(store).await;
    let ann = Owner::in_tenant(WORKSPACE, "ann").unwrap();
    let session = join(&rig, &ann, &["sales", "support"]);
    let add = async |name| rig.service.collections.add(WORKSPACE, name).await.unwrap();
    let (sales, support, board) = (add("sales").await, add("support").await, add("board").await);
    World { rig, ann, session, sales, support, board }
}

/// Opens an account and signs in.
pub(crate) fn join(rig: &Rig<Arpia>, owner: &Owner, collections: &[&str]) -> String {
    rig.service.accounts.permit(owner, collections).unwrap();
    rig.service.sessions.sign_in(owner.clone()).unwrap()
}

/// What the form sends, with these members beside or instead of its own.
pub(crate) fn wish(members: Value) -> Value {
    let mut body = json!({ "name": "laptop", "scopes": ["collections:*"], "expires_in": 30 * DAY_SECONDS });
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

pub(crate) fn mcp(collection_token: &str) -> String {
    format!("/mcp/?token={collection_token}")
}

impl World {
    /// The plaintext and the path of a new token of Ann's.
    pub(crate) async fn token(&self, members: Value) -> (String, String) {
        self.token_of(&self.session, members).await
    }

    pub(crate) async fn token_of(&self, session: &str, members: Value) -> (String, String) {
        let made = self.rig.post(TOKENS, &wish(members)).session(session).expect(201).await.json();
        (made["token"].as_str().unwrap().to_owned(), format!("{TOKENS}/{}", made["id"].as_str().unwrap()))
    }

    pub(crate) async fn refused(&self, body: &Value, status: u16) -> Value {
        self.rig.post(TOKENS, body).session(&self.session).expect(status).await.json()
    }

    /// A use of a token at a collection.
    pub(crate) async fn at(&self, collection: &str, apt: &str) -> Reply {
        self.rig.get(&mcp(collection)).bearer_auth(apt).reply().await
    }

    /// The collections that a token may use.
    pub(crate) async fn permitted(&self, apt: &str) -> Vec<String> {
        let listed = self.rig.get("/mcp/").bearer_auth(apt).expect(200).await.json();
        let names = listed["collections"].as_array().unwrap().iter();
        names.map(|collection| collection["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn chat(&self, apt: &str) -> Reply {
        let message = json!({ "messages": [{ "role": "user", "content": "hello" }] });
        self.rig.post("/llm/chat", &message).bearer_auth(apt).reply().await
    }

    /// The rows of the table on Ann's page, or pages, once the uses that were noted are written.
    pub(crate) async fn rows(&self) -> Vec<BTreeMap<String, String>> {
        self.rig.service.registry().flush_uses().await.unwrap();
        let mut page = self.rig.page(&self.session, PATH).await;
        let mut rows = page.rows();
        while page.link("Next page").is_some() {
            page = self.rig.follow(&self.session, &page, "Next page").await;
            rows.extend(page.rows());
        }
        rows
    }

    pub(crate) async fn audit(&self) -> Vec<Value> {
        let audit = self.rig.get("/profile/audit").session(&self.session).expect(200).await;
        audit.json().as_array().unwrap().clone()
    }
}

pub(crate) fn is(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)), "{}", reply.text);
}
