//! Signatures that the standards print.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, signature::Verifier};

use super::{Point, PublicKey, SigningKey};

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()
}

/// RFC 8037, appendices A.1, A.2 and A.4.
#[test]
fn ed25519_signs_and_verifies_as_rfc_8037_says() {
    let key = SigningKey::ed25519(&bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = bytes("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    assert_eq!(key.sign(message), signature);

    let x = bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let public = PublicKey::from_coordinates(&x, None).unwrap();
    assert_eq!(public, key.public());
    assert!(public.verifies(message, &signature));
    assert!(!public.verifies(&message[1..], &signature));
}

/// RFC 7515, appendix A.3: its `s` is the higher one of the two, which no token of ours has.
#[test]
fn es256_verifies_as_rfc_7515_says_and_in_the_lower_form_alone() {
    let x = bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    let y = bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let public = PublicKey::from_coordinates(&x, Some(&y)).unwrap();
    let key = SigningKey::p256(&bytes("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")).unwrap();
    assert_eq!(public, key.public());

    let message = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let printed = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let signature = Signature::from_slice(&bytes::<64>(printed)).unwrap();
    let Point::P256(point) = public.point else { panic!("no p-256 key") };
    assert!(point.verify(message, &signature).is_ok());
    assert!(point.verify(&message[1..], &signature).is_err());

    assert!(!public.verifies(message, &bytes(printed)));
    assert!(public.verifies(message, &signature.normalize_s().to_bytes().into()));
    assert!(public.verifies(message, &key.sign(message)));
}

/// A point of small order has signatures that hold for every message.
#[test]
fn a_weak_key_is_none() {
    let neutral = {
        let mut x = [0; 32];
        x[0] = 1;
        x
    };
    assert!(PublicKey::from_coordinates(&neutral, None).is_err());
}
