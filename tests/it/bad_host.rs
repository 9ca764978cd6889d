//! A key host that cannot or must not go on: wrong passphrase, mistakes in its files, a log that cannot be written.
