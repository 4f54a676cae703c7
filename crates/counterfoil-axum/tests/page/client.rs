//! Requests as a browser sends them, byte by byte, and pages taken apart.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::host::{DEADLINE, Host};

pub(crate) const PAGE: &str = "/settings/tokens";

/// A request of a person's, ann's unless it is said.
#[derive(Clone)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    fields: Vec<(String, String)>,
}

pub(crate) fn get(path: impl Into<String>) -> Ask {
    Ask { method: "GET", path: path.into(), headers: Vec::new(), fields: Vec::new() }.by("ann")
}

/// A form that is sent with these fields.
pub(crate) fn post(path: impl Into<String>, fields: &[(&str, &str)]) -> Ask {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ask { method: "POST", fields, ..get(path) }
}

impl Ask {
    pub(crate) fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub(crate) fn by(self, name: &str) -> Self {
        self.cookie(&format!("session={name}.the-secret-of-a-session"))
    }

    pub(crate) fn cookie(mut self, cookie: &str) -> Self {
        self.headers.retain(|(name, _)| name != "Cookie");
        self.header("Cookie", cookie)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(found, _)| found != name);
        self
    }

    pub(crate) fn send(&self, host: &Host) -> Reply {
        let body = encoded(&self.fields);
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.method == "POST" {
            if !self.headers.iter().any(|(name, _)| name == "Content-Type") {
                head += "Content-Type: application/x-www-form-urlencoded\r\n";
            }
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut stream = TcpStream::connect(host.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, text) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), text: text.to_owned() }
    }
}

fn encoded(fields: &[(String, String)]) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join("&")
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Reply {
    /// The value of a header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert!(values.next().is_none(), "`{name}` stands in the reply more than once");
        value
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    /// The value of a field, as it stands in the page.
    pub(crate) fn value(&self, name: &str) -> String {
        let (_, rest) =
            self.text.split_once(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("no `{name}`: {self:?}"));
        let tag = &rest[..rest.find('>').unwrap()];
        let (_, value) = tag.split_once(" value=\"").unwrap_or_else(|| panic!("no value of `{name}`: {tag}"));
        value[..value.find('"').unwrap()].to_owned()
    }

    /// The text of the element with this id.
    pub(crate) fn of_id(&self, id: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("id=\"{id}\""))?;
        let (_, rest) = rest.split_once('>')?;
        Some(rest.split('<').next().unwrap_or_default().trim())
    }

    /// The text of the one heading.
    pub(crate) fn heading(&self) -> &str {
        let mut found = self.text.split("<h1>").skip(1);
        let text = found.next().unwrap_or_else(|| panic!("no heading: {}", self.text));
        assert!(found.next().is_none(), "more than one heading: {}", self.text);
        text.split("</h1>").next().unwrap().trim_start_matches("<bdi>").trim_end_matches("</bdi>")
    }

    /// The plaintext that the page shows, if it does.
    pub(crate) fn token(&self) -> Option<&str> {
        self.of_id("token").filter(|text| text.starts_with("acme_"))
    }

    /// The names in the list, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let cells = self.text.split("data-label=\"Name\"").skip(1);
        cells.map(|cell| cell.split("<bdi>").nth(1).unwrap().split("</bdi>").next().unwrap()).collect()
    }
}

/// The form for a new token as ann is shown it, filled in with a name and these fields.
pub(crate) fn create(host: &Host, fields: &[(&str, &str)]) -> Ask {
    let form = get(format!("{PAGE}/new")).send(host).value("form");
    post(format!("{PAGE}/new"), &[&[("form", form.as_str())], fields].concat())
}

/// The form for a change as ann is shown it.
pub(crate) fn change(host: &Host, id: impl std::fmt::Display, change: &str, fields: &[(&str, &str)]) -> Ask {
    let path = format!("{PAGE}/{id}/{change}");
    let shown = get(&path).send(host);
    let (form, version) = (shown.value("form"), shown.value("version"));
    post(path, &[&[("form", form.as_str()), ("version", version.as_str())], fields].concat())
}
