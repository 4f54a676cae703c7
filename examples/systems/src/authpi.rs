//! AuthPI: personal tokens that are JWTs, managed by an account's administrators for the users of its issuers.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::PathBuf,
};

use axum::{
    Json, Router,
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
    routing::get,
};
use counterfoil::{
    Actor, Audience, Grant, IssuePolicy, Lifetime, Owner, Record, Registry, ScopeCatalog, UnknownScopes,
    policy::{Lifetimes, Refusal},
};
use counterfoil_axum::{
    Named, Proof, Scoped,
    management::{ApiError, Declined, Management, Operation, PathParams, Session},
};
use counterfoil_jwt::{JwtFormat, KeySet, SigningKey};
use counterfoil_sqlx::SqliteStore;
use counterfoil_tower::{ClientAddress, Gate, TokenLayer, Transport};
use serde_json::{Value, json};

use crate::{
    host::{Error, Ground, Service},
    session::{Sessions, not_signed_in},
};

/// The issuer of all tokens, and their audience here.
pub const API: &str = "https://api.authpi.com";

/// Where the issuer's keys are published.
pub const KEYS: &str = "/.well-known/jwks.json";

/// The service.
#[derive(Debug, Clone)]
pub struct AuthPi {
    registry: Registry,
    store: SqliteStore,
    keys: KeySet,
    /// Who is signed in to the dashboard.
    pub sessions: Sessions<Admin>,
}

/// Somebody who manages the tokens of an account's users.
#[derive(Debug, Clone)]
pub struct Admin {
    /// The account.
    pub account: String,
    /// Its issuers and their users. A real service looks into its database.
    pub users: Vec<(String, String)>,
    /// Whether they may change anything.
    pub may_write: bool,
}

impl Admin {
    fn refused() -> Declined {
        Refusal::new("forbidden", "You don't have permission to perform this action.").into()
    }

    fn demand(&self, operation: Operation, path: &PathParams) -> Result<(), Declined> {
        let is_theirs = path.get("account_id") == Some(&self.account);
        let is_reading = matches!(operation, Operation::List | Operation::Get);
        if is_theirs && (self.may_write || is_reading) { Ok(()) } else { Err(Self::refused()) }
    }

    /// A user of an issuer: no two accounts or issuers share one, since no id holds a `/`.
    fn user(&self, issuer: &str, user: &str) -> Result<Owner, Declined> {
        if !self.users.iter().any(|(of, name)| of == issuer && name == user) {
            return Err(Self::refused());
        }
        Owner::in_tenant(format!("{}/{issuer}", self.account), user).map_err(|_| Self::refused())
    }
}

impl<S: Sync> FromRequestParts<S> for Admin
where
    Sessions<Admin>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let signed_in = Sessions::from_ref(state).of(&parts.headers);
        signed_in.map(|(_, admin)| admin).ok_or_else(not_signed_in)
    }
}

impl Session for Admin {
    fn actor(&self) -> Option<Actor> {
        Actor::new(format!("admin of {}", self.account)).ok()
    }

    async fn owner(&self, operation: Operation, path: &PathParams) -> Result<Owner, Declined> {
        self.demand(operation, path)?;
        self.user(path.get("issuer_id").unwrap_or_default(), path.get("user_id").unwrap_or_default())
    }

    async fn may(&self, operation: Operation, token: &Record, path: &PathParams) -> Result<(), Declined> {
        self.demand(operation, path)?;
        let account = token.owner().tenant_or_empty().split_once('/').map(|(account, _)| account);
        if account == Some(&self.account) { Ok(()) } else { Err(Declined::NotFound) }
    }
}

struct ReadUsers;
impl Named for ReadUsers {
    const SCOPE: &'static str = "read:users";
}

async fn me(Proof(token): Proof) -> Json<Value> {
    let owner = token.record().owner();
    let within = owner.tenant_or_empty().split_once('/').map(|(account, issuer)| json!([account, issuer]));
    Json(json!({ "user_id": owner.subject().as_str(), "within": within, "scopes": token.scopes() }))
}

