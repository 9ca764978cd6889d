//! The command line.

use crate::admin::{self, AdminError, NewHost, Request, Revoked, Role};
use crate::answer::{AnswerError, Answered, answer};
use crate::keeper::{self, KeeperError};
use crate::serve::{KeeperAt, ServeError, serve};
use chancery_cell::CellError;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The gateway of a Chancery key host: speaks mutual TLS and gRPC, holds no key.
#[derive(Debug, Parser)]
#[command(
    name = "chanceryd",
    version,
    after_help = "Example:\n  chanceryd init /etc/chancery --name signer.example.org\n  chanceryd key new release --for ostree-summary/ed25519 --dir /etc/chancery\n  chanceryd serve --dir /etc/chancery"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The key host's directory.
    #[arg(long, global = true, env = "CHANCERY_DIR", default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// The keeper's program; without this the one beside chanceryd.
    #[arg(long, global = true, value_name = "FILE")]
    keeper: Option<PathBuf>,
    /// Print facts as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new key host: CA, server certificate, log key, signer.toml and policy.toml.
    #[command(after_help = "Example:\n  chanceryd init /etc/chancery --name signer.example.org --passphrase-file /root/chancery.pass")]
    Init(Init),
    /// Make a profile for a principal.
    #[command(
        after_help = "Example:\n  chancery enroll-request web1          # on the publisher: makes web1.key and web1.csr\n  chanceryd enroll web1 --role publisher --csr web1.csr --dir /etc/chancery"
    )]
    Enroll(Enroll),
    /// Revoke client certificates. It counts from the next start or reload (SIGHUP) on, on connections that stand too.
    #[command(
        after_help = "Example:\n  chanceryd revoke web1 --role publisher --dir /etc/chancery\n  chanceryd revoke --certificate web1.toml --dir /etc/chancery\n  systemctl reload chanceryd"
    )]
    Revoke(Revoke),
    /// Requests that came as files, for a key host without a network.
    #[command(subcommand)]
    Request(Offline),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  chanceryd completions bash > /usr/share/bash-completion/completions/chanceryd")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Serve: start the keeper and answer clients.
    #[command(
        after_help = "Example:\n  chanceryd serve --dir /etc/chancery --passphrase-file /root/chancery.pass\n  # without `listen` in signer.toml no port is open\n  chanceryd serve --dir /etc/chancery --dial relay.example.org:7443\n\nPrints `chanceryd ready on ADDRESS`, or `chanceryd ready through RELAY`, once requests are taken. SIGTERM drains."
    )]
    Serve(Serve),
    /// Print the numbers for Prometheus of the serving key host, or write them into a file whole.
    #[command(
        after_help = "Example:\n  chanceryd metrics --dir /etc/chancery\n  chanceryd metrics --to /var/lib/prometheus/node-exporter/chancery.prom --dir /etc/chancery      # for the collector of text files, by a timer"
    )]
    Metrics {
        /// The file, which is replaced whole; everybody may read it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Make and list keys (a command of chancery-keeper).
    #[command(disable_help_flag = true)]
    Key(Handed),
    /// Add, list and check tokens, in which keys can be (a command of chancery-keeper).
    #[command(disable_help_flag = true)]
    Token(Handed),
    /// Check policies (a command of chancery-keeper).
    #[command(disable_help_flag = true)]
    Policy(Handed),
    /// Check, export, disclose and redact the request log, and show its key (a command of chancery-keeper).
    #[command(disable_help_flag = true)]
    Log(Handed),
    /// Seal keys, policy, configuration and the log into one file (a command of chancery-backup).
    #[command(disable_help_flag = true)]
    Backup(Handed),
    /// Make a key host out of a backup (a command of chancery-backup).
    #[command(disable_help_flag = true)]
    Restore(Handed),
}

#[derive(Debug, Args)]
struct Init {
    /// The directory to make.
    directory: PathBuf,
    /// Host names and addresses under which clients reach the key host; the first one names it.
    #[arg(long = "name", value_name = "HOST", default_value = "localhost")]
    names: Vec<String>,
    /// Where to listen.
    #[arg(long, default_value = "0.0.0.0:7443", value_name = "ADDRESS")]
    listen: std::net::SocketAddr,
    /// Name of the request log, like a URL without scheme; it cannot be changed later.
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    #[command(flatten)]
    unlock: Unlock,
}

#[derive(Debug, Args)]
struct Serve {
    /// Dial this relay and take clients over it, besides those in signer.toml; may be given more than once.
    #[arg(long, value_name = "HOST:PORT", value_parser = crate::config::is_relay)]
    dial: Vec<String>,
    /// Use the keeper that its own service runs behind this socket, instead of starting one.
    #[arg(long, value_name = "SOCKET", conflicts_with_all = ["passphrase_file", "passphrase_fd", "keeper", "locked"])]
    keeper_socket: Option<PathBuf>,
    /// Start with locked keys and wait for `chanceryd key unlock`; until then clients are refused.
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    locked: bool,
    #[command(flatten)]
    unlock: Unlock,
}

