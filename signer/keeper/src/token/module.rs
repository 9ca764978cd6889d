//! The vendor's library. Only the process of a token comes here, from within its cell.

use super::message::{Fault, FaultKind, ID_MAX, OBJECTS_MAX, Object};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;
use std::collections::HashMap;
use std::path::Path;

/// Ed25519 in `CKA_EC_PARAMS`: as an object identifier (RFC 8410), or as the name that PKCS#11 3.0 has for it.
const CURVES: [&[u8]; 2] = [&[0x06, 0x03, 0x2b, 0x65, 0x70], b"\x13\x0cedwards25519"];
/// What stands before a public key that is an `OCTET STRING`.
const OCTET_STRING_32: [u8; 2] = [0x04, 0x20];

/// A library that is loaded, and the token in it.
pub(super) struct Module {
    pkcs11: Pkcs11,
    slot: Slot,
}

/// A session of a user who is logged in.
pub(super) struct LoggedIn {
    session: Session,
    /// Handles of private keys that signed.
    found: HashMap<Vec<u8>, ObjectHandle>,
}

impl Module {
    /// Loads a library and looks for the token of this label.
    pub(super) fn load(path: &Path, label: &str) -> Result<Self, Fault> {
        let pkcs11 = Pkcs11::new(path).map_err(|e| Fault::new(FaultKind::Module, e))?;
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(|e| Fault::new(FaultKind::Module, e))?;
        let slots = pkcs11.get_slots_with_initialized_token().map_err(other)?;
        let labelled = |slot: &Slot| pkcs11.get_token_info(*slot).is_ok_and(|info| info.label() == label);
        let mut slots = slots.into_iter().filter(labelled);
        match (slots.next(), slots.next()) {
            (Some(slot), None) => Ok(Self { pkcs11, slot }),
            (None, _) => Err(Fault::new(FaultKind::NoToken, "")),
            (Some(_), Some(_)) => Err(Fault::new(FaultKind::NoToken, "there are several")),
        }
    }

    pub(super) fn login(&self, pin: &[u8], to_write: bool) -> Result<LoggedIn, Fault> {
        let opened = if to_write { self.pkcs11.open_rw_session(self.slot) } else { self.pkcs11.open_ro_session(self.slot) };
        let session = opened.map_err(other)?;
        session.login_with_raw(UserType::User, &RawAuthPin::new(Box::new(pin.to_vec()))).map_err(|error| {
            // What the specification says of these is long, and nothing that would help.
            let kind = match error {
                Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => FaultKind::WrongPin,
                Error::Pkcs11(RvError::PinLocked, _) => FaultKind::PinLocked,
                _ => FaultKind::Other,
            };
            if kind == FaultKind::Other { other(error) } else { Fault::new(kind, "") }
        })?;
        Ok(LoggedIn { session, found: HashMap::new() })
    }
}

