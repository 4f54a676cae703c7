//! The same door before a framework that is not built on Tower: actix-web, whose `http` types are of another line.
//!
//! `cargo run -p counterfoil-tower --example actix`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "an example that ends by itself")]

use std::{future::Future, pin::Pin};

use actix_web::{
    App, FromRequest, HttpRequest, HttpResponse, dev::Payload, error::InternalError, http::StatusCode,
    middleware::DefaultHeaders, rt::System, test, web,
};
use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat, Verified};
use counterfoil_tower::{Gate, Transport};

// The 30 lines that another framework takes: its head into ours, our answer into its own.

/// An extractor: a handler that takes one is reached with a good token alone.
struct Proof(Verified);

impl FromRequest for Proof {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let gate = request.app_data::<web::Data<Gate>>().expect("the gate is the app's data").clone();
        let mut head = http::Request::new(()).into_parts().0;
        for (name, value) in request.headers() {
            let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
            let value = http::HeaderValue::from_bytes(value.as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                head.headers.append(name, value);
            }
        }
        Box::pin(async move {
            match gate.admit(&mut head).await {
                Ok(()) => Ok(Self(head.extensions.remove().expect("this door takes our tokens alone"))),
                Err(answer) => {
                    let (refused, body) = gate.refuse::<String>(&answer).into_parts();
                    let mut response = HttpResponse::build(StatusCode::from_u16(refused.status.as_u16()).unwrap());
                    for (name, value) in &refused.headers {
                        response.append_header((name.as_str(), value.as_bytes()));
                    }
                    Err(InternalError::from_response("refused", response.body(body)).into())
                }
            }
        })
    }
}

async fn whoami(Proof(verified): Proof) -> String {
    verified.record().owner().subject().to_string()
}

fn main() {
    System::new().block_on(async {
        let keyring: Keyring = format!("k1:{}:mint", counterfoil::draw_server_key().unwrap()).parse().unwrap();
        let format = TokenFormat::builder("acme").build().unwrap();
        let registry = Registry::builder(format, keyring, MemoryStore::new()).build().unwrap();
        let issued = registry.issue(Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90))).await.unwrap();
        let gate = web::Data::new(Gate::new(registry, Transport::bearer()));
        // An extractor does not see the response, so the headers that `Gate::mark` would add stand here.
        let for_caches = DefaultHeaders::new().add(("cache-control", "private")).add(("vary", "authorization"));
        let app = App::new().app_data(gate).wrap(for_caches).route("/whoami", web::get().to(whoami));
        let service = test::init_service(app).await;

        let good = format!("Bearer {}", issued.token.expose());
        for (what, credential, expected) in [
            ("no token", None, 401),
            ("an empty one", Some("Bearer"), 400),
            ("a made-up one", Some("Bearer acme_1"), 401),
            ("a good one", Some(&*good), 200),
        ] {
            let mut request = test::TestRequest::get().uri("/whoami");
            if let Some(credential) = credential {
                request = request.insert_header(("authorization", credential));
            }
            let response = match test::try_call_service(&service, request.to_request()).await {
                Ok(response) => response.into_parts().1.map_into_boxed_body(),
                Err(refused) => refused.error_response(),
            };
            println!("{what}: {} {:?}", response.status(), response.headers().get("www-authenticate"));
            assert_eq!(response.status().as_u16(), expected);
        }
    });
}