#[derive(Debug, Args)]
struct Enroll {
    /// The principal's short name: a-z, 0-9 and -.
    name: String,
    /// What it does.
    #[arg(long)]
    role: Role,
    /// The certificate request that the client made with `chancery enroll-request`.
    #[arg(long, value_name = "FILE", conflicts_with = "generate", required_unless_present = "generate")]
    csr: Option<PathBuf>,
    /// Make the client's key here. For trials: the key has to travel.
    #[arg(long)]
    generate: bool,
    /// Where to write the profile; without this NAME.toml in the current directory.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How long the certificate is valid.
    #[arg(long, default_value_t = 365, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

#[derive(Debug, Subcommand)]
enum Offline {
    /// Decide, record and sign what a file asks for; the answer goes into another file. The key host must not be serving.
    #[command(
        after_help = "Example:\n  chancery request export summary.request -- ostree sign-summary /srv/repo --key ostree \\\n      --subject prod\n  chanceryd request answer summary.request --dir /etc/chancery\n  chancery request import summary.request summary.request.answer"
    )]
    Answer {
        /// The file that `chancery request export` wrote.
        request: PathBuf,
        /// Where to write the answer; without this REQUEST.answer.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Answer no file that is older than so many days.
        #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
        max_age: u32,
        #[command(flatten)]
        unlock: Unlock,
    },
}

#[derive(Debug, Args)]
struct Revoke {
    /// The principal's short name: all certificates that this key host made for it.
    #[arg(requires = "role", required_unless_present = "certificate")]
    name: Option<String>,
    /// What it does.
    #[arg(long)]
    role: Option<Role>,
    /// One certificate, by its PEM file or the profile that it is in.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "role"])]
    certificate: Option<PathBuf>,
}

/// Where the keeper takes the passphrase from. The gateway only hands this on; it never reads the passphrase.
#[derive(Debug, Clone, Args)]
pub struct Unlock {
    /// Read the passphrase from a file that nobody else can read; without this the terminal is asked.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase from an open file descriptor.
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
    /// It is to wait until somebody brings the passphrase.
    #[arg(skip)]
    at_the_door: bool,
}

#[derive(Debug, Args)]
struct Handed {
    /// What to hand over.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Why a command failed, and with which exit code.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// An administrative command.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Service.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Answering files.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// Handing over.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// Output.
    #[error("the result could not be printed")]
    Output(#[source] std::io::Error),
}

impl CliError {
    /// 1 for what failed, 2 for what has to be configured otherwise, 4 for a log that misbehaves.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let code = match self {
            Self::Admin(AdminError::Config(_) | AdminError::NoNumbers { .. } | AdminError::Name { .. } | AdminError::Exists { .. })
            | Self::Answer(AnswerError::Config(_) | AnswerError::Tls(_))
            | Self::Serve(ServeError::Config(_) | ServeError::Tls(_) | ServeError::Cell(CellError::Missing { .. })) => return 2,
            Self::Answer(AnswerError::NotReady { status, .. })
            | Self::Serve(ServeError::NotReady { status, .. } | ServeError::KeeperEnded(status)) => status.code(),
            Self::Admin(AdminError::Keeper(KeeperError::Failed { status, .. })) => status.code(),
            _ => return 1,
        };
        // What the keeper found out about its own configuration, or about the log, is so for us as well.
        match code {
            Some(2) => 2,
            Some(4) => 4,
            _ => 1,
        }
    }
}

impl Unlock {
    /// Whether the keeper has to ask somebody.
    #[must_use]
    pub const fn asks_the_terminal(&self) -> bool {
        self.passphrase_file.is_none() && self.passphrase_fd.is_none() && !self.at_the_door
    }

