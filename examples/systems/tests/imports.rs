//! Tokens that other packages made: imported as the guide's recipes say, and used over HTTP.
//!
//! The rows are in `tests/migrations` of the workspace, next to the scripts that made them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use axum::{Router, routing::get};
use counterfoil::{
    Alphabet, By, Checksum, Digest, Expiry, Families, Import, Owner, Registry, Timestamp, TokenFormat,
    digest::{
        ImportedAlgorithm::{self, Sha256, Sha512},
        ImportedDigests, Over,
    },
    import::ImportRefused,
    registry::ImportOutcome,
    token::{CharacterSet, ImportedFormat},
};
use counterfoil_axum::Proof;
use counterfoil_sqlx::SqliteStore;
use counterfoil_tower::{Gate, TokenLayer, Transport};
use systems::host::serve;
use tokio::net::TcpListener;

const SHA256: ImportedDigests = ImportedDigests { sha256: true, sha512: false, argon2id: None };
const SHA512: ImportedDigests = ImportedDigests { sha256: false, sha512: true, argon2id: None };

/// A token, what a person may see of it, and what the other software stored.
type Row<'t> = (&'t str, &'t str, &'t str);

fn rows(table: &str) -> Vec<Row<'_>> {
    let row = |line: &'_ str| -> Option<_> {
        let mut fields = line.split('\t');
        Some((fields.next()?.len(), fields.next()?.len()))
    };
    let read = |line| {
        let (token, public) = row(line).unwrap();
        (&line[..token], &line[token + 1..token + 1 + public], &line[token + public + 2..])
    };
    table.lines().map(read).collect()
}

/// A registry that mints `acme_…` and accepts these formats of other software.
async fn registry(formats: Vec<ImportedFormat>) -> Registry {
    let mut families = Families::minting(TokenFormat::builder("acme").build().unwrap());
    for format in formats {
        families = families.accepting(format).unwrap();
    }
    registry_of(families).await
}

async fn registry_of(families: Families) -> Registry {
    let keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse::<counterfoil::Keyring>().unwrap();
    Registry::builder(families, keyring, SqliteStore::in_memory().await.unwrap()).build().unwrap()
}

async fn import(
    registry: &Registry,
    algorithm: ImportedAlgorithm,
    over: Over,
    rows: impl IntoIterator<Item = (String, String)>,
) -> Vec<ImportOutcome> {
    let made = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
    let row = |(public, stored): (String, String)| {
        let digest = Digest::imported(algorithm, &stored, over).unwrap();
        Import::new(Owner::new("ann").unwrap(), public, digest, made, Expiry::Never)
    };
    registry.import(rows.into_iter().map(row), By::unknown()).await.unwrap()
}

fn is_imported(outcomes: &[ImportOutcome]) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, ImportOutcome::Imported(_)))
}

