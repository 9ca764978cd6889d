//! What is in force, in words for logs, for `chancery status`, and for `signer.toml`.

use std::collections::BTreeSet;
use std::fmt;

/// A layer of the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// No program gives the process rights that it does not have.
    NoNewPrivileges,
    /// A crash writes no memory to a file.
    NoCoreDump,
    /// Other processes of the same user cannot trace it or read its memory.
    NotDumpable,
    /// A network namespace without any interface that is up.
    NetworkNamespace,
    /// Landlock: only the files and ports of the plan.
    Landlock,
    /// seccomp: only the system calls of the plan.
    Seccomp,
    /// Keys lie in memory that is never swapped out.
    LockedMemory,
    /// The same, and no other process can read them, and the kernel has not mapped them.
    SecretMemory,
}

/// A layer that is not in force, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which one.
    pub layer: Layer,
    /// What the kernel said.
    pub why: String,
}

/// What is in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    layers: Vec<(Layer, Option<i32>)>,
    missing: Vec<Missing>,
}

/// The layers that may be missing: `accept_missing` in the table `[sandbox]` of `signer.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted(BTreeSet<Layer>);

/// A name that is none of a layer that may be missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no layer {0:?} that could be missing; there are \"landlock\", \"seccomp\" and \"network-namespace\"")]
pub struct UnknownLayer(pub String);

impl Layer {
    /// Layers that depend on how the kernel was built or configured. Every other one is in force, or nothing is started.
    pub const OPTIONAL: [Self; 3] = [Self::Landlock, Self::Seccomp, Self::NetworkNamespace];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoNewPrivileges => "no-new-privileges",
            Self::NoCoreDump => "no-core-dump",
            Self::NotDumpable => "not-dumpable",
            Self::NetworkNamespace => "network-namespace",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::LockedMemory => "locked-memory",
            Self::SecretMemory => "secret-memory",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.why)
    }
}

impl Default for Accepted {
    /// A network namespace: many systems refuse one to processes without privileges, and without it seccomp still leaves no socket.
    fn default() -> Self {
        Self([Layer::NetworkNamespace].into())
    }
}

impl Accepted {
    /// Reads the names of layers.
    ///
    /// # Errors
    /// [`UnknownLayer`] with the first name that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownLayer> {
        let layer = |name: &str| Layer::OPTIONAL.into_iter().find(|l| l.name() == name).ok_or_else(|| UnknownLayer(name.to_owned()));
        Ok(Self(names.into_iter().map(layer).collect::<Result<_, _>>()?))
    }

    /// The names that [`Accepted::parse`] reads.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|layer| layer.name()).collect()
    }

    pub(crate) fn contains(&self, layer: Layer) -> bool {
        self.0.contains(&layer)
    }

    /// The list to write so that one more layer may be missing.
    pub(crate) fn line(&self, more: Layer) -> String {
        let names: Vec<&str> = self.0.iter().copied().chain([more]).map(Layer::name).collect();
        format!("{names:?}")
    }
}

impl Report {
    pub(crate) fn hardened() -> Self {
        let layers = [Layer::NoNewPrivileges, Layer::NoCoreDump, Layer::NotDumpable];
        Self { layers: layers.map(|l| (l, None)).into(), missing: Vec::new() }
    }

    /// Says that a layer is in force. [`Layer::LockedMemory`] and [`Layer::SecretMemory`] are for whoever holds the keys to say.
    pub fn add(&mut self, layer: Layer) {
        self.layers.push((layer, None));
    }

    pub(crate) fn landlock(&mut self, abi: i32) {
        self.layers.push((Layer::Landlock, Some(abi)));
    }

    pub(crate) fn lacks(&mut self, layer: Layer, why: String) {
        self.missing.push(Missing { layer, why });
    }

    /// What is in force, each with its version where it has one: `landlock 7`.
    #[must_use]
    pub fn layers(&self) -> Vec<String> {
        let name = |(layer, version): &(Layer, Option<i32>)| version.map_or_else(|| layer.to_string(), |v| format!("{layer} {v}"));
        self.layers.iter().map(name).collect()
    }

    /// What is not in force, and why.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        self.missing.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.layers().join(", "))?;
        let missing = self.missing();
        if missing.is_empty() { Ok(()) } else { write!(f, "; missing {}", missing.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_is_in_force_and_what_is_missing() {
        let mut report = Report::hardened();
        report.landlock(7);
        report.add(Layer::Seccomp);
        assert_eq!(report.to_string(), "no-new-privileges, no-core-dump, not-dumpable, landlock 7, seccomp");
        report.lacks(Layer::NetworkNamespace, "the kernel refuses it".to_owned());
        assert!(report.to_string().ends_with("seccomp; missing network-namespace: the kernel refuses it"));
    }

    #[test]
    fn only_layers_that_a_kernel_may_lack_can_be_accepted_as_missing() {
        let accepted = Accepted::parse(["landlock"]).unwrap();
        assert!(accepted.contains(Layer::Landlock) && !accepted.contains(Layer::NetworkNamespace));
        assert_eq!(accepted.line(Layer::Seccomp), "[\"landlock\", \"seccomp\"]");
        assert!(Accepted::default().contains(Layer::NetworkNamespace));
        assert_eq!(Accepted::parse(["no-core-dump"]), Err(UnknownLayer("no-core-dump".to_owned())));
    }
}
