//! The page's own examples, run as they stand but for the host and the two placeholders.

use std::{path::Path, process::Command};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    World, mcp,
    rig::{START, Send as _},
    world,
};

const CONFIGURATION: &str = r#"{
  "mcpServers": {
    "arpia": {
      "url": "https://cloud.arpia.ai/mcp/?token=YOUR_COLLECTION_TOKEN",
      "headers": {
        "Authorization": "Bearer YOUR_APT_TOKEN"
      }
    }
  }
}"#;

const CURL: &str = r#"curl -X GET "https://cloud.arpia.ai/mcp/?token=YOUR_COLLECTION_TOKEN" \
-H "Authorization: Bearer YOUR_APT_TOKEN""#;

const PYTHON: &str = r#"import requests
headers = {
    "Authorization": "Bearer YOUR_APT_TOKEN",
    "Content-Type": "application/json"
}
response = requests.get(
    "https://cloud.arpia.ai/mcp/?token=YOUR_COLLECTION_TOKEN",
    headers=headers
)
print(response.json())
"#;

/// What the example needs of `requests`, where that is not installed.
const REQUESTS: &str = r"
import json, urllib.request
class Response:
    def __init__(self, body): self.body = body
    def json(self): return json.loads(self.body)
def get(url, headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return Response(answer.read())
";

fn filled(example: &str, world: &World, apt: &str) -> String {
    let example = example.replace("https://cloud.arpia.ai", &world.rig.url);
    example.replace("YOUR_COLLECTION_TOKEN", &world.sales).replace("YOUR_APT_TOKEN", apt)
}

fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        let demanded = std::env::var_os("COUNTERFOIL_REQUIRE_TOOLS").is_some();
        assert!(!demanded, "{program} is not installed here");
        eprintln!("NOT RUN: {program} is not installed here, so the page's example was not tried");
    }
    found
}

/// What a script prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn shell(script: &str, directory: &Path) -> String {
    printed(Command::new("sh").args(["-c", script]).current_dir(directory))
}

#[tokio::test]
async fn the_configuration_for_claude_code_and_cursor_works() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let configuration: Value = serde_json::from_str(&filled(CONFIGURATION, &world, &apt)).unwrap();
    let server = &configuration["mcpServers"]["arpia"];
    let path = server["url"].as_str().unwrap().strip_prefix(&world.rig.url).unwrap();
    let send = async |message: Value, status: u16| {
        let mut request = world.rig.ask(Method::POST, path).json(&message);
        for (name, value) in server["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request.expect(status).await
    };
    let parameters = json!({ "protocolVersion": "2025-06-18", "capabilities": {} });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": parameters });
    let reply = send(initialize, 200).await.json();
    assert_eq!((&reply["id"], &reply["result"]["protocolVersion"]), (&json!(1), &json!("2025-06-18")), "{reply}");
    send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }), 202).await;
    let listed = send(json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }), 200).await.json();
    assert_eq!(listed["result"]["tools"][0]["name"], "sales", "{listed}");
    let unknown = send(json!({ "jsonrpc": "2.0", "id": 3, "method": "nothing" }), 200).await.json();
    assert_eq!(unknown["error"]["code"], -32601);
    // The same door for a client's messages: what is refused to GET is refused to POST.
    world.rig.post(&mcp(&world.sales), &json!({})).bearer_auth("nonsense").expect(401).await;
    world.rig.post(&mcp(&world.board), &json!({})).bearer_auth(&apt).expect(403).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_curl_example_works() {
    if !is_here("curl") {
        return;
    }
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let body: Value = serde_json::from_str(&shell(&filled(CURL, &world, &apt), Path::new("."))).unwrap();
    assert_eq!(body, json!({ "collection": { "name": "sales" } }));
    let refused: Value = serde_json::from_str(&shell(&filled(CURL, &world, "nonsense"), Path::new("."))).unwrap();
    assert_eq!(refused["error"], "invalid_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_example_works() {
    if !is_here("python3") {
        return;
    }
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let directory = tempfile::tempdir().unwrap();
    let has_requests = Command::new("python3").args(["-c", "import requests"]).output().unwrap().status.success();
    if !has_requests {
        std::fs::write(directory.path().join("requests.py"), REQUESTS).unwrap();
    }
    let script = directory.path().join("example.py");
    std::fs::write(&script, filled(PYTHON, &world, &apt)).unwrap();
    assert_eq!(printed(Command::new("python3").arg(&script)).trim(), "{'collection': {'name': 'sales'}}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_from_an_environment_variable_or_an_env_file() {
    if !is_here("curl") {
        return;
    }
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let directory = tempfile::tempdir().unwrap();
    let curl = filled(CURL, &world, "$ARPIA_TOKEN");
    let given = Command::new("sh").args(["-c", &curl]).env("ARPIA_TOKEN", &apt).output().unwrap();
    assert!(String::from_utf8_lossy(&given.stdout).contains("sales"));
    std::fs::write(directory.path().join(".env"), format!("ARPIA_TOKEN={apt}\n")).unwrap();
    assert!(shell(&format!(". ./.env\n{curl}"), directory.path()).contains("sales"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_a_git_repository_is_found_by_its_pattern() {
    if !is_here("git") {
        return;
    }
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("leaked.json"), filled(CONFIGURATION, &world, &apt)).unwrap();
    std::fs::write(directory.path().join("placeholder.json"), CONFIGURATION).unwrap();
    let pattern = systems::arpia::format().unwrap().scanner_pattern();
    let found =
        printed(Command::new("git").args(["grep", "--no-index", "-lP", &pattern]).current_dir(directory.path()));
    assert_eq!(found.trim(), "leaked.json", "{pattern}");
}

#[tokio::test]
async fn every_answer_is_json() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:sales"] })).await;
    let rig = &world.rig;
    for request in [
        rig.get(&mcp(&world.sales)).bearer_auth(&apt),
        rig.get(&mcp(&world.sales)),
        rig.get(&mcp(&world.support)).bearer_auth(&apt),
        rig.get(&mcp("unknown")),
        rig.get("/mcp/"),
        rig.get("/mcp/?token=%FF").bearer_auth(&apt),
        rig.get(&format!("{}&token=2", mcp(&world.sales))),
        rig.get(&mcp(&world.sales)).header("authorization", "Bearer"),
        rig.get(&mcp(&world.sales)).bearer_auth("nonsense"),
        rig.delete(&mcp(&world.sales)).bearer_auth(&apt),
        rig.ask(Method::POST, &mcp(&world.sales)).body("no JSON").bearer_auth(&apt),
        rig.get("/nowhere"),
        rig.get("/llm/chat").bearer_auth(&apt),
        rig.get("/api/pipelines"),
        rig.get("/api/pipelines").session(&world.session),
        rig.get(crate::TOKENS).session(&world.session),
        rig.post(crate::TOKENS, &json!({ "expires_at": START })).session(&world.session),
    ] {
        let reply = request.reply().await;
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind == "application/json" || kind == "application/problem+json", "{} {kind}", reply.status);
        assert!(reply.json().is_object(), "{}", reply.text);
    }
}
