//! The library set up as a host would, for everything that is measured.

use std::{num::NonZero, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use counterfoil::{
    Argon2Cost, Circumstances, Grant, Keyring, Lifetime, MemoryStore, Minted, Owner, Record, Registry, Scopes,
    Timestamp, TokenFormat, TokenStore, check, registry::RegistryBuilder, verify,
};
use counterfoil_sqlx::SqliteStore;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::floors::{Argon2Floor, Floor, Loaded, PREFIX};

pub(crate) const SERVER_KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
pub(crate) const TENANT: &str = "acme";
pub(crate) const OWNER: &str = "user-42";

pub(crate) fn keyring() -> Keyring {
    format!("k1:{}:mint", STANDARD.encode(SERVER_KEY)).parse().unwrap()
}

pub(crate) fn format() -> TokenFormat {
    TokenFormat::builder(PREFIX).build().unwrap()
}

pub(crate) fn grant() -> Grant {
    let scopes: Scopes = "parts:read parts:write".parse().unwrap();
    Grant::new(Owner::in_tenant(TENANT, OWNER).unwrap(), Lifetime::days(90)).scopes(scopes)
}

pub(crate) fn now() -> Timestamp {
    std::time::SystemTime::now().try_into().unwrap()
}

/// A format, a keyring, a token and its record, without a registry.
pub(crate) struct Host {
    pub(crate) format: TokenFormat,
    pub(crate) keyring: Keyring,
    pub(crate) now: Timestamp,
    pub(crate) text: String,
    pub(crate) record: Arc<Record>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let (format, keyring, now) = (format(), keyring(), now());
        let Minted { token, record } = grant().mint(&format, &keyring, now).unwrap();
        Self { text: token.expose().to_owned(), record: Arc::new(record), format, keyring, now }
    }

    /// From the text to the verdict, by the public steps. The record is loaded: nothing is looked up, so no selectors
    /// are made; it is handed over, as a store's answer is, and taken back out of the proof.
    #[inline(never)] // and so is the floor: neither is merged with the loop that times it
    pub(crate) fn verify(&self, text: &str, record: &mut Option<Arc<Record>>) -> bool {
        let Ok(presented) = self.format.parse(text) else { return false };
        let Ok(check) = check(presented, record.as_deref(), &self.keyring) else { return false };
        match verify(check, record.take(), &Circumstances::at(self.now)) {
            Ok(verified) => {
                *record = Some(verified.into_record());
                true
            }
            Err(_) => false,
        }
    }

    /// The same keys, the same record.
    pub(crate) fn floor(&self) -> (Floor, Loaded) {
        let floor = Floor::new(&SERVER_KEY, "digest", *self.record.id().as_bytes(), TENANT, OWNER);
        let loaded = Loaded::new(&self.record.to_row().current.digest);
        assert!(self.verify(&self.text, &mut Some(self.record.clone())), "the library accepts its token");
        assert!(floor.verify(&self.text, &loaded), "the floor reaches the same digest");
        (floor, loaded)
    }

    /// Of the right shape, with the wrong checksum.
    pub(crate) fn garbage(&self) -> String {
        let garbage = self.format.fake().unwrap();
        assert!(garbage.len() == self.text.len() && self.format.parse(&garbage).is_err());
        garbage
    }
}

/// A registry over records in memory, and one of its tokens.
pub(crate) struct InMemory {
    pub(crate) registry: Registry,
    pub(crate) text: String,
    record: Arc<Record>,
}

impl InMemory {
    pub(crate) fn new(keyring: Keyring) -> Self {
        Self::with(keyring, |builder| builder)
    }

    fn with(keyring: Keyring, set_up: impl FnOnce(RegistryBuilder) -> RegistryBuilder) -> Self {
        let store = MemoryStore::new();
        let registry = set_up(Registry::builder(format(), keyring, store.clone())).build().unwrap();
        let issued = pollster::block_on(registry.issue(grant())).unwrap();
        let record = pollster::block_on(store.get(issued.record.id())).unwrap().unwrap().record;
        Self { registry, text: issued.token.expose().to_owned(), record }
    }

    pub(crate) fn slow() -> Self {
        Self::new(keyring().with_argon2id(Argon2Cost::default()).unwrap())
    }

    /// With its slow hashes remembered, the token's among them.
    pub(crate) fn remembering() -> Self {
        let capacity = NonZero::new(1024).unwrap();
        let keyring = keyring().with_argon2id(Argon2Cost::default()).unwrap();
        let host = Self::with(keyring, |builder| builder.remember_slow_hashes(capacity));
        assert!(pollster::block_on(host.registry.verify(&host.text)).is_ok());
        host
    }

    /// For a registry that makes slow hashes: the same keys, the same record.
    pub(crate) fn floor(&self) -> Argon2Floor {
        let digest = Floor::new(&SERVER_KEY, "argon2", *self.record.id().as_bytes(), TENANT, OWNER);
        let floor = Argon2Floor::new(digest, &self.record.to_row().current.digest);
        assert!(floor.verify(&self.text), "the floor reaches the same digest");
        floor
    }
}

/// Makes a file with so many records, and gives the texts of up to 64 tokens spread over them.
///
/// Filled without waiting for the disk; whoever measures opens it anew.
pub(crate) async fn fill(path: &Path, records: usize) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Off);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let store = SqliteStore::from_pool_or_create(pool.clone()).await.unwrap();
    let (format, keyring, now) = (format(), keyring(), now());
    let mut texts = Vec::new();
    for at in 0..records {
        let grant = Grant { owner: Owner::in_tenant(TENANT, format!("user-{at}")).unwrap(), ..grant() };
        let Minted { token, record } = grant.mint(&format, &keyring, now).unwrap();
        store.insert(&record, None, now).await.unwrap();
        if at % records.div_ceil(64) == 0 {
            texts.push(token.expose().to_owned());
        }
    }
    pool.close().await;
    texts
}
