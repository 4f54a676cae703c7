//! Where a token may be used: from which networks, and for which audience.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

use crate::text::bounded_text;

bounded_text! {
    /// The resource server a token is meant for; compared byte by byte.
    Audience, "audience", 255 characters
}

/// Conditions of use beside scopes. No condition is no restriction; every one that is set must hold.
///
/// ```
/// use counterfoil::{Audience, Restrictions};
///
/// let mut only = Restrictions::none();
/// only.add_network("192.0.2.0/24".parse()?)?;
/// assert!(only.admit_client(Some("192.0.2.7".parse()?)));
/// assert!(only.admit_client(Some("::ffff:192.0.2.7".parse()?))); // the same address
/// assert!(!only.admit_client(Some("198.51.100.7".parse()?)));
/// assert!(!only.admit_client(None)); // unknown is outside
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restrictions {
    networks: Vec<Network>,
    audience: Option<Audience>,
    unknown: Vec<String>,
}

impl Restrictions {
    /// The greatest number of networks.
    pub const MAX_NETWORKS: usize = 64;

    /// No restriction.
    pub const fn none() -> Self {
        Self { networks: Vec::new(), audience: None, unknown: Vec::new() }
    }

    /// Adds a network to those that the token may be used from.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`] if there are [`MAX_NETWORKS`](Self::MAX_NETWORKS) already.
    pub fn add_network(&mut self, network: Network) -> Result<(), InvalidNetwork> {
        if self.networks.len() >= Self::MAX_NETWORKS {
            return Err(InvalidNetwork::TooMany);
        }
        if !self.networks.contains(&network) {
            self.networks.push(network);
        }
        Ok(())
    }

    /// Sets the audience that the token is for.
    pub fn set_audience(&mut self, audience: Audience) {
        self.audience = Some(audience);
    }

    /// The networks; none means any.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// The audience; none means any.
    pub fn audience(&self) -> Option<&Audience> {
        self.audience.as_ref()
    }

    /// Names of restrictions in a stored row that this build does not know: written by a newer one, and enough to
    /// refuse the token here.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Whether a client at `address` may use the token. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    #[inline]
    pub fn admit_client(&self, address: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || address.is_some_and(|address| self.networks.iter().any(|network| network.contains(address)))
    }

    /// Whether a resource server that calls itself `audience` may take the token.
    #[inline]
    pub fn admit_audience(&self, audience: Option<&Audience>) -> bool {
        self.audience.is_none() || self.audience.as_ref() == audience
    }

    pub(crate) fn add_unknown(&mut self, name: String) {
        self.unknown.push(name);
    }
}

/// A range of addresses, written as CIDR with no host bits set, or as one address.
///
/// ```
/// use counterfoil::Network;
///
/// assert_eq!("192.0.2.7".parse::<Network>()?.to_string(), "192.0.2.7/32");
/// assert!("192.0.2.7/24".parse::<Network>().is_err()); // meant 192.0.2.0/24, or one address?
/// # Ok::<(), counterfoil::restriction::InvalidNetwork>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
pub struct Network(IpNet);

impl Network {
    /// Whether `address` lies within, an IPv4 address mapped into IPv6 counting as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text.parse::<IpNet>().map_err(|_| InvalidNetwork::Malformed)?,
        };
        // An IPv4 number with a leading zero is octal to some readers.
        if matches!(network, IpNet::V4(_)) && text != network.to_string() && text != network.addr().to_string() {
            return Err(InvalidNetwork::Malformed);
        }
        if network.trunc() != network {
            return Err(InvalidNetwork::HostBits { expected: network.trunc().to_string() });
        }
        if matches!(network, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some()) {
            return Err(InvalidNetwork::Mapped);
        }
        Ok(Self(network))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({self})")
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse()
    }
}

/// A text that is no network, or one network too many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNetwork {
    /// Neither an address nor CIDR.
    #[error("not a network: expected an ip address or cidr, such as 192.0.2.0/24")]
    Malformed,
    /// Bits are set behind the prefix.
    #[error("network has host bits set, expected {expected}")]
    HostBits {
        /// The network without them.
        expected: String,
    },
    /// A range of IPv4 addresses mapped into IPv6.
    #[error("network of ipv4 addresses mapped into ipv6, expected it as ipv4")]
    Mapped,
    /// More than [`Restrictions::MAX_NETWORKS`].
    #[error("too many networks, expected at most {}", Restrictions::MAX_NETWORKS)]
    TooMany,
}
