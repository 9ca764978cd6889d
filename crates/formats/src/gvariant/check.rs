//! Checks a whole value.

use super::error::{Error, Fault};
use super::types::{MAX_DEPTH, is_signature};
use super::value::Value;

/// Steps that reading may take for each byte of the document. What OSTree and Flatpak write needs less than one; without a bound,
/// each byte of an array of deeply nested empty tuples costs thousands.
const STEPS_PER_BYTE: usize = 8;

/// Steps that a document of no size may take.
const STEPS_FREE: usize = 4096;

pub(super) fn normal(value: Value<'_>) -> Result<(), Error> {
    Walk::new(value, false).check(value, 0)
}

pub(super) fn normal_with_unique_keys(value: Value<'_>) -> Result<(), Error> {
    Walk::new(value, true).check(value, 0)
}

struct Walk {
    steps: usize,
    unique_keys: bool,
}

impl Walk {
    fn new(value: Value<'_>, unique_keys: bool) -> Self {
        let steps = value.data().len().saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS_FREE);
        Self { steps, unique_keys }
    }

    fn check(&mut self, value: Value<'_>, depth: usize) -> Result<(), Error> {
        let ty = value.ty();
        self.steps = self.steps.checked_sub(ty.as_str().len()).ok_or(Fault::Work.at(value.offset()))?;
        if depth > MAX_DEPTH {
            return Err(Fault::Depth.at(value.offset()));
        }
        if ty.fixed_size().is_some_and(|size| size != value.data().len()) {
            return Err(Fault::Size.at(value.offset()));
        }
        let deeper = depth.saturating_add(1);
        match ty.kind() {
            b'a' => self.array(value, deeper),
            b'(' | b'{' => value.members()?.try_for_each(|member| self.check(member?, deeper)),
            b'm' => value.just()?.map_or(Ok(()), |inner| self.check(inner, deeper)),
            b'v' => self.check(value.inner()?, deeper),
            b's' | b'o' | b'g' => string(value),
            b'b' => boolean(value),
            _ => Ok(()),
        }
    }

    fn array(&mut self, array: Value<'_>, depth: usize) -> Result<(), Error> {
        let items = array.items()?;
        let element = array.ty().element();
        if element.any_bytes() {
            return Ok(());
        }
        let mut keys = Vec::new();
        let dictionary = self.unique_keys && element.kind() == b'{';
        for item in items {
            let item = item?;
            self.check(item, depth)?;
            if dictionary && let Some(key) = item.members()?.next() {
                let key = key?;
                keys.push((key.data(), key.offset()));
            }
        }
        keys.sort_unstable();
        match keys.array_windows().find(|[(a, _), (b, _)]| a == b) {
            Some([_, (_, second)]) => Err(Fault::DuplicateKey.at(*second)),
            None => Ok(()),
        }
    }
}

fn boolean(value: Value<'_>) -> Result<(), Error> {
    match value.data() {
        [0 | 1] => Ok(()),
        _ => Err(Fault::Boolean.at(value.offset())),
    }
}

fn string(value: Value<'_>) -> Result<(), Error> {
    let at = |index: usize, fault: Fault| fault.at(value.offset().saturating_add(index));
    let Some((0, text)) = value.data().split_last() else {
        return Err(at(value.data().len().saturating_sub(1), Fault::Unterminated));
    };
    if let Some(index) = text.iter().position(|b| *b == 0) {
        return Err(at(index, Fault::InnerZero));
    }
    let text = std::str::from_utf8(text).map_err(|e| at(e.valid_up_to(), Fault::Utf8))?;
    match value.ty().kind() {
        b'o' if !is_object_path(text) => Err(at(0, Fault::ObjectPath)),
        b'g' if !is_signature(text) => Err(at(0, Fault::Signature)),
        _ => Ok(()),
    }
}

fn is_object_path(text: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    text == "/" || text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part))
}
