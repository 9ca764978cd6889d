use super::*;

const GOOD: &str = r#"[gateway]
listen = "127.0.0.1:7443"
endpoints = ["https://signer.example.org:7443"]
trust_domain = "example.org"
server_certificate = "pki/server.crt"
server_key = "pki/server.key"
client_ca = "pki/ca.crt"

[gateway.limits]
max_content = "16 MiB"
stall_timeout = "15 s"
connections = 12

[keeper]
whatever = "the keeper checks"
"#;

fn read(text: &str) -> Result<Gateway, ConfigError> {
    parse(Path::new("/host/signer.toml"), text)
}

#[test]
fn what_is_not_said_has_a_default() {
    let limits = read(GOOD).unwrap().limits;
    assert_eq!((limits.max_content, limits.connections, limits.stall_timeout), (16 << 20, 12, Duration::from_secs(15)));
    assert_eq!(limits.drain_timeout, Limits::default().drain_timeout);
}

#[test]
fn the_file_that_init_writes_says_every_limit_and_its_default() {
    let template = include_str!("../admin/signer.toml");
    let text = template
        .replace("@LISTEN@", "127.0.0.1:7443")
        .replace("@ENDPOINT@", "https://localhost:7443")
        .replace("@TRUST_DOMAIN@", "localhost")
        .replace("@ORIGIN@", "localhost/requests");
    assert!(!text.contains('@'), "{text}");
    assert_eq!(read(&text).unwrap().limits, Limits::default());
    let table: toml::Table = text.parse().unwrap();
    let said: Vec<_> = table["gateway"]["limits"].as_table().unwrap().keys().cloned().collect();
    let refused = read(&GOOD.replacen("stall_timeout", "colour", 1)).unwrap_err().to_string();
    let (_, all) = refused.split_once("there are ").unwrap();
    assert!(all.split(", ").all(|limit| said.iter().any(|s| s == limit)), "{said:?} should be all of {all}");
}

#[test]
fn each_mistake_is_reported_with_its_line_and_what_was_meant() {
    let cases = [
        ("listen =", "lisen =", ":2:1: unknown key `lisen`; did you mean `listen`?"),
        ("stall_timeout", "stal_timeout", ":11:1: unknown key `stal_timeout`; did you mean `stall_timeout`?"),
        ("stall_timeout", "colour", ":11:1: unknown key `colour`; there are max_content, max_message, "),
        ("[keeper]", "[keper]", ":14:2: unknown key `keper`; did you mean `keeper`?"),
        ("[gateway.limits]", "[gateway.limit]", ":9:10: unknown key `limit`; did you mean `limits`?"),
        ("\"16 MiB\"", "\"16 MB\"", ":10:15: write a size as"),
        ("\"16 MiB\"", "16", ":10:15: invalid type: integer `16`, expected a string"),
        ("connections = 12", "rate_per_principal = \"60/day\"", ":12:22: write a rate as"),
        ("\"15 s\"", "\"15 sec\"", ":11:17: write a time as"),
        ("\"15 s\"", "\"0 s\"", ":11:17: must be 1 ms to 24 h"),
        ("connections = 12", "connections = 0", ":12:15: must be 1 to 1000000"),
        ("connections = 12", "max_message = \"2 MiB\"", ":12:15: must be 131072 B to"),
        ("[\"https://signer.example.org:7443\"]", "[]", ":3:13: write at least one endpoint"),
        ("https://signer", "http://signer", ":3:13: write at least one endpoint"),
        ("\"example.org\"", "\"Example.org\"", ":4:16: write a lower-case DNS name"),
        ("\"example.org\"", "\"example.org/x\"", ":4:16: write a lower-case DNS name"),
        ("\"127.0.0.1:7443\"", "\"localhost\"", ":2:10: write an address and a port"),
        ("[keeper]", "[keeper", ":14:8: "),
    ];
    for (good, bad, expected) in cases {
        let said = read(&GOOD.replacen(good, bad, 1)).unwrap_err().to_string();
        assert!(said.starts_with(&format!("/host/signer.toml{expected}")), "{bad}: {said}");
    }
}

#[test]
fn witnesses_are_asked_where_the_table_says_so() {
    let server = "[[witness.server]]\nvkey = \"w+1+k\"\nurl = \"http://127.0.0.1:1/w\"\n";
    let with = |table: &str| read(&format!("{GOOD}[witness]\n{table}{server}"));
    assert!(read(GOOD).unwrap().witness.is_none() && with("mode = \"off\"\n").unwrap().witness.is_none());
    let witness = with("mode = \"background\"\nmax_unwitnessed = 7\n").unwrap().witness.unwrap();
    let asked = WitnessServer { vkey: "w+1+k".into(), url: Some("http://127.0.0.1:1/w".into()) };
    assert_eq!((witness.interval, witness.servers), (Duration::from_secs(60), vec![asked]));
    let cases = [
        ("http://127.0.0.1:1/w", "ftp://x", ":20:7: write the URL of the witness"),
        ("http://127.0.0.1:1/w", "127.0.0.1", ":20:7: write the URL of the witness"),
        ("http://127.0.0.1:1/w", "http://a@b/", ":20:7: write the URL of the witness"),
        ("url", "uri", ":20:1: unknown key `uri`; did you mean `url`?"),
        ("background", "always", ":17:8: unknown variant `always`, expected one of `off`, `background`, `require`"),
    ];
    for (good, bad, expected) in cases {
        let text = format!("{GOOD}[witness]\nmode = \"background\"\n{server}").replacen(good, bad, 1);
        let said = read(&text).unwrap_err().to_string();
        assert!(said.starts_with(&format!("/host/signer.toml{expected}")), "{bad}: {said}");
    }
}

