//! A real browser: headless Chromium, driven as its user would.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::http::Method;
use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::host::{DEADLINE, Host};

/// How the browser is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) has_script: bool,
    pub(crate) scheme: &'static str,
    /// In CSS pixels.
    pub(crate) width: u32,
    /// Pixels of the screen for one of CSS.
    pub(crate) scale: u32,
}

impl Setting {
    pub(crate) const PLAIN: Self = Self { has_script: true, scheme: "light", width: 1200, scale: 1 };
}

/// A browser in which ann is signed in. What it cannot do, it panics at: with the page as it stands.
pub(crate) struct Browser<'a> {
    host: &'a Host,
    /// Where paths begin.
    base: String,
    client: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

/// A command of Chromium's own: what WebDriver has no word for.
#[derive(Debug)]
struct Chromium {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Chromium {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap(), self.path))
    }
    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// The driver and the port that it listens on; none where there is no driver.
fn driver() -> Option<(Child, u16)> {
    let mut command = Command::new("chromedriver");
    let mut driver = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.find_map(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok());
    // What it writes later is read, or it would stop at a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Some((driver, port.expect("chromedriver ended before it listened")))
}

impl<'a> Browser<'a> {
    /// None, and said aloud, where the machine has no Chromium; unless it must have one.
    pub(crate) fn start(host: &'a Host, setting: Setting) -> Option<Self> {
        Self::behind(host, setting, &format!("http://{}", host.address), None)
    }

