//! A form for a new token is good for the owner that it was shown for.

use crate::{
    client::{PAGE, get, post},
    host::Host,
};

/// One session may create tokens for several owners, as an administrator's does.
#[test]
fn form_shown_for_one_owner_makes_no_token_for_another() {
    let host = Host::plain();
    let session = |owner: &str| match owner {
        "ann" => "session=ann.the-secret-of-a-session".to_owned(),
        _ => format!("session=ann.the-secret-of-a-session; for={owner}"),
    };
    let path = format!("{PAGE}/new");
    let mut expected = Vec::new();
    for (shown_for, sent_for, status) in
        [("ann", "bob", 403), ("bob", "ann", 403), ("bob", "bo", 403), ("ann", "ann", 201), ("bob", "bob", 201)]
    {
        let form = get(&path).cookie(&session(shown_for)).send(&host).value("form");
        let sent = post(&path, &[("form", &form), ("name", "CI"), ("expiry", "30")]).cookie(&session(sent_for));
        let reply = sent.send(&host);
        assert_eq!(reply.status, status, "shown for {shown_for}, sent for {sent_for}: {reply:?}");
        expected.extend((status == 201).then(|| sent_for.to_owned()));
        let mut owners: Vec<_> = host.records().iter().map(|record| record.owner().subject().to_string()).collect();
        owners.sort();
        assert_eq!(owners, expected);
    }
}
