//! Landlock: which files may be used, and which ports.

use crate::{CellError, Connect, Network, Plan};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use std::io;
use std::path::Path;

/// Everything up to this version is asked for, and as much given as the kernel knows.
const NEWEST: ABI = ABI::V7;

/// Restricts the process. Gives the version of Landlock in force, or why there is none.
pub(crate) fn raise(plan: &Plan) -> Result<Result<i32, String>, CellError> {
    let rules = match ruleset(plan) {
        Ok(rules) => rules,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let rules = match allow_files(rules, plan)? {
        Ok(rules) => rules,
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(restrict(rules, plan))
}

fn ruleset(plan: &Plan) -> Result<RulesetCreated, RulesetError> {
    let rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::from_all(NEWEST))?;
    let mut ports = BitFlags::from(AccessNet::BindTcp);
    if plan.network != Network::Serving(Connect::Anywhere) {
        ports |= AccessNet::ConnectTcp;
    }
    // A child was started outside this fence: a signal to it would be stopped here, while seccomp lets it through to nobody else.
    let scope = if !plan.children.is_empty() { BitFlags::from(Scope::AbstractUnixSocket) } else { Scope::from_all(NEWEST) };
    rules.handle_access(ports)?.scope(scope)?.create()
}

fn allow_files(mut rules: RulesetCreated, plan: &Plan) -> Result<Result<RulesetCreated, RulesetError>, CellError> {
    let read = BitFlags::from(AccessFs::ReadFile) | AccessFs::ReadDir;
    let write = (AccessFs::from_all(NEWEST) & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev)) | read;
    let all = plan.read.iter().map(|path| (path, read, false)).chain(plan.write.iter().map(|path| (path, write, true)));
    for (path, access, must_exist) in all {
        let Some(rule) = below(path, access, must_exist).map_err(|source| CellError::Path { path: path.clone(), source })? else {
            continue;
        };
        rules = match rules.add_rule(rule) {
            Ok(rules) => rules,
            Err(error) => return Ok(Err(error)),
        };
    }
    Ok(Ok(rules))
}

/// A rule for what lies at and below a path now; what takes its place later is another.
fn below(path: &Path, access: BitFlags<AccessFs>, must_exist: bool) -> io::Result<Option<PathBeneath<PathFd>>> {
    let is_dir = match std::fs::metadata(path) {
        Ok(found) => found.is_dir(),
        Err(_) if !must_exist => return Ok(None),
        Err(error) => return Err(error),
    };
    let access = if is_dir { access } else { access & AccessFs::from_file(NEWEST) };
    let fd = PathFd::new(path).map_err(io::Error::other)?;
    Ok(Some(PathBeneath::new(fd, access)))
}

fn restrict(mut rules: RulesetCreated, plan: &Plan) -> Result<i32, String> {
    if let Network::Serving(Connect::Ports(ports)) = &plan.network {
        for port in ports {
            rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp)).map_err(|e| e.to_string())?;
        }
    }
    let status = rules.restrict_self().map_err(|e| e.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err("Landlock is built into this kernel and switched off (see lsm= on the kernel's command line)".to_owned())
        }
        (RulesetStatus::NotEnforced, _) | (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => {
            Err("this kernel has no Landlock (Linux 5.13 brings it, when it is built with it), or a filter around the program forbids it"
                .to_owned())
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok((effective_abi as i32).min(NEWEST as i32)),
    }
}
