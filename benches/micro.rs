//! Each operation by itself, in a group with its floor: `cargo bench --bench micro [-- FILTER]`.
//!
//! For finding out what costs; whether it is too much is what `ratios` says.

#![allow(missing_docs, reason = "criterion's macros write functions")]
#![allow(clippy::unwrap_used, reason = "what is measured has been tested elsewhere")]

mod floors;
mod host;

use std::{hint::black_box, path::Path};

use counterfoil::{Circumstances, Grant, Lifetime, Minted, Owner, Record, Registry, Scope, Scopes, check, verify};
use counterfoil_sqlx::SqliteStore;
use criterion::{Criterion, criterion_group, criterion_main};
use floors::SqliteFloor;
use host::{Host, InMemory};
use tokio::runtime::Runtime;

fn parse(criterion: &mut Criterion) {
    let host = Host::new();
    let mut group = criterion.benchmark_group("parse");
    group.bench_function("floor", |bencher| bencher.iter(|| floors::is_token(black_box(&host.text))));
    let texts = [
        ("accept", host.text.clone()),
        ("bad_checksum", host.garbage()),
        ("not_ours", host.text.replacen("acme", "ghp", 1)),
        ("over_long", format!("{}{}", host.text, "0".repeat(4096))),
    ];
    for (name, text) in &texts {
        group.bench_function(*name, |bencher| bencher.iter(|| host.format.parse(black_box(text)).is_ok()));
    }
}

fn mint(criterion: &mut Criterion) {
    let host = Host::new();
    let (floor, _) = host.floor();
    let grant = host::grant();
    let now = host.now.unix_millis().unsigned_abs();
    let mut group = criterion.benchmark_group("mint");
    group.bench_function("floor", |bencher| bencher.iter(|| (black_box(&grant).clone(), floor.mint(black_box(now)))));
    group.bench_function("keyed", |bencher| {
        bencher.iter(|| black_box(&grant).clone().mint(&host.format, &host.keyring, host.now).unwrap());
    });
}

fn keyed_verify(criterion: &mut Criterion) {
    let host = Host::new();
    let (floor, loaded) = host.floor();
    // The record of another token under the right selector: one whose secret is wrong.
    let mut row = host.record.to_row();
    row.current.digest = Host::new().record.to_row().current.digest;
    let wrong = Record::from_row(row).unwrap().into();
    let mut group = criterion.benchmark_group("keyed_verify");
    group.bench_function("floor", |bencher| {
        bencher.iter(|| floor.verify(black_box(&host.text), &loaded));
    });
    for (name, record) in [("accept", Some(&host.record)), ("wrong_secret", Some(&wrong)), ("absent", None)] {
        assert_eq!(host.verify(&host.text, &mut record.cloned()), name == "accept");
        group.bench_function(name, |bencher| {
            bencher.iter(|| host.verify(black_box(&host.text), &mut record.cloned()));
        });
    }
}

fn argon2_verify(criterion: &mut Criterion) {
    let host = InMemory::slow();
    let floor = host.floor();
    let mut group = criterion.benchmark_group("argon2_verify");
    group.sample_size(20);
    group.bench_function("floor", |bencher| bencher.iter(|| floor.verify(black_box(&host.text))));
    group.bench_function("accept", |bencher| {
        bencher.iter(|| pollster::block_on(host.registry.verify(black_box(&host.text))).unwrap());
    });
}

fn require(criterion: &mut Criterion) {
    let host = Host::new();
    let verified = |scopes: Scopes| {
        let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90)).scopes(scopes);
        let Minted { token, record } = grant.mint(&host.format, &host.keyring, host.now).unwrap();
        let check = check(host.format.parse(token.expose()).unwrap(), Some(&record), &host.keyring).unwrap();
        verify(check, Some(record.into()), &Circumstances::at(host.now)).unwrap()
    };
    let names: Vec<String> = (0..100).map(|at| format!("part-{at:02}:read")).collect();
    let mut group = criterion.benchmark_group("require");
    for count in [1, 10, 100] {
        // The floor of a lookup in an ordered set of texts.
        let required: Scope = names[count / 2].parse().unwrap();
        group.bench_function(format!("floor/{count}"), |bencher| {
            bencher.iter(|| names[..count].binary_search_by(|name| name.as_str().cmp(black_box(required.as_str()))));
        });
        let verified = verified(Scopes::from_texts(names[..count].iter().map(String::as_str)).unwrap());
        assert_eq!(verified.require(&required).is_ok(), count > 1 || names[0] == required.as_str());
        group.bench_function(format!("exact/{count}"), |bencher| {
            bencher.iter(|| verified.require(black_box(&required)).is_ok());
        });
    }
    let verified = verified("collections:*".parse().unwrap());
    let required: Scope = "collections:42:read".parse().unwrap();
    group.bench_function("pattern", |bencher| bencher.iter(|| verified.require(black_box(&required)).is_ok()));
}

fn memory_verify(criterion: &mut Criterion) {
    let host = Host::new();
    let (floor, loaded) = host.floor();
    let mut group = criterion.benchmark_group("memory_verify");
    group.bench_function("floor", |bencher| {
        bencher.iter(|| floor.verify(black_box(&host.text), &loaded));
    });
    for (name, stored) in [("accept", InMemory::new(host::keyring())), ("remembered", InMemory::remembering())] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| pollster::block_on(stored.registry.verify(black_box(&stored.text))).unwrap());
        });
    }
}

fn sqlite_verify(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    sqlite_verify_in(criterion, &runtime, &directory.path().join("tokens.db"));
}

fn sqlite_verify_in(criterion: &mut Criterion, runtime: &Runtime, path: &Path) {
    let texts = runtime.block_on(host::fill(path, 1_000));
    let store = runtime.block_on(SqliteStore::open_or_create(path)).unwrap();
    let registry = Registry::builder(host::format(), host::keyring(), store).build().unwrap();
    let floor = runtime.block_on(SqliteFloor::open(path));
    let text = texts.last().unwrap();
    let mut group = criterion.benchmark_group("sqlite_verify");
    group.bench_function("floor", |bencher| bencher.to_async(runtime).iter(|| floor.find(black_box(text))));
    group.bench_function("accept", |bencher| {
        bencher.to_async(runtime).iter(async || registry.verify(black_box(text)).await.unwrap());
    });
}

criterion_group!(benches, parse, mint, keyed_verify, argon2_verify, require, memory_verify, sqlite_verify);
criterion_main!(benches);
