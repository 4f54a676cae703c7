//! A fresh server key, for a host's own set-up.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::entropy::{Drawn, NoEntropy, SystemEntropy};

/// Draws a server key, as base64 for an entry of a [`Keyring`](crate::Keyring)'s text: what `openssl rand -base64 32` prints.
///
/// For a host's own set-up command. The text is a secret; keep it apart from the database.
///
/// # Errors
///
/// [`NoEntropy`] if the system gives no randomness.
pub fn draw_server_key() -> Result<String, NoEntropy> {
    let mut drawn = Drawn::new(&SystemEntropy, 32)?;
    Ok(STANDARD.encode(*Zeroizing::new(drawn.bytes::<32>()?)))
}