impl LoggedIn {
    /// All Ed25519 keys.
    pub(super) fn objects(&self) -> Result<Vec<Object>, Fault> {
        let found = self.session.find_objects(&private(&[])).map_err(other)?;
        let all = found.into_iter().take(OBJECTS_MAX).map(|handle| self.object(handle)).collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    /// `None` for an Edwards key that is not Ed25519, or has no id.
    fn object(&self, handle: ObjectHandle) -> Result<Option<Object>, Fault> {
        let wanted = [AttributeType::Id, AttributeType::Label, AttributeType::Sensitive, AttributeType::Extractable];
        let attributes = self.session.get_attributes(handle, &wanted).map_err(other)?;
        let (mut id, mut label, mut sensitive, mut extractable) = (Vec::new(), String::new(), false, true);
        for attribute in attributes {
            match attribute {
                Attribute::Id(bytes) => id = bytes,
                Attribute::Label(bytes) => label = Fault::new(FaultKind::Other, String::from_utf8_lossy(&bytes)).text,
                Attribute::Sensitive(yes) => sensitive = yes,
                Attribute::Extractable(yes) => extractable = yes,
                _ => {}
            }
        }
        if id.is_empty() || id.len() > ID_MAX {
            return Ok(None);
        }
        let public_key = self.public_key(&id)?;
        Ok(Some(Object { id, label, public_key, stays_inside: sensitive && !extractable }))
    }

    /// The point of the one public key of this id.
    fn public_key(&self, id: &[u8]) -> Result<Option<[u8; 32]>, Fault> {
        let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(KeyType::EC_EDWARDS), Attribute::Id(id.to_vec())];
        let found = self.session.find_objects(&template).map_err(other)?;
        let [handle] = found.as_slice() else { return Ok(None) };
        let attributes = self.session.get_attributes(*handle, &[AttributeType::EcParams, AttributeType::EcPoint]).map_err(other)?;
        let of_curve = attributes.iter().any(|a| matches!(a, Attribute::EcParams(curve) if CURVES.contains(&curve.as_slice())));
        let point = attributes.iter().find_map(|a| if let Attribute::EcPoint(point) = a { Some(point.as_slice()) } else { None });
        let point = point.map(|point| point.strip_prefix(&OCTET_STRING_32).filter(|rest| rest.len() == 32).unwrap_or(point));
        Ok(point.filter(|_| of_curve).and_then(|point| point.try_into().ok()))
    }

    /// Makes a pair that never leaves the token.
    pub(super) fn generate(&self, label: &str, id: &[u8]) -> Result<Object, Fault> {
        if !self.session.find_objects(&[Attribute::Id(id.to_vec())]).map_err(other)?.is_empty() {
            return Err(Fault::new(FaultKind::Other, "the id is taken"));
        }
        let common = || [Attribute::Token(true), Attribute::Label(label.as_bytes().to_vec()), Attribute::Id(id.to_vec())];
        let secret = [Attribute::Private(true), Attribute::Sensitive(true), Attribute::Extractable(false), Attribute::Sign(true)];
        let private = [&common()[..], &secret].concat();
        let mut last = Fault::new(FaultKind::Other, "");
        for curve in CURVES {
            let open = [Attribute::Private(false), Attribute::Verify(true), Attribute::EcParams(curve.to_vec())];
            let public = [&common()[..], &open].concat();
            match self.session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private) {
                Ok((_, handle)) => {
                    let made = self.object(handle)?.ok_or_else(|| Fault::new(FaultKind::NoObject, ""))?;
                    return if made.stays_inside { Ok(made) } else { Err(Fault::new(FaultKind::NotKept, "")) };
                }
                Err(error) => last = other(error),
            }
        }
        Err(last)
    }

    /// Signs with Ed25519 as RFC 8032 section 5.1 has it, without parameters: some tokens ignore those that ask for another scheme.
    pub(super) fn sign(&mut self, id: &[u8], bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let handle = match self.found.get(id) {
            Some(handle) => *handle,
            None => {
                let found = self.session.find_objects(&private(&[Attribute::Id(id.to_vec())])).map_err(other)?;
                let [handle] = found.as_slice() else { return Err(Fault::new(FaultKind::NoObject, "")) };
                self.found.insert(id.to_vec(), *handle);
                *handle
            }
        };
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        self.session.sign(&mechanism, handle, bytes).map_err(other)
    }

    /// Whether the token is still there and the user logged in.
    pub(super) fn ping(&self) -> Result<(), Fault> {
        use cryptoki::session::SessionState as S;
        let info = self.session.get_session_info().map_err(other)?;
        match info.session_state() {
            S::RoUser | S::RwUser => Ok(()),
            _ => Err(Fault::new(FaultKind::Other, "nobody is logged in any more")),
        }
    }
}

/// What private Ed25519 keys have in common, and more.
fn private(more: &[Attribute]) -> Vec<Attribute> {
    [&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(KeyType::EC_EDWARDS)], more].concat()
}

fn other(error: Error) -> Fault {
    Fault::new(FaultKind::Other, error)
}
