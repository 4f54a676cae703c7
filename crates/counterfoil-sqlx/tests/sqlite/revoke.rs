//! Revocation: the first mark stays.

use counterfoil::{
    Owner, Status, TokenId, TokenStore,
    store::{Filter, Revocation, RevokeStep, RevokeTarget},
};

use crate::support::*;

#[tokio::test]
async fn a_token_is_revoked_once_and_keeps_its_first_mark() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    let target = RevokeTarget::Token(there.id());

    let first = store.store.revoke(&target, &mark(at(1)), at(1), RevokeStep::WHOLE).await.unwrap();
    assert_eq!(first, Revocation { revoked: vec![there.id()], already: 0, next: None });
    let expected = next(&there, |row| row.revoked = mark_row(at(1)));
    assert_eq!(store.stored(there.id()).await, expected.to_row());

    let second = store.store.revoke(&target, &mark(at(2)), at(2), RevokeStep::WHOLE).await.unwrap();
    assert_eq!(second, Revocation { revoked: vec![], already: 1, next: None });
    assert_eq!(store.stored(there.id()).await, expected.to_row());

    let nobody = RevokeTarget::Token(TokenId::from_bytes([7; 16]));
    assert_eq!(
        store.store.revoke(&nobody, &mark(now()), now(), RevokeStep::WHOLE).await.unwrap(),
        Revocation::default()
    );
}

#[tokio::test]
async fn an_owner_or_a_filter_says_which() {
    let (ann, bob) = (owner("ann"), owner("bob"));
    let tenanted = Owner::in_tenant("acme", "ann").unwrap();
    let store = Fixture::new().await;
    let mut anns = Vec::new();
    for _ in 0..3 {
        anns.push(store.insert(record(&ann)).await.id());
    }
    let expired = store.insert(edited(&record(&ann), |row| row.expires_at = Some(at(-1).unix_millis()))).await.id();
    let gone = store.insert(edited(&record(&ann), |row| row.revoked = mark_row(at(-1)))).await.id();
    let bobs = store.insert(record(&bob)).await.id();
    let theirs = store.insert(record(&tenanted)).await.id();
    store.store.record_uses(&[used(anns[0], at(-1)), used(anns[1], at(-5))]).await.unwrap();

    let revoke =
        async |target: RevokeTarget| store.store.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
    let matching = |edit: fn(&mut Filter), of: &Owner| {
        let mut filter = Filter::owner(of.clone());
        edit(&mut filter);
        RevokeTarget::Matching(filter)
    };

    let unused = revoke(matching(|filter| filter.unused_since = Some(at(-2)), &ann)).await;
    assert_eq!(unused, Revocation { revoked: vec![anns[1]], already: 0, next: None });
    let only_revoked = revoke(matching(|filter| filter.statuses = Status::Revoked.into(), &ann)).await;
    assert_eq!(only_revoked, Revocation { revoked: vec![], already: 2, next: None });
    let active = revoke(matching(|filter| filter.statuses = Status::Active.into(), &ann)).await;
    let mut rest = vec![anns[0], anns[2]];
    rest.sort();
    assert_eq!(active, Revocation { revoked: rest, already: 0, next: None });
    let owned = revoke(RevokeTarget::Owner(ann.clone())).await;
    assert_eq!(owned, Revocation { revoked: vec![expired], already: 4, next: None });
    assert_eq!(store.stored(gone).await.revoked, mark_row(at(-1)));

    for id in [bobs, theirs] {
        assert!(store.stored(id).await.revoked.is_none(), "another's token is left alone");
    }
    let all = revoke(RevokeTarget::Matching(Filter::all())).await;
    assert_eq!((all.revoked.len(), all.already), (2, 5));
}