#[test]
fn layers_of_the_cell_that_may_be_missing_are_named() {
    let with = |list: &str| read(&format!("{GOOD}[sandbox]\naccept_missing = {list}\n"));
    assert_eq!(with("[\"landlock\"]").unwrap().sandbox, Accepted::parse(["landlock"]).unwrap());
    assert_eq!(read(GOOD).unwrap().sandbox, Accepted::default());
    let said = with("[\"landlok\"]").unwrap_err().to_string();
    assert!(said.starts_with("/host/signer.toml:17:18: there is no layer \"landlok\""), "{said}");
}

#[test]
fn traces_go_to_a_collector_on_this_machine_alone() {
    let with = |url: &str| read(&format!("{GOOD}[traces]\nendpoint = \"{url}\"\n"));
    assert_eq!(read(GOOD).unwrap().traces, None);
    for (url, address) in [("http://127.0.0.1:4317", "127.0.0.1:4317"), ("http://[::1]:4317/", "[::1]:4317")] {
        assert_eq!(with(url).unwrap().traces, Some(address.parse().unwrap()));
    }
    let others = ["127.0.0.1:4317", "http://127.0.0.1", "http://127.0.0.1:0", "http://localhost:4317", "http://192.0.2.1:4317"];
    for bad in others.into_iter().chain(["https://127.0.0.1:4317", "http://127.0.0.1:4317/v1/traces", "http://a@127.0.0.1:4317", ""]) {
        let said = with(bad).unwrap_err().to_string();
        assert!(said.starts_with("/host/signer.toml:17:12: write the address of a collector on this machine"), "{bad}: {said}");
    }
}

#[test]
fn how_much_is_said_and_in_which_form_is_checked() {
    let with = |lines: &str| read(&format!("{lines}{GOOD}"));
    assert_eq!(read(GOOD).unwrap().journal, Wanted::default());
    let wanted = with("log = \"debug\"\nlog_format = \"json\"\n").unwrap().journal;
    assert_eq!(wanted, Wanted { level: Level::parse("debug").unwrap(), format: Format::Json });
    let said = with("log = \"inof\"\n").unwrap_err().to_string();
    assert!(said.starts_with("/host/signer.toml:1:7: `inof` is no level"), "{said}");
    let said = with("log_format = \"xml\"\n").unwrap_err().to_string();
    assert!(said.starts_with("/host/signer.toml:1:14: write \"text\" or \"json\""), "{said}");
}

#[test]
fn a_table_that_is_missing_is_named() {
    let said = read("[gateway]\n").unwrap_err().to_string();
    assert!(said.contains("missing field `endpoints`"), "{said}");
    let said = read(GOOD.split("[keeper]").next().unwrap()).unwrap_err().to_string();
    assert!(said.contains("missing field `keeper`"), "{said}");
}

#[test]
fn a_key_host_listens_or_dials_or_does_not_start() {
    let silent = GOOD.replacen("listen = \"127.0.0.1:7443\"\n", "", 1);
    assert_eq!(read(GOOD).unwrap().dial_too(&[]).unwrap().dial, Vec::<String>::new());
    assert!(matches!(read(&silent).unwrap().dial_too(&[]), Err(ConfigError::Unreachable)));
    let relay = "relay.example:7443".to_owned();
    assert_eq!(read(&silent).unwrap().dial_too(&[relay.clone(), relay.clone()]).unwrap().dial, [relay]);
    let greedy = silent.replacen("[gateway]\n", "[gateway]\ndial = [\"[::1]:1\"]\ndial_pool = 64\n", 1);
    let greedy = greedy.replacen("connections = 12", "connections = 64", 1);
    assert!(matches!(read(&greedy).unwrap().dial_too(&[]), Err(ConfigError::Pool { pool: 64, relays: 1, connections: 64 })));
    for bad in ["relay", "relay:0", "relay:99999", "https://relay:1", "a@relay:1", "relay:1/", ""] {
        assert!(is_relay(bad).is_err(), "{bad}");
    }
}

#[test]
fn sizes_and_times_do_not_overflow() {
    for bad in ["18446744073709551615 GiB", "99999999999999999999 B", "-1 MiB", "1.5 MiB", "MiB", ""] {
        assert!(read(&GOOD.replacen("16 MiB", bad, 1)).is_err(), "{bad}");
    }
    assert_eq!(read(&GOOD.replacen("16 MiB", "16MiB", 1)).unwrap().limits.max_content, 16 << 20);
}
