//! What a program says of itself, once.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use counterfoil::TokenFormat;
use etcetera::BaseStrategy as _;
use ureq::http::HeaderName;

use crate::{
    Absent, FoundToken, InvalidUrl, TokenError,
    config_file::{ConfigFile, Stored},
    endpoint::{Endpoint, PlainHttp},
    server::{Carrier, Server},
    source::{Places, choose, is_set},
};

/// The tokens of one command-line program: where they are found, and how they come and go.
///
/// ```
/// use counterfoil::TokenFormat;
/// use counterfoil_client::Client;
///
/// let format = TokenFormat::builder("acme").build()?;
/// let client = Client::builder("acme-cli", format, "https://api.acme.example/token")
///     .flag("--api-key")
///     .variable("ACME_API_KEY")
///     .tokens_page("https://acme.example/settings/tokens")
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) format: TokenFormat,
    pub(crate) server: Server,
    pub(crate) tokens_page: Option<String>,
    /// None without a home directory.
    pub(crate) file: Option<ConfigFile>,
    flag: String,
    pub(crate) variable: Option<String>,
}

impl Client {
    /// Begins a client whose config file is in the directory `directory` of the user's config directory, whose tokens
    /// are of `format`, and whose server tells a token about itself at `self_route`, the URL of the route that
    /// `counterfoil-axum` calls `self_service`.
    pub fn builder(directory: &str, format: TokenFormat, self_route: &str) -> ClientBuilder {
        ClientBuilder {
            directory: directory.to_owned(),
            format,
            self_route: self_route.to_owned(),
            file: "config.json".to_owned(),
            member: "apiKey".to_owned(),
            flag: "--token".to_owned(),
            variable: None,
            header: None,
            tokens_page: None,
            plain: PlainHttp::Loopback,
            timeout: Duration::from_secs(30),
        }
    }

    /// The token to work with: `flag`, if the program's command line has it; else the environment variable; else the
    /// config file. A variable that is set to nothing, or to white space, counts as not set. White space and a byte-order mark
    /// around a token are dropped.
    ///
    /// ```
    /// # use counterfoil::{Family as _, TokenFormat};
    /// # use counterfoil_client::{Client, Source};
    /// # let format = TokenFormat::builder("acme").build()?;
    /// # let given = format.complete("acme_EXAMPLEEXAMP").unwrap();
    /// # let client = Client::builder("acme-cli", format, "https://api.acme.example/token").flag("--api-key").build()?;
    /// let token = client.token(Some(&given))?;
    /// assert_eq!(*token.source(), Source::Flag("--api-key".into()));
    /// assert_eq!(token.public(), "acme_EXAMPLEEXAMP");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TokenError`] if no place has one, if the first that has one has something else in it, or if the config file
    /// cannot be read or must not be.
    pub fn token(&self, flag: Option<&str>) -> Result<FoundToken, TokenError> {
        let variable = self.variable.as_deref().map(|name| (name, env::var_os(name)));
        let file = || self.file.as_ref().map_or(Ok(Stored::Absent(Absent::NoHome)), ConfigFile::read);
        choose(&self.format, Places { flag: (&self.flag, flag), variable, file })
    }

    /// Where the config file is or would be; none if the user has no home directory.
    pub fn config_file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| &*file.path)
    }

    /// The environment variable, if it is set to something.
    pub(crate) fn variable_in_force(&self) -> Option<&str> {
        self.variable.as_deref().filter(|name| env::var_os(name).is_some_and(|value| is_set(&value)))
    }
}

/// Collects a [`Client`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    directory: String,
    format: TokenFormat,
    self_route: String,
    file: String,
    member: String,
    flag: String,
    variable: Option<String>,
    header: Option<String>,
    tokens_page: Option<String>,
    plain: PlainHttp,
    timeout: Duration,
}

impl ClientBuilder {
    /// The config file's name; `config.json` unless this is said.
    pub fn file(mut self, name: &str) -> Self {
        self.file = name.to_owned();
        self
    }

    /// The member of the config file that holds the token; `apiKey` unless this is said.
    pub fn member(mut self, name: &str) -> Self {
        self.member = name.to_owned();
        self
    }

    /// What the command line's option is called, for messages; `--token` unless this is said. The program reads the
    /// option itself, and hands its value to [`Client::token`].
    pub fn flag(mut self, name: &str) -> Self {
        self.flag = name.to_owned();
        self
    }

