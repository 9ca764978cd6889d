//! The same from a web server.

use crate::support::Site;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How the server behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// Closes each second connection without an answer.
    DropsConnections,
    /// Answers 500.
    Ill,
}

/// A web server for a directory; it ends with the process. Gives its address, and how many requests came.
fn serve(root: PathBuf, mood: Mood) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/log/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let n = seen.fetch_add(1, Ordering::Relaxed);
            if mood == Mood::DropsConnections && n.is_multiple_of(2) {
                continue;
            }
            answer(&stream.unwrap(), &root, mood);
        }
    });
    (url, count)
}

fn answer(mut stream: &TcpStream, root: &Path, mood: Mood) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().trim_start_matches("/log/").to_owned();
    lines.take_while(|l| !l.is_empty()).for_each(drop);
    let (status, body) = match std::fs::read(root.join(&path)) {
        _ if mood == Mood::Ill => ("500 Internal Server Error", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).unwrap();
}

#[test]
fn a_log_on_a_web_server_is_verified_with_each_file_fetched_once() {
    let site = Site::new();
    site.append("log", 600, 1_000);
    let (url, count) = serve(site.path("log/public"), Mood::Well);
    let ran = site.audit(&["verify", &url, "--state", "seen"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("verified: signer.example/requests has 600 entries (600 deny)\n"), "{ran:?}");
    // The checkpoint, three hash tiles and their bundles, and the one tile above.
    assert_eq!(count.load(Ordering::Relaxed), 8);
    assert_eq!(site.audit(&["show", &url, "599"]).code, 0);
}

#[test]
fn a_connection_that_breaks_is_made_once_more() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    let (url, _) = serve(site.path("log/public"), Mood::DropsConnections);
    let ran = site.audit(&["verify", &url]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_server_that_does_not_answer_or_has_no_log_is_out_of_reach() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    let (url, _) = serve(site.path("log/public"), Mood::Ill);
    let ran = site.audit(&["verify", &url]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("log/checkpoint answers 500 Internal Server Error"), "{ran:?}");
    let (url, _) = serve(site.path("log"), Mood::Well);
    let ran = site.audit(&["verify", &url]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("there is no log here"), "{ran:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = site.audit(&["verify", &format!("http://{nobody}")]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains(&format!("cannot fetch http://{nobody}/checkpoint")), "{ran:?}");
}