async fn users(_: Scoped<ReadUsers>) -> Json<Value> {
    Json(json!([{ "name": "Ann" }]))
}

/// The public keys of all that has signed, in a file next to the database: tokens of an earlier key are good until they end,
/// also after a restart with a new one. A service whose tokens all end takes a key out once its last token has ended.
struct KeptKeys {
    file: PathBuf,
}

impl KeptKeys {
    fn read(&self) -> Result<KeySet, Error> {
        match fs::read_to_string(&self.file) {
            Ok(json) => Ok(KeySet::from_json(&json).map_err(|error| format!("{}: {error}", self.file.display()))?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(KeySet::default()),
            Err(error) => Err(format!("{}: {error}", self.file.display()).into()),
        }
    }

    /// Before the first token is signed, so that no key is forgotten.
    fn write(&self, keys: &KeySet) -> Result<(), Error> {
        let new = self.file.with_added_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(keys.to_json().as_bytes())?;
        file.sync_all()?;
        Ok(fs::rename(new, &self.file)?)
    }
}

impl Service for AuthPi {
    const NAME: &'static str = "authpi";

    fn build(ground: Ground) -> Result<Self, Error> {
        // Each key is named by its thumbprint, so that a verifier which has cached the key set knows a new key from an old one.
        let key = match std::env::var("SIGNING_KEY") {
            Ok(pem) => SigningKey::from_pem(&pem)?,
            Err(_) => SigningKey::draw()?,
        };
        let kept =
            ground.database.as_ref().map(|database| KeptKeys { file: database.with_added_extension("keys.json") });
        let mut format = JwtFormat::builder(API);
        for earlier in kept.as_ref().map(KeptKeys::read).transpose()?.unwrap_or_default().keys() {
            format = format.verifying(earlier.clone());
        }
        let format = format.signing(key).build()?;
        if let Some(kept) = kept {
            kept.write(&format.key_set())?;
        }
        let catalog =
            ScopeCatalog::builder().scope("read:users", "see users").scope("write:api-keys", "make and end API keys");
        let policy = IssuePolicy {
            lifetimes: Lifetimes::any().by_default(Lifetime::Forever)?, // `expires_at` is optional
            limit: Some(50),
            scopes: Some((catalog.build()?.into(), UnknownScopes::Reject)),
            ..IssuePolicy::default()
        };
        let keys = format.key_set();
        let registry = ground.registry(format).issue_policy(policy).audience(Audience::new(API)?).build()?;
        Ok(Self { registry, store: ground.store, keys, sessions: Sessions::default() })
    }

    fn router(&self) -> Result<Router, Error> {
        let gate = Gate::new(self.registry.clone(), Transport::bearer()).client_address(ClientAddress::peer());
        let api = Router::new().route("/v1/me", get(me)).route("/v1/users", get(users)).layer(TokenLayer::new(gate));
        let published = self.keys.to_json();
        let keys = get(async move || ([(header::CONTENT_TYPE, "application/jwk-set+json")], published));
        let tokens = Management::new(self.registry.clone())
            .title("Personal Tokens — Core API")
            .collection("/v1/accounts/{account_id}/issuers/{issuer_id}/users/{user_id}/tokens")
            .item("/v1/accounts/{account_id}/tokens/{token_id}")
            .kind("personal_token")
            .restrictions_required()
            .name("token", "token_plain")
            .idempotency(self.store.clone())
            .document_at("/v1/openapi.json")
            .router::<Admin, _>()?;
        Ok(api.route(KEYS, keys).merge(tokens).with_state(self.sessions.clone()))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }

    async fn demo(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let users = vec![("demo".to_owned(), "demo".to_owned())];
        let session = self.sessions.sign_in(Admin { account: "demo".into(), users, may_write: true })?;
        let grant = Grant::new(Owner::in_tenant("demo/demo", "demo")?, Lifetime::days(1));
        let issued = self.registry.issue(grant.scopes("read:users".parse()?).name("demo".parse()?)).await?;
        Ok(vec![("SESSION", session), ("TOKEN", issued.token.expose().to_owned())])
    }
}