    /// The environment variable that may hold a token. None is read unless this is said.
    pub fn variable(mut self, name: &str) -> Self {
        self.variable = Some(name.to_owned());
        self
    }

    /// Presents tokens in this header, such as `X-API-Key`, and not as `Authorization: Bearer`.
    pub fn header(mut self, name: &str) -> Self {
        self.header = Some(name.to_owned());
        self
    }

    /// The page where people make and revoke their tokens.
    pub fn tokens_page(mut self, url: &str) -> Self {
        self.tokens_page = Some(url.to_owned());
        self
    }

    /// Sends tokens over `http` to other machines as well, where anyone on the way can read them: for a network that is
    /// trusted wholly.
    pub fn allow_plain_http(mut self) -> Self {
        self.plain = PlainHttp::Anywhere;
        self
    }

    /// How long a request may take altogether; 30 seconds unless this is said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// [`InvalidClient`] for a name that is no name and for a URL that no token may be sent to.
    pub fn build(self) -> Result<Client, InvalidClient> {
        for name in [&self.directory, &self.file] {
            if !is_file_name(name) {
                return Err(InvalidClient::FileName { found: name.clone() });
            }
        }
        let endpoint = Endpoint::new(&self.self_route, self.plain)
            .map_err(|reason| InvalidClient::SelfRoute { found: shown(&self.self_route), reason })?;
        if let Some(page) = &self.tokens_page {
            Endpoint::new(page, PlainHttp::Anywhere)
                .map_err(|reason| InvalidClient::TokensPage { found: shown(page), reason })?;
        }
        let carrier = match self.header {
            None => Carrier::Bearer,
            Some(name) => Carrier::Header(
                HeaderName::try_from(&*name).map_err(|_| InvalidClient::Header { found: name.clone() })?,
            ),
        };
        let path = config_directory().map(|directory| directory.join(self.directory).join(self.file));
        Ok(Client {
            format: self.format,
            server: Server { endpoint, carrier, timeout: self.timeout },
            tokens_page: self.tokens_page,
            file: path.map(|path| ConfigFile { path, member: self.member }),
            flag: self.flag,
            variable: self.variable,
        })
    }
}

/// The convention of command-line programs: `%APPDATA%` on Windows, elsewhere `$XDG_CONFIG_HOME` or `~/.config`.
fn config_directory() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir())
}

fn is_file_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|found| found == name) && !name.contains(['/', '\\', ':', '\0'])
}

/// What a program says of itself makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidClient {
    /// The directory or the file is no plain name.
    #[error("`{found}` is not the plain name of a directory or file")]
    FileName {
        /// The name.
        found: String,
    },
    /// No token may be sent to this self-service route.
    #[error("`{found}`: {reason}")]
    SelfRoute {
        /// The URL, without a user name and a password.
        found: String,
        /// Why not.
        reason: InvalidUrl,
    },
    /// The tokens page is not on the web.
    #[error("`{found}`: {reason}")]
    TokensPage {
        /// The URL, without a user name and a password.
        found: String,
        /// Why not.
        reason: InvalidUrl,
    },
    /// The header has a name that no header has.
    #[error("`{found}` is not a header's name")]
    Header {
        /// The name.
        found: String,
    },
}

/// A URL as it may be shown: without the user name and password that may be in it.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{scheme}://…{}", &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> String {
        let format = TokenFormat::builder("acme").build().unwrap();
        let builder = Client::builder("acme-cli", format, "https://api.acme.example/token");
        change(builder).build().map_or_else(|error| error.to_string(), |_| "built".to_owned())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(built(|builder| builder), "built");
        for name in ["", ".", "..", "a/b", "/etc", "a\\b", "c:", "config.json/", "./config.json"] {
            let expected = format!("`{name}` is not the plain name of a directory or file");
            assert_eq!(built(|builder| builder.file(name)), expected);
        }
        assert_eq!(built(|builder| builder.header("X API Key")), "`X API Key` is not a header's name");
        assert_eq!(built(|builder| builder.header("X-API-Key").tokens_page("http://wiki.example/tokens")), "built");
        let page = built(|builder| builder.tokens_page("file:///etc/passwd"));
        assert_eq!(page, "`file:///etc/passwd`: not an absolute url, such as https://api.example.com/token");
        let route = |url: &str| built(|builder| ClientBuilder { self_route: url.to_owned(), ..builder });
        assert_eq!(route("https://ada:pa@ss@x/"), "`https://…@x/`: a user name or a password is in the url");
        assert!(route("http://api.acme.example/token").contains("expected https"));
    }
}
