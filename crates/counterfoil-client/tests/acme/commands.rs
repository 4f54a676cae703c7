//! The other commands, in scripts.

use crate::{
    program::{Ended, Home},
    service::{END, Service},
};

fn file_of(token: &str) -> String {
    format!(r#"{{"theme": "dark", "apiKey": "{token}"}}"#)
}

#[test]
fn whoami_tells_which_token_is_used_and_from_where() {
    let service = Service::new();
    let (one, two, three) = (service.issue("one"), service.issue("two"), service.issue("three"));
    let home = Home::at(&service).set("ACME_API_KEY", two.expose());
    home.keep(&file_of(three.expose()));
    let unset = Home::at(&service).set("ACME_API_KEY", "");
    unset.keep(&file_of(three.expose()));
    let in_file = unset.file().display().to_string();
    let table: [(&Home, &[&str], _, _, &str); 3] = [
        (&home, &["whoami", "--api-key", one.expose()], "one", &one, "the option --api-key"),
        (&home, &["whoami"], "two", &two, "the environment variable ACME_API_KEY"),
        (&unset, &["whoami"], "three", &three, &in_file),
    ];
    for (home, arguments, name, token, source) in table {
        let out = format!(
            "name     {name}\ntoken    {}…\nscopes   parts:read parts:write\nexpires  {END}\nfrom     {source}\n",
            token.public()
        );
        assert_eq!(home.run(arguments, ""), Ended { code: 0, out, err: String::new() });
    }
}

#[test]
fn a_malformed_token_is_told_with_its_place_and_never_passed_over() {
    let service = Service::new();
    let token = service.issue("good");
    let short = &token.expose()[..50];
    let home = Home::at(&service).set("ACME_API_KEY", short);
    home.keep(&file_of(token.expose()));
    let file = Home::at(&service);
    file.keep(&file_of(&format!("{}\\n#", token.expose())));
    let at = file.file().display().to_string();
    let table: [(&Home, &[&str], String); 3] = [
        (
            &home,
            &["whoami", "--api-key", ""],
            "the token from the option --api-key cannot be used: this is empty".to_owned(),
        ),
        (
            &home,
            &["whoami"],
            "the token from the environment variable ACME_API_KEY cannot be used: this is 6 characters short"
                .to_owned(),
        ),
        (
            &file,
            &["whoami"],
            format!("the token from {at} cannot be used: this holds a blank or a line break, which no token does"),
        ),
    ];
    for (home, arguments, expected) in table {
        let err = format!("acme: {expected}\n");
        assert_eq!(home.run(arguments, ""), Ended { code: 1, out: String::new(), err });
    }
    assert_eq!(service.asked(), 0);
}

#[test]
fn without_a_token_it_is_told_where_one_was_looked_for() {
    let home = Home::new("http://127.0.0.1:1");
    let at = home.file().display().to_string();
    let missing = |why: &str| format!("acme: no token: --api-key and ACME_API_KEY are not given, and {at} {why}\n");
    assert_eq!(home.run(&["whoami"], "").err, missing("does not exist"));
    home.keep("{}");
    assert_eq!(home.run(&["whoami"], "").err, missing("has no `apiKey`"));
}

#[test]
fn a_service_with_a_header_of_its_own_is_asked_with_it() {
    let service = Service::with_header("x-api-key");
    let token = service.issue("CI");
    let home = Home::at(&service).set("ACME_API_KEY", token.expose());
    assert_eq!(home.run(&["whoami"], "").code, 1);
    assert_eq!(home.set("ACME_HEADER", "X-API-Key").run(&["whoami"], "").code, 0);
}

#[test]
fn logout_is_local_and_says_so() {
    let service = Service::new();
    let token = service.issue("CI");
    let local =
        "This is local: the token works until it is revoked. Revoke it at https://acme.example/settings/tokens\n";
    let home = Home::at(&service);
    let at = home.file().display().to_string();
    let run = |home: &Home| home.run(&["logout"], "");

    assert_eq!(home.run(&["login"], token.expose()).code, 0);
    let out = format!("Removed {at}, which held the token alone.\n{local}");
    assert_eq!(run(&home), Ended { code: 0, out, err: String::new() });
    assert_eq!(home.kept(), None);
    assert_eq!(run(&home), Ended { code: 0, out: "No token was stored.\n".to_owned(), err: String::new() });

    home.keep(&file_of(token.expose()));
    assert_eq!(run(&home).out, format!("Removed the token from {at}.\n{local}"));
    assert_eq!(home.kept().unwrap(), "{\n  \"theme\": \"dark\"\n}\n");

    let home = home.set("ACME_API_KEY", token.expose());
    let note = "Note: ACME_API_KEY is still set, and its token is still used. To end that: unset ACME_API_KEY\n";
    assert_eq!(run(&home).out, format!("No token was stored.\n{note}"));
    assert_eq!(home.run(&["whoami"], "").code, 0); // as it says: nothing was revoked
}

#[test]
fn revoke_ends_the_token_and_forgets_what_was_stored() {
    let service = Service::new();
    let (given, stored) = (service.issue("given"), service.issue("stored"));
    let home = Home::at(&service);
    home.keep(&file_of(stored.expose()));

    let ended = home.run(&["revoke", "--api-key", given.expose()], "");
    assert_eq!(ended.out, format!("Revoked {}… from the option --api-key.\n", given.public()));
    assert!(home.kept().unwrap().contains(stored.expose()));

    let ended = home.run(&["revoke"], "");
    assert_eq!(ended.out, format!("Revoked {}… from {}.\n", stored.public(), home.file().display()));
    assert_eq!(home.kept().unwrap(), "{\n  \"theme\": \"dark\"\n}\n");

    for token in [given, stored] {
        let ended = home.run(&["whoami", "--api-key", token.expose()], "");
        assert!(ended.err.starts_with("acme: the server does not accept this token: "), "{}", ended.err);
    }
}

#[test]
fn a_token_does_not_go_over_http_to_another_machine() {
    let home = Home::new("http://api.acme.example");
    let ended = home.run(&["whoami"], "");
    let expected = "acme: `http://api.acme.example/token`: expected https: over http a token goes to this machine alone \
         (localhost, 127.0.0.0/8, ::1)\n";
    assert_eq!((ended.code, &*ended.err), (1, expected));
}
