//! Whether there is a browser for the user to see, and opening it.

use std::env;

/// Whether a browser is opened at a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Browser {
    /// Where there is a screen for it, and a person at the terminal.
    #[default]
    Auto,
    /// Never: what `--no-browser` is for.
    Never,
}

/// Shows the page, if that is wanted and possible. What is printed holds the address in any case.
pub(crate) fn open(browser: Browser, at_a_terminal: bool, url: &str) -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    wanted(browser, at_a_terminal, is_set) && webbrowser::open(url).is_ok()
}

/// A script has no eyes. On Windows and macOS there is a screen unless the session is remote; elsewhere a variable
/// names one, or names a browser that does without.
fn wanted(browser: Browser, at_a_terminal: bool, is_set: impl Fn(&str) -> bool) -> bool {
    let screen = || {
        if cfg!(any(windows, target_os = "macos")) {
            return !is_set("SSH_CONNECTION");
        }
        ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].into_iter().any(is_set)
    };
    browser == Browser::Auto && at_a_terminal && screen()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(any(windows, target_os = "macos")))]
    #[test]
    fn a_browser_is_opened_where_somebody_sees_it() {
        let table: [(Browser, bool, &[&str], bool); 7] = [
            (Browser::Auto, true, &["DISPLAY"], true),
            (Browser::Auto, true, &["WAYLAND_DISPLAY", "SSH_CONNECTION"], true),
            (Browser::Auto, true, &["BROWSER"], true),
            (Browser::Auto, true, &["SSH_CONNECTION", "TERM"], false),
            (Browser::Auto, true, &[], false),
            (Browser::Auto, false, &["DISPLAY", "BROWSER"], false),
            (Browser::Never, true, &["DISPLAY", "BROWSER"], false),
        ];
        for (browser, at_a_terminal, set, expected) in table {
            assert_eq!(wanted(browser, at_a_terminal, |name| set.contains(&name)), expected, "{browser:?} {set:?}");
        }
    }
}
