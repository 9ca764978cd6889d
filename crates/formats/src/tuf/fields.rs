//! Takes values of known types out of objects.

use super::canonical::{Kind, Value, error};
use super::error::Fault;
use crate::content::ContentError;
use std::borrow::Cow;

/// The members of an object.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// An object whose members are taken out by name.
pub(super) struct Fields<'a> {
    members: Members<'a>,
    offset: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: Value<'a>, name: &'static str) -> Result<Self, ContentError> {
        let offset = value.offset;
        Ok(Self { members: value.into_object(name)?, offset })
    }

    pub(super) fn optional(&mut self, name: &str) -> Option<Value<'a>> {
        let index = self.members.binary_search_by(|(member, _)| member.as_ref().cmp(name)).ok()?;
        Some(self.members.remove(index).1)
    }

    pub(super) fn required(&mut self, name: &'static str) -> Result<Value<'a>, ContentError> {
        let missing = error(Fault::Field { name }, self.offset);
        self.optional(name).ok_or(missing)
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Cow<'a, str>, ContentError> {
        self.required(name)?.into_text(name)
    }

    pub(super) fn positive(&mut self, name: &'static str) -> Result<u64, ContentError> {
        self.required(name)?.at_least(1, name)
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Members<'a>, ContentError> {
        self.required(name)?.into_object(name)
    }
}

impl<'a> Value<'a> {
    pub(super) fn into_object(self, name: &'static str) -> Result<Members<'a>, ContentError> {
        match self.kind {
            Kind::Object(members) => Ok(members),
            _ => Err(error(Fault::Field { name }, self.offset)),
        }
    }

    pub(super) fn into_array(self, name: &'static str) -> Result<Vec<Self>, ContentError> {
        match self.kind {
            Kind::Array(items) => Ok(items),
            _ => Err(error(Fault::Field { name }, self.offset)),
        }
    }

    pub(super) fn into_text(self, name: &'static str) -> Result<Cow<'a, str>, ContentError> {
        match self.kind {
            Kind::Text(text) => Ok(text),
            _ => Err(error(Fault::Field { name }, self.offset)),
        }
    }

    pub(super) fn into_bool(self, name: &'static str) -> Result<bool, ContentError> {
        match self.kind {
            Kind::Bool(value) => Ok(value),
            _ => Err(error(Fault::Field { name }, self.offset)),
        }
    }

    pub(super) fn at_least(&self, minimum: i64, name: &'static str) -> Result<u64, ContentError> {
        match self.kind {
            Kind::Integer(number) => {
                let number = u64::try_from(number).ok().filter(|_| number >= minimum);
                number.ok_or_else(|| error(Fault::Range, self.offset))
            }
            _ => Err(error(Fault::Field { name }, self.offset)),
        }
    }
}
