//! The person at the other end.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use zeroize::Zeroizing;

/// No line of a token is longer, in bytes.
const LIMIT: u64 = 4096;

/// Whether somebody can type here.
pub(crate) fn is_attended() -> bool {
    io::stdin().is_terminal()
}

/// Tells something that is not the program's result.
pub(crate) fn tell(line: &str) {
    // Who has closed standard error does not want to hear it.
    let _ = writeln!(io::stderr(), "{line}");
}

/// What is pasted, without its echo; where standard input is no terminal, its first line. Bytes that are no text come
/// as characters that no token has.
pub(crate) fn read_paste(prompt: &str) -> io::Result<Zeroizing<String>> {
    if is_attended() {
        return read_hidden(prompt).map(Zeroizing::new);
    }
    let mut line = Zeroizing::new(Vec::with_capacity(LIMIT as usize));
    io::stdin().lock().take(LIMIT).read_until(b'\n', &mut line)?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&line).into_owned()))
}

/// Ctrl-C is raised while the terminal is silent. It is held back until the terminal is as it was: who breaks off would
/// be left without an echo.
#[cfg(unix)]
fn read_hidden(prompt: &str) -> io::Result<String> {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal};

    let interrupt = SigSet::from(Signal::SIGINT);
    let before = interrupt.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let read = rpassword::prompt_password(prompt);
    before.thread_set_mask()?;
    read
}

#[cfg(not(unix))]
fn read_hidden(prompt: &str) -> io::Result<String> {
    rpassword::prompt_password(prompt)
}
