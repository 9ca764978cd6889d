//! A real browser, by way of chromedriver.

use crate::http::http;
use crate::run::tool;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// A browser with one window; it is closed when dropped.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    _home: TempDir,
}

impl Browser {
    /// Starts it. `None` when there is none and `CHANCERY_SKIP` says `chromium`.
    #[must_use]
    pub fn start(dark: bool) -> Option<Self> {
        if crate::skipped("chromium") {
            return None;
        }
        let home = TempDir::new().unwrap();
        let mut command = tool("chromedriver")?;
        let mut driver = command.arg("--port=0").env("HOME", home.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(driver.stdout.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(out.read_line(&mut line).unwrap(), 0, "chromedriver ended");
            if let Some((_, port)) = line.rsplit_once("successfully on port ") {
                break format!("127.0.0.1:{}", port.trim().trim_end_matches('.'));
            }
        };
        std::thread::spawn(move || drop(out.read_to_end(&mut Vec::new())));
        let mut arguments = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1200,900",
            "--hide-scrollbars",
        ];
        if dark {
            arguments.push("--force-dark-mode");
        }
        let options = json!({ "args": arguments });
        let asked = json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } });
        let mut browser = Self { driver, address, session: String::new(), _home: home };
        let made = browser.ask("POST", "/session", &asked);
        browser.session = made["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {made}")).to_owned();
        Some(browser)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let answer = http(method, &self.address, path, &body);
        serde_json::from_str::<Value>(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.body))["value"].take()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let value = self.ask("POST", &format!("/session/{}/{path}", self.session), body);
        assert!(value.get("error").is_none(), "{path}: {value}");
        value
    }

    /// Opens an address.
    pub fn open(&self, url: &str) {
        let _ = self.post("url", &json!({ "url": url }));
    }

    /// Runs a script and returns what it returns.
    #[must_use]
    pub fn script(&self, script: &str, arguments: &[&str]) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Waits, in the browser, until an expression is true.
    ///
    /// # Panics
    /// When it is not within 20 seconds.
    pub fn wait_for(&self, expression: &str) {
        let script = format!(
            "const done = arguments[0]; let left = 400; const look = () => {{ let seen = false; try {{ seen = {expression}; }} catch (e) {{}} \
             if (seen || --left < 0) done(seen); else setTimeout(look, 50); }}; look();"
        );
        let seen = self.post("execute/async", &json!({ "script": script, "args": [] }));
        assert_eq!(seen, json!(true), "{expression} did not come true: {}", self.text());
    }

    /// The text that a reader sees.
    #[must_use]
    pub fn text(&self) -> String {
        self.script("return document.body.innerText", &[]).as_str().unwrap_or_default().to_owned()
    }

    /// Writes a picture of the window, in PNG.
    pub fn screenshot(&self, path: &Path) {
        let value = self.ask("GET", &format!("/session/{}/screenshot", self.session), &Value::Null);
        use base64::Engine as _;
        std::fs::write(path, base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.ask("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
