//! seccomp: which system calls may be made. A list of what is allowed; everything else, known or yet to come, is refused with `EPERM`.
//!
//! The list holds what glibc, the standard library, rustix and tokio use on x86-64 and arm64 for what the plan allows.

mod list;

use crate::Plan;
use list::{Call, Check};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter_all_threads,
};
use std::collections::BTreeMap;
use std::env::consts::ARCH;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts the process; gives what the kernel says when it refuses.
pub(crate) fn restrict(plan: &Plan) -> Result<(), String> {
    let [allowed, threads] = programs(plan).map_err(|e| e.to_string())?;
    let refused = |e: seccompiler::Error| format!("the kernel refuses a filter of system calls ({e})");
    // The second filter first: the first one allows no further filter.
    apply_filter_all_threads(&threads).and_then(|()| apply_filter_all_threads(&allowed)).map_err(refused)
}

fn programs(plan: &Plan) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let mut rules = Rules::new();
    for call in list::calls(plan) {
        add(&mut rules, call)?;
    }
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let allowed = SeccompFilter::new(rules, refuse, SeccompAction::Allow, ARCH.try_into()?)?.try_into()?;
    // The flags of clone3 lie in memory, where no filter sees them. To a kernel without it, glibc says the same with clone.
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let clone3 = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let threads = SeccompFilter::new(clone3, SeccompAction::Allow, unknown, ARCH.try_into()?)?.try_into()?;
    Ok([allowed, threads])
}

fn add(rules: &mut Rules, call: Call) -> Result<(), seccompiler::BackendError> {
    let of_call = rules.entry(call.number).or_default();
    if !call.checks.is_empty() {
        of_call.push(SeccompRule::new(call.checks.into_iter().map(condition).collect::<Result<_, _>>()?)?);
    }
    Ok(())
}

fn condition(Check { argument, mask, value }: Check) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value)
}