/// A service with one route behind this transport.
async fn service(registry: &Registry, transport: Transport) -> String {
    let layer = TokenLayer::new(Gate::new(registry.clone(), transport));
    let me = get(|Proof(token): Proof| async move { token.record().owner().subject().to_string() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(Router::new().route("/", me).layer(layer), listener, std::future::pending()));
    url
}

async fn status(url: &str, authorization: &str) -> u16 {
    let request = reqwest::Client::new().get(url).header("authorization", authorization);
    request.send().await.unwrap().status().as_u16()
}

/// The text with another character at `at`.
fn neighbour(token: &str, at: usize) -> String {
    let other = if token.as_bytes()[at] == b'2' { "3" } else { "2" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

/// Every token is accepted, twice, by its old scheme; its neighbours, its stored digest and other transports are not.
async fn holds_over_http(registry: &Registry, transport: Transport, scheme: &str, rows: &[Row<'_>]) {
    let url = service(registry, transport).await;
    for (token, _, stored) in rows {
        for at in [0, token.len() / 2, token.len() - 1] {
            assert_eq!(status(&url, &format!("{scheme} {}", neighbour(token, at))).await, 401, "{token} {at}");
        }
        assert!([400, 401].contains(&status(&url, &format!("{scheme} {stored}")).await), "{token}");
        for use_of in ["first", "second"] {
            assert_eq!(status(&url, &format!("{scheme} {token}")).await, 200, "{token}: {use_of} use");
        }
        for changed in [format!("{token}2"), format!("2{token}"), token[..token.len() - 1].to_owned()] {
            assert_eq!(status(&url, &format!("{scheme} {changed}")).await, 401, "{changed}");
        }
    }
}

fn sanctum() -> ImportedFormat {
    let format = ImportedFormat::builder("").selector(CharacterSet::DIGITS, 1..=20, "|");
    format.secret(CharacterSet::BASE62, 40..=48).accepts_imported(SHA256).build().unwrap()
}

fn sanctum_with_prefix() -> ImportedFormat {
    let format = ImportedFormat::builder("").selector(CharacterSet::DIGITS, 1..=20, "|").secret_prefix("acme_");
    format.secret(CharacterSet::BASE62, 48..=48).accepts_imported(SHA256).build().unwrap()
}

#[tokio::test]
async fn laravel_sanctum_tokens_are_accepted_over_http() {
    for table in [
        include_str!("../../../tests/migrations/sanctum_3.tsv"),
        include_str!("../../../tests/migrations/sanctum_4.tsv"),
    ] {
        let rows = rows(table);
        // Ids of two installations may be equal, so that each is imported for itself.
        for rows in rows.chunks(3) {
            let registry = registry(vec![sanctum(), sanctum_with_prefix()]).await;
            let batch = rows.iter().map(|(token, id, stored)| {
                // The public part says whether the secret has the prefix.
                assert!(token.starts_with(&format!("{id}|")));
                ((*id).to_owned(), (*stored).to_owned())
            });
            assert!(is_imported(&import(&registry, Sha256, Over::Secret, batch).await));
            let url = service(&registry, Transport::bearer()).await;
            assert_eq!(status(&url, &format!("Bearer {}", rows[0].0)).await, 400, "`|` is not allowed by default");
            holds_over_http(&registry, Transport::bearer().allow("|").unwrap(), "Bearer", rows).await;
        }
    }
}

#[tokio::test]
async fn better_auth_keys_are_accepted_over_http() {
    let rows = rows(include_str!("../../../tests/migrations/better_auth.tsv"));
    let bare = ImportedFormat::builder("").secret(CharacterSet::LETTERS, 64..=64).hint(6);
    let prefixed = ImportedFormat::builder("acme_").secret(CharacterSet::LETTERS, 64..=64).hint(1);
    let formats = [bare, prefixed].map(|format| format.accepts_imported(SHA256).build().unwrap());
    let registry = registry(formats.to_vec()).await;
    let batch = rows.iter().map(|(_, start, key)| ((*start).to_owned(), (*key).to_owned()));
    assert!(is_imported(&import(&registry, Sha256, Over::Text, batch).await));
    holds_over_http(&registry, Transport::bearer(), "Bearer", &rows).await;
}

#[tokio::test]
async fn django_rest_knox_tokens_are_accepted_over_http() {
    let rows = rows(include_str!("../../../tests/migrations/knox.tsv"));
    let bare = ImportedFormat::builder("").secret(CharacterSet::HEX, 64..=64).hint(15);
    let prefixed = ImportedFormat::builder("acme").secret(CharacterSet::HEX, 64..=64).hint(11);
    let formats = [bare, prefixed].map(|format| format.accepts_imported(SHA512).build().unwrap());
    let registry = registry(formats.to_vec()).await;
    let batch = rows.iter().map(|(_, token_key, digest)| ((*token_key).to_owned(), (*digest).to_owned()));
    assert!(is_imported(&import(&registry, Sha512, Over::Text, batch).await));
    holds_over_http(&registry, Transport::bearer().scheme("Token").unwrap(), "Token", &rows).await;
}

#[tokio::test]
async fn django_rest_framework_api_keys_are_accepted_over_http() {
    let rows = rows(include_str!("../../../tests/migrations/drf_api_key.tsv"));
    let format = ImportedFormat::builder("").selector(CharacterSet::BASE62, 8..=8, ".");
    let format = format.secret(CharacterSet::BASE62, 32..=32).accepts_imported(SHA512).build().unwrap();
    let registry = registry(vec![format]).await;
    let batch = rows.iter().map(|(_, prefix, hashed_key)| ((*prefix).to_owned(), (*hashed_key).to_owned()));
    assert!(is_imported(&import(&registry, Sha512, Over::Text, batch).await));
    holds_over_http(&registry, Transport::bearer().scheme("Api-Key").unwrap(), "Api-Key", &rows).await;
}

/// 3,000 keys of crate `prefixed-api-key`: base58 of random bytes, whose width varies from key to key.
#[tokio::test]
async fn every_prefixed_api_key_is_imported_and_verified_whatever_its_width() {
    use prefixed_api_key::{PrefixedApiKeyController, rand::rngs::OsRng, sha2};

    let controller = PrefixedApiKeyController::<_, sha2::Sha256>::configure();
    let controller = controller.prefix("mycompany".to_owned()).rng(OsRng).default_lengths().finalize().unwrap();
    let keys: Vec<_> = (0..3_000).map(|_| controller.generate_key_and_hash()).collect();
    let keys: Vec<_> = keys.iter().map(|(key, hash)| (key.to_string(), key.short_token(), hash.clone())).collect();
    let batch = |keys: &[(String, &str, String)]| -> Vec<_> {
        keys.iter().map(|(_, short, hash)| (format!("mycompany_{short}"), hash.clone())).collect()
    };

    // 8 bytes of base58 are 8 to 11 characters, and 24 bytes are 24 to 33.
    let format = ImportedFormat::builder("mycompany_").selector(CharacterSet::BASE58, 8..=11, "_");
    let format = format.secret(CharacterSet::BASE58, 24..=33).accepts_imported(SHA256).build().unwrap();
    let registry = registry(vec![format]).await;
    assert!(is_imported(&import(&registry, Sha256, Over::Secret, batch(&keys)).await));
    for (key, ..) in &keys {
        let secret_at = key.rfind('_').unwrap() + 1;
        assert!(registry.verify(&neighbour(key, secret_at)).await.is_err(), "{key}");
        assert!(registry.verify(&key[..key.len() - 1]).await.is_err(), "{key}");
        assert!(registry.verify(key).await.is_ok(), "{key}");
    }

    // A fixed width refuses the rows whose selector is shorter, and says what that means for the others.
    let fixed = TokenFormat::builder("mycompany").selector(Alphabet::Base62, 11).secret(Alphabet::Base62, 33);
    let fixed = fixed.checksum(Checksum::None).accepts_imported(SHA256).build().unwrap();
    let registry = registry_of(fixed.into()).await;
    let outcomes = import(&registry, Sha256, Over::Secret, batch(&keys)).await;
    let mut refused = 0;
    for ((_, short, _), outcome) in keys.iter().zip(outcomes) {
        match outcome {
            ImportOutcome::Imported(_) => assert_eq!(short.len(), 11),
            ImportOutcome::Refused(ImportRefused::Width { found, expected: 21 }) => {
                refused += 1;
                assert_eq!(found, 10 + short.len());
            }
            other => panic!("{short}: {other:?}"),
        }
    }
    assert!(refused > 0, "all keys were of one width");
}
