//! A key signs nothing but what is recorded.
use chancery_keeper::key::OpenKeys;
use chancery_channel::KeyName;

fn sign_anything(keys: &OpenKeys, name: &KeyName) {
    let _ = keys.get(name, 1).unwrap().sign_bytes(b"anything");
}

fn main() {}
