//! A strict reader, and a small writer, of the GVariant serialisation.
//!
//! The reader accepts *normal form* only: the one way in which GLib itself would have written a value. GLib reads other bytes too, by
//! giving default values to what it cannot make sense of; a signer that did so would sign content that it has not understood.
//! Verdicts are those of GLib's `g_variant_is_normal_form`, except that four things are refused in addition: a tuple whose framing
//! offsets are wider than needed (GLib 2.74 forgets to look), nesting deeper than [`MAX_DEPTH`], a type string longer than
//! [`MAX_TYPE`], and values that cost more than eight steps per byte to read.
//!
//! Nothing is copied: a [`Value`] is a type, a slice and the slice's place in the document.

mod check;
mod error;
mod frame;
mod types;
mod value;
mod write;

pub use error::{Error, Fault};
pub use types::{MAX_DEPTH, MAX_TYPE, Type};
pub use value::{Items, Members, Value};
pub use write::{array, dict_entry, variant};

#[cfg(test)]
mod tests;
