//! Where a token may be found, and which place wins.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

use counterfoil::TokenFormat;
use zeroize::Zeroizing;

use crate::{Defect, FileError, FoundToken, config_file::Stored, defect::examine};

/// Where a token came from: the first of these that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The program's command line. Others on the same machine may see it there.
    Flag(String),
    /// An environment variable.
    Variable(String),
    /// The config file.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "the option {name}"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why there is no token to work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A place has a text that is no token. The next place was not asked: whoever gives a token means that one.
    #[error("the token from {origin} cannot be used: {defect}")]
    Malformed {
        /// The place.
        origin: Source,
        /// What is wrong.
        defect: Defect,
    },
    /// No place has one.
    #[error("no token: {} not given, and {absent}", places(flag, variable.as_deref()))]
    Missing {
        /// The option's name.
        flag: String,
        /// The variable's name, if the program reads one.
        variable: Option<String>,
        /// Why the file has none.
        absent: Absent,
    },
    /// The config file cannot be read, or must not be.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why there is no token in the config file, while nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Absent {
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    NoFile {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file has other members alone.
    #[error("{} has no `{member}`", path.display())]
    NoMember {
        /// The file.
        path: PathBuf,
        /// The member.
        member: String,
    },
    /// The user has no home directory, so there is no place for a file.
    #[error("there is no home directory to look in")]
    NoHome,
}

fn places(flag: &str, variable: Option<&str>) -> String {
    variable.map_or_else(|| format!("{flag} is"), |variable| format!("{flag} and {variable} are"))
}

/// What the places hold. The file is read only if it is its turn.
pub(crate) struct Places<'p, F> {
    pub(crate) flag: (&'p str, Option<&'p str>),
    pub(crate) variable: Option<(&'p str, Option<OsString>)>,
    pub(crate) file: F,
}

