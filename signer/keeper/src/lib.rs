//! The rooms of the keeper: what is asked for goes from one to the next, and only what went through all of them is signed.

pub mod content;
