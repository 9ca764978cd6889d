//! A permit comes from the policy and from nowhere else.
use chancery_keeper::content::Checked;
use chancery_keeper::policy::Permit;

fn forge(checked: Checked) -> Permit {
    Permit { checked, grant: 0, key_version: 1, key_id: [0; 32], policy_digest: [0; 32] }
}

fn main() {}
