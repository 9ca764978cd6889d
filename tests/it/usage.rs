//! Programs as people use them: in pipes, with slips.

use chancery_tests::{Setup, program, run};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

#[test]
fn completions_into_a_pipe_that_nobody_reads_any_more_end_without_a_trace_of_the_program() {
    for name in ["chancery", "chanceryd", "chancery-audit"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Command::new(program(name)).args(["completions", "bash"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{name}: {said}");
        assert!(!said.contains("panicked") && said.contains("Broken pipe"), "{name}: {said}");
    }
}

#[test]
fn a_search_that_could_find_nothing_whatever_the_log_holds_says_so() {
    let mut host = Setup::new().key("tarballs", "sshsig").start();
    assert_eq!(host.stop(), Some(0), "all is published");
    let vkey = host.vkey();
    let search = |arguments: &[&str]| {
        let mut command = Command::new(program("chancery-audit"));
        run(command.arg("search").arg(host.public()).args(["--vkey", &vkey]).args(arguments))
    };
    for option in ["--subject", "--principal", "--ref"] {
        let _ = search(&[option, "x"]).failed(2, "--details");
    }
    let _ = search(&["--digest", "0123abcd"]).failed(2, "is not a whole digest");
    assert_eq!(search(&["--digest", &"0".repeat(64)]).ok().stdout.lines().last().map(|l| l.starts_with("0 of ")), Some(true));
    let _ = search(&["--kind", "signed"]).failed(2, "this one has");
    for kind in ["start", "deny"] {
        let _ = search(&["--kind", kind]).ok();
    }
}

#[test]
fn a_backup_that_is_not_made_leaves_no_shares() {
    let host = Setup::new().key("tarballs", "sshsig").start();
    let taken = host.temp().join("taken.age");
    std::fs::write(&taken, "another backup").unwrap();
    for (to, says) in [(taken.clone(), "exists already"), (host.temp().join("missing").join("b.age"), "cannot create")] {
        let shares = host.temp().join("shares");
        let mut backup = Command::new(program("chanceryd"));
        let _ = run(backup
            .args(["backup", "--split", "2", "--of", "3", "--shares"])
            .arg(&shares)
            .arg("--to")
            .arg(to)
            .arg("--dir")
            .arg(host.dir()))
        .failed(1, says);
        assert!(!shares.exists());
    }
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "another backup");
}

#[test]
fn whatever_the_umask_of_who_makes_a_key_host_the_user_of_its_gateway_can_read_what_it_serves_with() {
    let host = Setup::new().make();
    let dir = host.temp().join("strict");
    let mut init = Command::new("sh");
    let _ = init.args(["-c", "umask 077; exec \"$0\" init \"$1\" --name localhost --passphrase-file \"$2\""]).arg(program("chanceryd"));
    let _ = run(init.arg(&dir).arg(host.passphrase_file())).ok();
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    for public in ["pki/ca.crt", "pki/server.crt", "pki/clients.crl"] {
        assert_eq!(mode(public), 0o644, "{public}");
    }
    for private in ["pki/server.key", "ca/ca.key"] {
        assert_eq!(mode(private), 0o600, "{private}");
    }
}
