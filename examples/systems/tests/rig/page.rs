//! What a person does at a page, request by request, and what stands on it.

use std::collections::BTreeMap;

use reqwest::{Method, Url};
use systems::host::Service;

use super::{Reply, Rig, Send as _};

impl<S: Service> Rig<S> {
    /// A page as this session is shown it.
    pub(crate) async fn page(&self, session: &str, path: &str) -> Reply {
        self.get(path).session(session).expect(200).await
    }

    /// Opens the form of a page, fills these fields in and sends it; of a redirection, the page that it leads to.
    pub(crate) async fn submit(&self, session: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form = self.page(session, path).await;
        let hidden = ["form", "version"].map(|name| (name, form.hidden(name)));
        let hidden = hidden.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        self.send_form(session, path, &hidden.chain(fields.iter().copied()).collect::<Vec<_>>()).await
    }

    /// Sends a form of these fields.
    pub(crate) async fn send_form(&self, session: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = Url::parse_with_params("form:", fields).unwrap().query().unwrap().to_owned();
        let request = self.ask(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        request.body(body).session(session).reply().await
    }

    /// Follows the link with this text from one page to the next.
    pub(crate) async fn follow(&self, session: &str, page: &Reply, text: &str) -> Reply {
        let href = page.link(text).unwrap_or_else(|| panic!("no link `{text}`: {}", page.text));
        self.page(session, &href).await
    }
}

impl Reply {
    /// All that a person can read on it.
    pub(crate) fn visible(&self) -> String {
        visible(&self.text)
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.visible().contains(text)
    }

    /// The content of each element of this name: its attributes, and what stands in it.
    fn elements(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let (open, close) = (format!("<{name}"), format!("</{name}>"));
        let found: Vec<_> = self.text.split(&open).skip(1).filter(|rest| rest.starts_with(['>', ' '])).collect();
        found.into_iter().map(move |rest| rest.split(&close).next().unwrap().split_once('>').unwrap())
    }

    /// The texts of the elements of this name, in order.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.elements(name).map(|(_, inner)| visible(inner)).collect()
    }

    /// The one heading.
    pub(crate) fn heading(&self) -> String {
        let [heading] = self.texts("h1").try_into().unwrap();
        heading
    }

    /// Where the link with this text leads.
    pub(crate) fn link(&self, text: &str) -> Option<String> {
        let mut links = self.elements("a");
        links.find(|(_, inner)| visible(inner) == text).map(|(tag, _)| attribute(tag, "href").unwrap())
    }

    /// The one token, key or other secret that the page shows.
    pub(crate) fn shown(&self) -> Option<String> {
        self.elements("textarea").find(|(tag, _)| tag.contains("id=\"token\"")).map(|(_, inner)| visible(inner))
    }

    /// The boxes and buttons that stand chosen, by their values.
    pub(crate) fn checked(&self) -> Vec<String> {
        let boxes = self.text.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap());
        let chosen = boxes.filter(|tag| tag.split(' ').any(|attribute| attribute == "checked"));
        chosen.map(|tag| attribute(tag, "value").unwrap()).collect()
    }

    /// The headings of the table's columns.
    pub(crate) fn headings(&self) -> Vec<String> {
        self.elements("th").filter(|(tag, _)| tag.contains("scope=\"col\"")).map(|(_, inner)| visible(inner)).collect()
    }

    /// The rows of the table: each cell under its heading.
    pub(crate) fn rows(&self) -> Vec<BTreeMap<String, String>> {
        let (_, body) = self.text.split_once("<tbody").unwrap_or_default();
        let cell = |cell: &str| Some((attribute(cell, "data-label")?, visible(cell.split_once('>')?.1)));
        // The cell that names the row is a heading of its own.
        let cells = |row: &str| row.replace("<th", "<td").split("<td").skip(1).filter_map(cell).collect();
        body.split("<tr").skip(1).map(cells).collect()
    }

    /// The value of a field that the person does not see.
    pub(crate) fn hidden(&self, name: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("type=\"hidden\" name=\"{name}\""))?;
        attribute(rest, "value")
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split('>').next()?.split_once(&format!("{name}=\""))?;
    rest.split('"').next().map(unescaped)
}

/// Text without its tags, and with one space where there are any.
fn visible(html: &str) -> String {
    let text: String = html.split('<').enumerate().map(|(at, part)| after_tag(at, part)).collect();
    unescaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn after_tag(at: usize, part: &str) -> &str {
    if at == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) }
}

fn unescaped(text: &str) -> String {
    let pairs = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}
