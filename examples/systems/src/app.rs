//! Pages of an app that lead on to others: the way to the settings.

use axum::response::Html;

/// A page with this title, and what its links say and where they lead. Constants alone: nothing is escaped.
pub fn page(title: &'static str, links: &[(&'static str, &'static str)]) -> Html<String> {
    let link = |(text, href): &(&str, &str)| format!("<li><a href=\"{href}\">{text}</a></li>\n");
    let links: String = links.iter().map(link).collect();
    Html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<h1>{title}</h1>\n<ul>\n{links}</ul>\n</html>\n"
    ))
}