    /// The same options, for the keeper.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let file = self.passphrase_file.iter().flat_map(|f| [OsString::from("--passphrase-file"), f.into()]);
        let fd = self.passphrase_fd.iter().flat_map(|n| [OsString::from("--passphrase-fd"), n.to_string().into()]);
        file.chain(fd).chain(self.at_the_door.then(|| OsString::from("--locked"))).collect()
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn run(self) -> Result<(), CliError> {
        let program = keeper::program(self.keeper.as_deref());
        match self.command {
            Command::Init(init) => {
                let host = NewHost { names: init.names, listen: init.listen, origin: init.origin };
                let made = admin::init(&init.directory, &host, &program, &init.unlock)?;
                if self.json {
                    return say(&format!("{}\n", serde_json::to_string(&made).map_err(AdminError::Keys)?));
                }
                let dir = init.directory.display();
                say(&format!(
                    "made the key host {dir}\nprincipals: spiffe://{}/ROLE/NAME\nlog key, for auditors: {}\n\n\
                     without the passphrase no key can be used, and nobody can restore it\n\
                     next: chanceryd key new NAME --for CONSTRUCTION,… --dir {dir}\n      \
                     then write grants into {dir}/policy.toml, enroll publishers, and serve\n",
                    made.trust_domain, made.log_vkey
                ))
            }
            Command::Enroll(e) => {
                let request = e.csr.map_or(Request::Generate, Request::Csr);
                let made = admin::enroll(&self.dir, &program, &e.name, e.role, &request, e.out.as_deref(), e.days)?;
                if self.json {
                    return say(&format!("{}\n", serde_json::to_string(&made).map_err(AdminError::Keys)?));
                }
                let next = match e.role {
                    Role::Relay => "take the profile to the relay: chancery relay --profile FILE",
                    _ => "name this principal in a grant of policy.toml, and take the profile to the client",
                };
                say(&format!("enrolled {}\nprofile: {}\nnext: {next}\n", made.principal, made.profile.display()))
            }
            Command::Request(Offline::Answer { request, out, max_age, unlock }) => {
                let out = out.unwrap_or_else(|| request.with_added_extension("answer"));
                let max_age = DAY.saturating_mul(max_age);
                let made = answer(&self.dir, &program, &unlock, &request, &out, max_age)?;
                answered(self.json, &made)
            }
            Command::Completions { shell } => {
                // Straight to a pipe that was closed, it would panic.
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "chanceryd", &mut script);
                say(&String::from_utf8_lossy(&script))
            }
            Command::Revoke(r) => revoke(&self.dir, self.json, r),
            Command::Serve(Serve { dial, keeper_socket, locked, unlock }) => {
                let unlock = Unlock { at_the_door: locked, ..unlock };
                let keeper = keeper_socket.as_deref().map_or(KeeperAt::Program(&program), KeeperAt::Socket);
                Ok(serve(&self.dir, keeper, &unlock, &dial)?)
            }
            Command::Metrics { to } => match (admin::numbers(&self.dir)?, to) {
                (text, None) => say(&text),
                (text, Some(file)) => Ok(admin::write_numbers(&file, &text)?),
            },
            Command::Key(handed) => Err(hand_over(&program, "key", &self.dir, self.json, handed).into()),
            Command::Token(handed) => Err(hand_over(&program, "token", &self.dir, self.json, handed).into()),
            Command::Policy(handed) => Err(hand_over(&program, "policy", &self.dir, self.json, handed).into()),
            Command::Log(handed) => Err(hand_over(&program, "log", &self.dir, self.json, handed).into()),
            Command::Backup(handed) => Err(hand_over(&keeper::backup_program(&program), "backup", &self.dir, self.json, handed).into()),
            Command::Restore(handed) => Err(hand_over(&keeper::backup_program(&program), "restore", &self.dir, self.json, handed).into()),
        }
    }
}

fn answered(json: bool, made: &Answered) -> Result<(), CliError> {
    if json {
        return say(&format!("{}\n", serde_json::to_string(made).map_err(AdminError::Keys)?));
    }
    let refused = if made.refused.is_empty() { String::new() } else { format!(" ({})", made.refused.join(", ")) };
    say(&format!(
        "{} asked: {} signed, {} refused{refused}\nanswer: {}\nnext: chancery request import, where the request came from\n",
        made.principal,
        made.signed,
        made.refused.len(),
        made.answer.display()
    ))
}

fn revoke(dir: &std::path::Path, json: bool, r: Revoke) -> Result<(), CliError> {
    let which = match (r.certificate, r.name, r.role) {
        (None, Some(name), Some(role)) => Revoked::Principal { name, role },
        (file, ..) => Revoked::File(file.unwrap_or_default()),
    };
    let made = admin::revoke(dir, &which)?;
    if json {
        return say(&format!("{}\n", serde_json::to_string(&made).map_err(AdminError::Keys)?));
    }
    say(&format!(
        "revoked {}; {} has {}\nnext: reload chanceryd (systemctl reload chanceryd, or SIGHUP); until then it lets them in\n",
        if made.added.is_empty() { "nothing new".to_owned() } else { made.added.join(", ") },
        made.list.display(),
        made.revoked
    ))
}

/// Options that stand before the command were taken here; those after it are handed over as they are.
fn hand_over(program: &std::path::Path, command: &str, dir: &std::path::Path, json: bool, handed: Handed) -> KeeperError {
    let mut arguments = vec![OsString::from(command)];
    arguments.extend(handed.arguments);
    let names_dir = |a: &OsString| a == "--dir" || a.as_encoded_bytes().starts_with(b"--dir=");
    if !arguments.iter().any(names_dir) {
        arguments.extend([OsStr::new("--dir").to_owned(), dir.as_os_str().to_owned()]);
    }
    arguments.extend(json.then(|| OsString::from("--json")));
    keeper::become_it(program, &arguments)
}

fn say(text: &str) -> Result<(), CliError> {
    use std::io::Write as _;
    std::io::stdout().write_all(text.as_bytes()).map_err(CliError::Output)
}
