//! Text of others that is shown on a terminal.

/// So many characters of a text are shown.
const LIMIT: usize = 500;

/// A text of the server's as it may be printed: no character that steers a terminal or turns the direction of reading,
/// on one line, not endless, and without the token, should the server repeat it.
pub(crate) fn printable(text: &str, token: &str) -> String {
    let text = text.replace(token, "(the token)");
    let harmless = |char: char| match char {
        char if char.is_whitespace() => ' ',
        char if char.is_control() || turns(char) => '\u{fffd}',
        char => char,
    };
    let mut shown: String = text.chars().take(LIMIT).map(harmless).collect();
    if text.chars().nth(LIMIT).is_some() {
        shown.push('…');
    }
    shown
}

/// Unicode's invisible marks of direction (UAX 9, section 2) and its interlinear ones.
fn turns(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(char, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_cannot_steer_a_terminal() {
        let table = [
            ("Pro subscription required", "Pro subscription required"),
            ("naïve: 日本", "naïve: 日本"),
            ("a\r\nb\tc\u{2028}d", "a  b c d"),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", "\u{fffd}[2J\u{fffd}]0;x\u{fffd}"),
            ("\u{9b}31m\u{7f}\0", "\u{fffd}31m\u{fffd}\u{fffd}"),
            ("\u{202e}gnp\u{2066}", "\u{fffd}gnp\u{fffd}"),
            ("you sent acme_s3cret", "you sent (the token)"),
        ];
        for (text, expected) in table {
            assert_eq!(printable(text, "acme_s3cret"), expected, "{text:?}");
        }
        assert_eq!(printable(&"é".repeat(500), "t").chars().count(), 500);
        assert_eq!(printable(&"é".repeat(501), "t"), format!("{}…", "é".repeat(500)));
    }
}
