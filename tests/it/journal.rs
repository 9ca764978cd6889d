//! What both processes say of one request, as a collector of logs reads it.

use crate::wire::{block_on, content_header, digest_header, refusal, sign};
use chancery_proto::v1::SignBatchRequest;
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_tests::{KeyHost, PASSPHRASE, Setup};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn lines(host: &KeyHost) -> Vec<Value> {
    let parsed = |line: &String| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    host.all_said().iter().map(parsed).collect()
}

/// What is said of a request, as `(part of the program, message, entry)`.
fn of<'a>(lines: &'a [Value], id: &str) -> Vec<(&'a str, &'a str, Option<u64>)> {
    let its = lines.iter().filter(|line| line["request_id"] == id);
    its.map(|line| (line["target"].as_str().unwrap(), line["message"].as_str().unwrap(), line["entry"].as_u64())).collect()
}

#[test]
fn lines_of_one_request_have_its_id_and_entry_in_both_processes() {
    let host = Setup::new()
        .key("tarballs", "sshsig")
        .grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .config("log = \"info\"", "log = \"debug\"")
        .config("log_format = \"text\"", "log_format = \"json\"")
        .start();
    let publisher = host.publisher("web1");
    let (good, bad, batched) =
        (digest_header("tarballs", "prod", 1), digest_header("tarballs", "other", 2), digest_header("tarballs", "prod", 3));
    let ids = [&good, &bad, &batched].map(|header| hex(&header.request_id));
    let entries = block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let signed = sign(channel.clone(), good, vec![]).await.unwrap();
        let refused = refusal(&sign(channel.clone(), bad, vec![]).await.unwrap_err());
        let batch = tokio_stream::iter([SignBatchRequest { number: 1, header: Some(batched), content: Default::default() }]);
        let mut replies = SigningServiceClient::new(channel).sign_batch(batch).await.unwrap().into_inner();
        let Some(Outcome::Signed(third)) = replies.message().await.unwrap().unwrap().outcome else { panic!("not signed") };
        [signed.entry_index, refused.entry_index.unwrap(), third.entry_index]
    });
    let _ = host.wait_said(0, &ids[2]);
    for (n, message) in ["signed", "not signed", "signed"].into_iter().enumerate() {
        let all = lines(&host);
        let its = of(&all, &ids[n]);
        for process in ["chanceryd::", "chancery_keeper::"] {
            let found = its.iter().find(|(target, said, _)| target.starts_with(process) && *said == message);
            let (_, _, entry) = found.unwrap_or_else(|| panic!("{process} says nothing of {message}: {its:?}"));
            assert_eq!(*entry, Some(entries[n]), "{process}: {its:?}");
        }
    }
    for line in lines(&host) {
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn neither_content_nor_passphrase_is_said_however_much_is() {
    let host = Setup::new()
        .key("tools", "raw-ed25519")
        .grant("web1", "tools", &["raw-ed25519"], "prod", "")
        .config("log = \"info\"", "log = \"trace\"")
        .start();
    let publisher = host.publisher("web1");
    let content = b"the wind in the willows".repeat(100);
    let header = content_header("tools", "raw-ed25519", "prod", &content);
    let id = hex(&header.request_id);
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        sign(channel, header, vec![content.clone()]).await.unwrap();
    });
    let _ = host.wait_said(0, &id);
    let said = host.all_said().join("\n");
    assert!(said.contains(" TRACE "), "{said}");
    let as_numbers = format!("{:?}", &content[..8]);
    for secret in ["willows", &hex(&content[..8]), as_numbers.trim_matches(['[', ']']), PASSPHRASE] {
        assert!(!said.contains(secret), "{secret} is said");
    }
}

#[test]
fn what_strangers_repeat_is_counted_and_told_once_and_their_handshakes_give_way() {
    const STRANGERS: usize = 50;
    let mut host = Setup::new().key("tarballs", "sshsig").start();
    for _ in 0..STRANGERS {
        let mut stranger = TcpStream::connect(host.address()).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        // Until the host closes: then it was counted.
        let _ = stranger.read_to_end(&mut Vec::new());
    }
    let tasks = fs::read_dir(format!("/proc/{}/task", host.gateway_pid())).unwrap();
    let stats: Vec<String> = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("stat")).unwrap()).collect();
    // proc(5): the priority is the 19th field, the 17th behind the name.
    let nice = |stat: &String| stat.rsplit(") ").next().unwrap().split(' ').nth(16).unwrap().to_owned();
    let (door, others): (Vec<_>, Vec<_>) = stats.iter().partition(|stat| stat.contains("(handshakes)"));
    assert_eq!(door.iter().map(|stat| nice(stat)).collect::<Vec<_>>(), ["10"], "{stats:?}");
    assert!(others.len() > 1 && others.iter().all(|stat| nice(stat) == "0"), "{stats:?}");
    KeyHost::signal(host.gateway_pid(), Signal::TERM);
    let _ = host.wait_said(0, "more=");
    let said = host.all_said();
    assert_eq!(host.wait(), Some(0));
    let told: Vec<&String> = said.iter().filter(|line| line.contains("handshake")).collect();
    assert!(matches!(told[..], [first, rest] if first.contains("a handshake failed") && rest.contains("more=49")), "{told:?}");
}
