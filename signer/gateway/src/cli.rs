//! The command line.

use crate::admin::{self, AdminError, NewHost, Request, Role};
use crate::keeper::{self, KeeperError};
use crate::serve::{KeeperAt, ServeError, serve};
use clap::{Args, Parser, Subcommand};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

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
    /// Serve: start the keeper and answer clients.
    #[command(
        after_help = "Example:\n  chanceryd serve --dir /etc/chancery --passphrase-file /root/chancery.pass\n\nPrints `chanceryd ready on ADDRESS` once requests are taken. SIGTERM drains."
    )]
    Serve(Serve),
    /// Make and list keys (a command of chancery-keeper).
    #[command(disable_help_flag = true)]
    Key(Handed),
    /// Check policies (a command of chancery-keeper).
    #[command(disable_help_flag = true)]
    Policy(Handed),
    /// Check, export, disclose and redact the request log, and show its key (a command of chancery-keeper).
    #[command(disable_help_flag = true)]
    Log(Handed),
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
    /// Use the keeper that its own service runs behind this socket, instead of starting one.
    #[arg(long, value_name = "SOCKET", conflicts_with_all = ["passphrase_file", "passphrase_fd", "keeper"])]
    keeper_socket: Option<PathBuf>,
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

/// Where the keeper takes the passphrase from. The gateway only hands this on; it never reads the passphrase.
#[derive(Debug, Clone, Args)]
pub struct Unlock {
    /// Read the passphrase from a file that nobody else can read; without this the terminal is asked.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase from an open file descriptor.
    #[arg(long, value_name = "N")]
    passphrase_fd: Option<u32>,
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
    /// Handing over.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// No runtime.
    #[error("the process cannot be set up")]
    Runtime(#[source] std::io::Error),
    /// Output.
    #[error("the result could not be printed")]
    Output(#[source] std::io::Error),
}

impl CliError {
    /// 1 for what failed, 2 for what has to be configured otherwise, 4 for a log that misbehaves.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let code = match self {
            Self::Admin(AdminError::Config(_) | AdminError::Name { .. } | AdminError::Exists { .. })
            | Self::Serve(ServeError::Config(_) | ServeError::Tls(_)) => return 2,
            Self::Serve(ServeError::NotReady { status, .. } | ServeError::KeeperEnded(status)) => status.code(),
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
        self.passphrase_file.is_none() && self.passphrase_fd.is_none()
    }

    /// The same options, for the keeper.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let file = self.passphrase_file.iter().flat_map(|f| [OsString::from("--passphrase-file"), f.into()]);
        let fd = self.passphrase_fd.iter().flat_map(|n| [OsString::from("--passphrase-fd"), n.to_string().into()]);
        file.chain(fd).collect()
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
                say(&format!(
                    "enrolled {}\nprofile: {}\nnext: name this principal in a grant of policy.toml, and take the profile to the client\n",
                    made.principal,
                    made.profile.display()
                ))
            }
            Command::Serve(options) => {
                let keeper = options.keeper_socket.as_deref().map_or(KeeperAt::Program(&program), KeeperAt::Socket);
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
                Ok(runtime.block_on(serve(&self.dir, keeper, &options.unlock))?)
            }
            Command::Key(handed) => Err(hand_over(&program, "key", &self.dir, self.json, handed).into()),
            Command::Policy(handed) => Err(hand_over(&program, "policy", &self.dir, self.json, handed).into()),
            Command::Log(handed) => Err(hand_over(&program, "log", &self.dir, self.json, handed).into()),
        }
    }
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
