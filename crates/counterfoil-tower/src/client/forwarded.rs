//! The `Forwarded` header (RFC 7239).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the elements of one line from the last to the first, without empty ones. A comma in a
/// quoted string does not separate.
///
/// Reading from the end matters: a client may send a string that does not end, and a proxy that
/// appends its element does not look at it. From the start, the proxy's element would be part of
/// that string.
pub(super) fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        loop {
            let line = rest?;
            let element = match last_separator(line) {
                Some(at) => {
                    rest = Some(&line[..at]);
                    &line[at + 1..]
                }
                None => rest.take()?,
            };
            if !element.trim_ascii().is_empty() {
                return Some(element.trim_ascii());
            }
        }
    })
}

/// The last comma outside a quoted string, as seen from the end.
fn last_separator(line: &[u8]) -> Option<usize> {
    let mut is_quoted = false;
    for (at, byte) in line.iter().enumerate().rev() {
        match byte {
            b',' if !is_quoted => return Some(at),
            // Within a string, one behind an odd number of backslashes is a character of it.
            b'"' if !is_quoted => is_quoted = true,
            b'"' => {
                let backslashes = line[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                is_quoted = backslashes % 2 == 1;
            }
            _ => {}
        }
    }
    None
}

/// Returns the address in the parameter `for` of an element. None if there is no such parameter or
/// more than one, or if it is no address.
pub(super) fn address_of(element: &[u8]) -> Option<IpAddr> {
    let mut node = None;
    let mut rest = std::str::from_utf8(element).ok()?;
    while !rest.is_empty() {
        let pair;
        (pair, rest) = split_pair(rest)?;
        if let Some((name, value)) = pair.trim_ascii().split_once('=')
            && name.eq_ignore_ascii_case("for")
            && node.replace(value).is_some()
        {
            return None;
        }
    }
    read_node(&unquoted(node?)?)
}

/// Splits at the first semicolon outside a quoted string. None if a string does not end.
fn split_pair(text: &str) -> Option<(&str, &str)> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b';' if !is_quoted => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    (!is_quoted).then_some((text, ""))
}

/// The value without quotes and the backslashes of quoted pairs (RFC 9110, section 5.6.4).
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let mut text = String::new();
    let mut characters = rest.strip_suffix('"')?.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
    Some(text)
}

/// Reads a node (RFC 7239, section 6) that names an address. IPv6 must be in brackets: without
/// them, a port would make it another address.
fn read_node(node: &str) -> Option<IpAddr> {
    let (address, port): (IpAddr, _) = match node.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let end = node.find(':').unwrap_or(node.len());
            (node[..end].parse::<Ipv4Addr>().ok()?.into(), &node[end..])
        }
    };
    let is_port = |port: &str| match port.strip_prefix('_') {
        Some(name) => {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => matches!(port.len(), 1..=5) && port.bytes().all(|byte| byte.is_ascii_digit()),
    };
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(address)
}
