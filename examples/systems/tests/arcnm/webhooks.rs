//! Webhooks, as their receiver sees them.

use std::time::{Duration, Instant};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use standardwebhooks::{Webhook, WebhookError};
use tokio::{net::TcpListener, sync::mpsc};

use super::*;

const WEBHOOKS: &str = "/api/v1/webhooks";

struct Receiver {
    url: String,
    received: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
}

impl Receiver {
    async fn start() -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let receive = async |State(sender): State<mpsc::UnboundedSender<_>>, headers: HeaderMap, body: Bytes| {
            sender.send((headers, body)).unwrap();
        };
        let app = Router::new().route("/hook", post(receive)).with_state(sender);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, received }
    }

    async fn next(&mut self) -> (HeaderMap, Bytes) {
        tokio::time::timeout(Duration::from_secs(60), self.received.recv()).await.unwrap().unwrap()
    }
}

/// A tenant with an endpoint: its key, the endpoint's id and secret.
async fn subscribed(rig: &Rig<Arcnm>, session: &str, receiver: &Receiver) -> (Key, String, String) {
    let key = mint(rig, session, &["webhooks:read", "webhooks:write", "parts:write"]).await;
    let made = rig.post(WEBHOOKS, &json!({ "url": receiver.url })).key(&key).expect(201).await.json();
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    (key, text("id"), text("secret"))
}