    /// A browser that reaches the host of `base` at another address: at that of a proxy, if there is one.
    pub(crate) fn behind(host: &'a Host, setting: Setting, base: &str, proxy: Option<SocketAddr>) -> Option<Self> {
        let Some((driver, port)) = driver() else {
            let text = "NOT TESTED in a browser: there is no chromedriver. `apt-get install chromium chromium-driver`";
            assert!(std::env::var_os("COUNTERFOIL_REQUIRE_TOOLS").is_none(), "{text}");
            eprintln!("{text}");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--no-sandbox", // Chromium does not run in one as root, as which tests run in a container
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            "--lang=en-US",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        if let Some(proxy) = proxy {
            arguments.push(format!("--host-resolver-rules=MAP *.example {proxy}"));
        }
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let client = host.runtime.block_on(
            ClientBuilder::new(HttpConnector::new())
                .capabilities(serde_json::from_value(capabilities).unwrap())
                .connect(&format!("http://127.0.0.1:{port}")),
        );
        let browser = Self { host, base: base.to_owned(), client: client.unwrap(), driver, _profile: profile };
        let (width, scale) = (setting.width, setting.scale);
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": scale, "mobile": width < 500 });
        browser.devtools("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = json!([{ "name": "prefers-color-scheme", "value": setting.scheme }]);
        browser.devtools("Emulation.setEmulatedMedia", json!({ "features": scheme }));
        browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !setting.has_script }));
        browser.go("/sign-in/ann");
        Some(browser)
    }

    fn wait<T>(&self, done: impl Future<Output = Result<T, fantoccini::error::CmdError>>) -> T {
        self.host.runtime.block_on(done).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.wait(self.client.issue_cmd(Chromium { path: "goog/cdp/execute", body }))
    }

    pub(crate) fn go(&self, path: &str) {
        self.wait(self.client.goto(&format!("{}{path}", self.base)));
    }

    /// Signs in in another tab, and comes back to this one.
    pub(crate) fn sign_in_elsewhere(&self) {
        let here = self.wait(self.client.window());
        let tab = self.wait(self.client.new_window(true));
        self.wait(self.client.switch_to_window(tab.handle));
        self.go("/sign-in/ann");
        self.wait(self.client.close_window());
        self.wait(self.client.switch_to_window(here));
    }

    pub(crate) fn back(&self) {
        self.wait(self.client.back());
    }

    /// Runs a script of the test's, also in a page that runs none of its own.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.wait(self.client.execute(script, Vec::new()))
    }

    /// What can be read on the page.
    pub(crate) fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn sees(&self, text: &str) {
        let page = self.text();
        assert!(page.contains(text), "`{text}` is not on the page:\n{page}");
    }

    #[track_caller]
    fn find(&self, path: &str) -> Element {
        let mut found = self.wait(self.client.find_all(Locator::XPath(path)));
        assert_eq!(found.len(), 1, "{path}, in:\n{}", self.text());
        found.remove(0)
    }

    /// The control that a label with this text belongs to.
    #[track_caller]
    pub(crate) fn labelled(&self, label: &str) -> Element {
        self.find(&format!("//*[@id = //label[normalize-space() = '{label}']/@for]"))
    }

    #[track_caller]
    pub(crate) fn fill(&self, label: &str, text: &str) {
        let field = self.labelled(label);
        self.wait(field.clear());
        self.wait(field.send_keys(text));
    }

    #[track_caller]
    pub(crate) fn choose(&self, label: &str, option: &str) {
        let field = self.labelled(label);
        self.wait(field.select_by_label(option));
    }

    #[track_caller]
    pub(crate) fn tick(&self, label: &str) {
        self.wait(self.labelled(label).click());
    }

    #[track_caller]
    pub(crate) fn value(&self, label: &str) -> String {
        self.wait(self.labelled(label).prop("value")).unwrap()
    }

    /// Presses the link or the button with this text, in the row of the list that names `of` if it is not empty.
    #[track_caller]
    pub(crate) fn press(&self, text: &str, of: &str) {
        let name = format!("{text} {of}");
        let place = if of.is_empty() { "//main//" } else { "//tr//" };
        let path = format!("{place}*[self::a or self::button][normalize-space() = '{}']", name.trim());
        let element = self.find_first(&path);
        let leaves = self.wait(element.attr("type")).as_deref() != Some("button");
        self.left_by(leaves, || self.wait(element.click()));
    }

    /// Types Enter into what has the focus, which leads to another page.
    pub(crate) fn enter(&self) {
        self.left_by(true, || self.keys("\u{e007}"));
    }

    /// Does what leaves the page, and waits for the one that comes then.
    fn left_by(&self, leaves: bool, act: impl FnOnce()) {
        self.run("window.isLeft = false");
        act();
        if leaves {
            self.until("window.isLeft === undefined && document.readyState == 'complete'");
        }
    }

    /// A link may stand above and below a form.
    #[track_caller]
    fn find_first(&self, path: &str) -> Element {
        let found = self.wait(self.client.find_all(Locator::XPath(path)));
        found.into_iter().next().unwrap_or_else(|| panic!("{path}, in:\n{}", self.text()))
    }

    /// Types into whatever has the focus.
    pub(crate) fn keys(&self, keys: &str) {
        let element = self.wait(self.client.active_element());
        self.wait(element.send_keys(keys));
    }

    /// What has the focus: its role and name, as a screen reader is told them.
    pub(crate) fn focused(&self) -> String {
        let nodes = self.accessible();
        let has_focus = |node: &&Node| node.is_focused && node.role != "RootWebArea";
        nodes.iter().find(has_focus).map(|node| format!("{} {}", node.role, node.name)).unwrap_or_default()
    }

    /// All that a screen reader is told of.
    pub(crate) fn accessible(&self) -> Vec<Node> {
        let tree = self.devtools("Accessibility.getFullAXTree", json!({}));
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        let node = |node: &Value| {
            let properties = node["properties"].as_array();
            let property = |name: &str| {
                let property = properties?.iter().find(|property| property["name"] == name)?;
                Some(property["value"]["value"].clone())
            };
            Node {
                role: text(&node["role"]),
                name: text(&node["name"]),
                is_focused: property("focused") == Some(json!(true)),
                is_invalid: property("invalid") == Some(json!("true")),
                description: text(&node["description"]),
            }
        };
        let nodes = tree["nodes"].as_array().unwrap().iter();
        nodes.filter(|node| node["ignored"] == json!(false)).map(node).collect()
    }

    /// What the browser has complained of: of scripts and of the content security policy.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let body = json!({ "type": "browser" });
        let entries = self.wait(self.client.issue_cmd(Chromium { path: "se/log", body }));
        let is_complaint = |entry: &&Value| entry["source"] != "network";
        entries.as_array().unwrap().iter().filter(is_complaint).map(ToString::to_string).collect()
    }

    /// The whole page as it is seen, as a PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let height = self.run("return Math.ceil(document.querySelector('main').getBoundingClientRect().bottom)");
        let width = self.run("return document.documentElement.clientWidth");
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let taken = self.devtools("Page.captureScreenshot", json!({ "clip": clip, "captureBeyondViewport": true }));
        STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// Waits for what a script in the page is about to do.
    #[track_caller]
    pub(crate) fn until(&self, condition: &str) {
        let until = Instant::now() + DEADLINE;
        while self.run(&format!("return Boolean({condition})")) != json!(true) {
            assert!(Instant::now() < until, "{condition}: never, in:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        // The session first, or its browser would stay.
        let _ = self.host.runtime.block_on(self.client.clone().close());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// What a screen reader is told of one thing.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) is_focused: bool,
    pub(crate) is_invalid: bool,
}