/// The token of the first place that has one: option, variable, file. A variable that is empty has none, an option that
/// is empty has a malformed one.
pub(crate) fn choose<F>(format: &TokenFormat, places: Places<'_, F>) -> Result<FoundToken, TokenError>
where
    F: FnOnce() -> Result<Stored, FileError>,
{
    let Places { flag: (flag, given), variable, file } = places;
    if let Some(given) = given {
        return found(format, Zeroizing::new(given.to_owned()), Source::Flag(flag.to_owned()));
    }
    let variable = match variable {
        Some((name, Some(value))) if is_set(&value) => {
            let origin = Source::Variable(name.to_owned());
            return match value.into_string() {
                Ok(text) => found(format, Zeroizing::new(text), origin),
                Err(_) => Err(TokenError::Malformed { origin, defect: Defect::Character }),
            };
        }
        variable => variable.map(|(name, _)| name.to_owned()),
    };
    match file()? {
        Stored::Token(text, path) => found(format, text, Source::File(path)),
        Stored::Absent(absent) => Err(TokenError::Missing { flag: flag.to_owned(), variable, absent }),
    }
}

/// Whether a variable holds more than white space. One that is set to nothing counts as not set.
pub(crate) fn is_set(value: &OsStr) -> bool {
    value.to_str().is_none_or(|text| !trimmed(text).is_empty())
}

/// The text without what programs and editors put around it: white space, line ends, and a byte-order mark before it.
pub(crate) fn trimmed(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('\u{feff}').unwrap_or(text).trim()
}

fn found(format: &TokenFormat, text: Zeroizing<String>, origin: Source) -> Result<FoundToken, TokenError> {
    let bare = trimmed(&text);
    let text = if bare.len() == text.len() { text } else { Zeroizing::new(bare.to_owned()) };
    match examine(format, &text) {
        Ok(public) => {
            let public_len = public.len();
            Ok(FoundToken::new(text, public_len, origin))
        }
        Err(defect) => Err(TokenError::Malformed { origin, defect }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use counterfoil::Family as _;

    use super::*;

    const PATH: &str = "/config/acme/config.json";

    fn outcome(flag: Option<&str>, variable: Option<&str>, stored: Option<&str>) -> String {
        let format = TokenFormat::builder("acme").build().unwrap();
        let file = || {
            let absent = Absent::NoFile { path: PATH.into() };
            Ok(stored.map_or(Stored::Absent(absent), |text| Stored::Token(text.to_owned().into(), PATH.into())))
        };
        let variable = Some(("ACME_TOKEN", variable.map(OsString::from)));
        match choose(&format, Places { flag: ("--api-key", flag), variable, file }) {
            Ok(token) => format!("{} of {}", token.public(), token.source()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_first_place_with_a_text_decides() {
        let format = TokenFormat::builder("acme").build().unwrap();
        let token = |selector: &str| format.complete(&format!("acme_{selector}")).unwrap();
        let (one, two, three) = (token("111111111111"), token("222222222222"), token("333333333333"));
        let (one, two, three) = (Some(&*one), Some(&*two), Some(&*three));
        let by_flag = "acme_111111111111 of the option --api-key";
        let by_variable = "acme_222222222222 of the environment variable ACME_TOKEN";
        let by_file = "acme_333333333333 of /config/acme/config.json";
        let none = "no token: --api-key and ACME_TOKEN are not given, and /config/acme/config.json does not exist";
        let bad_flag = "the token from the option --api-key cannot be used: this is empty";
        let bad_variable =
            "the token from the environment variable ACME_TOKEN cannot be used: this is 5 characters short";
        let bad_file = "the token from /config/acme/config.json cannot be used: this is empty";
        let blank = "the token from the environment variable ACME_TOKEN cannot be used: this holds a blank or a line \
                     break, which no token does";
        let quoted = "the token from the environment variable ACME_TOKEN cannot be used: this does not begin with \
                      `acme_`, as every token of this program does";
        let character = "the token from the environment variable ACME_TOKEN cannot be used: this holds a character that no token has";
        let leaked = |text: String| -> Option<&'static str> { Some(text.leak()) };
        let around = |before: &str, after: &str| leaked(format!("{before}{}{after}", two.unwrap()));
        let around_three = |before: &str, after: &str| leaked(format!("{before}{}{after}", three.unwrap()));
        let short = two.map(|token| &token[..token.len() - 5]);
        let table = [
            (one, two, three, by_flag),
            (one, None, three, by_flag),
            (one, short, None, by_flag),
            (None, two, three, by_variable),
            (None, two, None, by_variable),
            (None, None, three, by_file),
            (None, Some(""), three, by_file),
            (None, Some(""), None, none),
            (None, Some(" \r\n"), three, by_file),
            (None, Some("\u{feff}"), None, none),
            // What `$(cat file)` leaves, an editor of Windows, or a copy from a page puts around it.
            (None, around("", "\n"), three, by_variable),
            (None, around("", "\r\n"), None, by_variable),
            (None, around("\u{feff}", "\n"), None, by_variable),
            (None, around("\u{feff} ", "\t"), None, by_variable),
            (None, around(" ", "\u{a0}"), None, by_variable),
            (None, None, around_three("\n", "\n"), by_file),
            (None, None, around_three("\u{feff}", "\r\n"), by_file),
            // Within it, or of another kind, it is none of that.
            (None, around("", "\n#"), None, blank),
            (None, around("\"", "\""), None, quoted),
            (None, around("", "\u{200b}"), None, character),
            (None, None, None, none),
            // What is malformed is never skipped.
            (Some(""), two, three, bad_flag),
            (None, short, three, bad_variable),
            (None, None, Some(""), bad_file),
        ];
        for (flag, variable, stored, expected) in table {
            assert_eq!(outcome(flag, variable, stored), expected, "{flag:?} {variable:?} {stored:?}");
        }
    }

    #[test]
    fn the_file_is_read_in_its_turn_alone() {
        let format = TokenFormat::builder("acme").build().unwrap();
        let token = format.complete("acme_111111111111").unwrap();
        let file = || panic!("the file was read");
        let places = Places { flag: ("--api-key", Some(&*token)), variable: None, file };
        assert_eq!(*choose(&format, places).unwrap().source(), Source::Flag("--api-key".into()));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_an_error() {
        use std::os::unix::ffi::OsStringExt as _;

        let format = TokenFormat::builder("acme").build().unwrap();
        let variable = Some(("ACME_TOKEN", Some(OsString::from_vec(vec![b'a', 0xff]))));
        let file = || panic!("the file was read");
        let error = choose(&format, Places { flag: ("--api-key", None), variable, file }).unwrap_err();
        assert!(matches!(error, TokenError::Malformed { origin: Source::Variable(_), defect: Defect::Character }));
    }

    #[test]
    fn debug_shows_the_public_part_alone() {
        let format = TokenFormat::builder("acme").build().unwrap();
        let text = format.complete("acme_111111111111").unwrap();
        let token = found(&format, Zeroizing::new(text.clone()), Source::File(Path::new("/x").into())).unwrap();
        assert_eq!(format!("{token:?}"), "FoundToken(acme_111111111111.. from /x)");
        assert_eq!(token.expose(), text);
    }
}