#[tokio::test]
async fn every_webhook_is_signed_with_the_secret_of_its_endpoint() {
    let (rig, session) = acme().await;
    let (mut one, mut other) = (Receiver::start().await, Receiver::start().await);
    let (key, _, secret) = subscribed(&rig, &session, &one).await;
    let (_, _, other_secret) = subscribed(&rig, &session, &other).await;
    assert_ne!(secret, other_secret);
    rig.post(PARTS, &json!({ "name": "bolt" })).key(&key).expect(201).await;
    for (receiver, secret, foreign) in [(&mut one, &secret, &other_secret), (&mut other, &other_secret, &secret)] {
        let (headers, body) = receiver.next().await;
        Webhook::new(secret).unwrap().verify(&body, &headers).unwrap();
        let refused = Webhook::new(foreign).unwrap().verify(&body, &headers);
        assert!(matches!(refused, Err(WebhookError::InvalidSignature)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_webhook_is_of_the_standard_webhooks_scheme() {
    let (rig, session) = acme().await;
    let mut receiver = Receiver::start().await;
    let (key, _, secret) = subscribed(&rig, &session, &receiver).await;
    assert!(secret.starts_with("whsec_"), "24 to 64 bytes: {}", secret.len());
    rig.post(PARTS, &json!({ "name": "bolt" })).key(&key).expect(201).await;
    let (headers, body) = receiver.next().await;
    let header = |name: &str| headers[name].to_str().unwrap();
    assert!(header("webhook-id").starts_with("msg_") && !header("webhook-id").contains('.'));
    assert!(header("webhook-timestamp").bytes().all(|byte| byte.is_ascii_digit()));
    assert!(header("webhook-signature").starts_with("v1,"));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["type"], &body["data"]), (&json!("part.created"), &json!({ "name": "bolt" })));
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_tampered_or_old_webhook_does_not_verify() {
    let (rig, session) = acme().await;
    let mut receiver = Receiver::start().await;
    let (key, _, secret) = subscribed(&rig, &session, &receiver).await;
    rig.post(PARTS, &json!({ "name": "bolt" })).key(&key).expect(201).await;
    let (headers, body) = receiver.next().await;
    let verifier = Webhook::new(&secret).unwrap();
    let tampered = String::from_utf8(body.to_vec()).unwrap().replace("bolt", "gold");
    let refused = verifier.verify(tampered.as_bytes(), &headers);
    assert!(matches!(refused, Err(WebhookError::InvalidSignature)), "{refused:?}");
    let moved = |name: &'static str, value: &str| {
        let mut headers = headers.clone();
        headers.insert(name, value.parse().unwrap());
        verifier.verify(&body, &headers)
    };
    let sent: i64 = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
    let old = moved("webhook-timestamp", &(sent - 3600).to_string());
    assert!(matches!(old, Err(WebhookError::TimestampTooOldError)), "{old:?}");
    for (name, value) in [("webhook-timestamp", (sent - 1).to_string()), ("webhook-id", "msg_other".to_owned())] {
        assert!(matches!(moved(name, &value), Err(WebhookError::InvalidSignature)), "{name}");
    }
    // An old one that was signed when it was sent is refused by its time alone.
    let mut old = headers.clone();
    old.insert("webhook-timestamp", (sent - 3600).to_string().parse().unwrap());
    let signature = verifier.sign(headers["webhook-id"].to_str().unwrap(), sent - 3600, &body).unwrap();
    old.insert("webhook-signature", signature.parse().unwrap());
    assert!(matches!(verifier.verify(&body, &old), Err(WebhookError::TimestampTooOldError)));
}

#[tokio::test]
async fn webhooks_write_makes_changes_and_deletes_endpoints() {
    let (rig, session) = acme().await;
    let (mut first, mut moved) = (Receiver::start().await, Receiver::start().await);
    let (key, id, _) = subscribed(&rig, &session, &first).await;
    let path = format!("{WEBHOOKS}/{id}");
    let update = rig.ask(reqwest::Method::PATCH, &path).json(&json!({ "url": moved.url }));
    assert_eq!(update.key(&key).expect(200).await.json()["url"], moved.url.as_str());
    rig.post(PARTS, &json!({ "name": "bolt" })).key(&key).expect(201).await;
    moved.next().await;
    rig.delete(&path).key(&key).expect(204).await;
    rig.delete(&path).key(&key).refused(404, "not_found").await;
    let reader = mint(&rig, &session, &["webhooks:read"]).await;
    assert_eq!(rig.get(WEBHOOKS).key(&reader).expect(200).await.json(), json!([]));
    // Behind it another one, so that what would have gone to the deleted one would have come by now.
    subscribed(&rig, &session, &moved).await;
    rig.post(PARTS, &json!({ "name": "nut" })).key(&key).expect(201).await;
    moved.next().await;
    assert!(first.received.try_recv().is_err() && moved.received.try_recv().is_err());
}

#[tokio::test]
async fn webhooks_read_lists_endpoints_and_their_deliveries() {
    let (rig, session) = acme().await;
    let mut receiver = Receiver::start().await;
    let (key, id, secret) = subscribed(&rig, &session, &receiver).await;
    let listed = rig.get(WEBHOOKS).key(&key).expect(200).await;
    assert_eq!(listed.json(), json!([{ "id": id, "url": receiver.url }]));
    assert!(!listed.text.contains(&secret), "a secret is shown once");
    rig.post(PARTS, &json!({ "name": "bolt" })).key(&key).expect(201).await;
    let (headers, _) = receiver.next().await;
    let message = headers["webhook-id"].to_str().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let deliveries = rig.get(&format!("{WEBHOOKS}/{id}/deliveries")).key(&key).expect(200).await.json();
        if deliveries != json!([]) {
            assert_eq!(deliveries, json!([{ "id": message, "type": "part.created", "status": 200 }]));
            break;
        }
        assert!(Instant::now() < deadline, "no delivery is noted");
    }
}

#[tokio::test]
async fn an_endpoint_is_its_tenants_own() {
    let (rig, session) = acme().await;
    let mut receiver = Receiver::start().await;
    let (key, id, _) = subscribed(&rig, &session, &receiver).await;
    rig.service.organisations.add("globex", "globex-hq");
    let stranger = sign_in(&rig, Claims { tenant: "globex".into(), ..claims(&rig) });
    let foreign = mint(&rig, &stranger, &SCOPES).await;
    assert_eq!(rig.get(WEBHOOKS).key(&foreign).expect(200).await.json(), json!([]));
    rig.get(&format!("{WEBHOOKS}/{id}/deliveries")).key(&foreign).refused(404, "not_found").await;
    rig.delete(&format!("{WEBHOOKS}/{id}")).key(&foreign).refused(404, "not_found").await;
    rig.post(PARTS, &json!({ "name": "theirs" })).key(&foreign).expect(201).await;
    rig.post(PARTS, &json!({ "name": "ours" })).key(&key).expect(201).await;
    assert!(String::from_utf8(receiver.next().await.1.to_vec()).unwrap().contains("ours"));
}

#[tokio::test]
async fn an_endpoint_is_no_way_into_another_network() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["webhooks:write"]).await;
    for url in ["http://169.254.169.254/", "http://10.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/", "nonsense"] {
        rig.post(WEBHOOKS, &json!({ "url": url })).key(&key).refused(400, "bad_request").await;
    }
}
