//! What stands between us and the key host, said so that somebody can mend it.

use rustls::{AlertDescription, CertificateError};
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Why an endpoint gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The key host wants a certificate and got none.
    NoCertificate,
    /// Our certificate has expired, or is not valid yet by the clock of the key host.
    CertificateExpired,
    /// Our certificate was not made by the authority that the key host trusts, was revoked, or is malformed.
    CertificateRefused,
    /// The certificate of the server was not made by the authority in the profile.
    ForeignServer,
    /// The certificate of the server has expired, or is not valid yet by our clock.
    ServerExpired,
    /// The certificate of the server is for another name.
    OtherServerName,
    /// What answers there does not speak TLS 1.3 with HTTP/2.
    NotOurProtocol,
    /// No such host.
    UnknownHost,
    /// Nothing listens there.
    ConnectionRefused,
    /// The connection was closed before anything was said.
    HungUp,
    /// No answer in time.
    Timeout,
    /// The connection broke, or something else.
    Other(String),
}

impl Trouble {
    /// Reads the fault out of an error and its causes.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut last = error;
        let mut cause = Some(error);
        while let Some(e) = cause {
            if let Some(found) = known(e) {
                return found;
            }
            last = e;
            cause = e.source();
        }
        Self::Other(crate::text::printable(&last.to_string()))
    }

    /// Whether the same endpoint will give the same answer until somebody mends something.
    #[must_use]
    pub const fn lasts(&self) -> bool {
        matches!(
            self,
            Self::NoCertificate
                | Self::CertificateExpired
                | Self::CertificateRefused
                | Self::ForeignServer
                | Self::ServerExpired
                | Self::OtherServerName
        )
    }

    const fn of_tls(error: &rustls::Error) -> Option<Self> {
        use AlertDescription as Alert;
        Some(match error {
            rustls::Error::AlertReceived(alert) => match alert {
                Alert::CertificateRequired | Alert::NoCertificate => Self::NoCertificate,
                Alert::CertificateExpired => Self::CertificateExpired,
                Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::DecryptError => Self::CertificateRefused,
                Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::NoApplicationProtocol => Self::NotOurProtocol,
                _ => return None,
            },
            rustls::Error::InvalidCertificate(fault) => match fault {
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::ServerExpired,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::OtherServerName,
                _ => Self::ForeignServer,
            },
            rustls::Error::InvalidMessage(_) | rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol => {
                Self::NotOurProtocol
            }
            _ => return None,
        })
    }
}

fn known(error: &(dyn StdError + 'static)) -> Option<Trouble> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Trouble::of_tls(tls);
    }
    if error.is::<tonic::TimeoutExpired>() {
        return Some(Trouble::Timeout);
    }
    let io = error.downcast_ref::<io::Error>()?;
    // An I/O error that wraps another error hides it from its list of causes.
    let wrapped = io.get_ref().and_then(|inner| known(inner));
    wrapped.or_else(|| match io.kind() {
        io::ErrorKind::ConnectionRefused => Some(Trouble::ConnectionRefused),
        io::ErrorKind::UnexpectedEof => Some(Trouble::HungUp),
        io::ErrorKind::TimedOut => Some(Trouble::Timeout),
        _ => io.to_string().starts_with("failed to lookup address").then_some(Trouble::UnknownHost),
    })
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "it wants a client certificate and got none; check certificate and key_file in the profile",
            Self::CertificateExpired => "our certificate has expired; enroll again with `chancery enroll-request` and `chanceryd enroll`",
            Self::CertificateRefused => {
                "it does not accept our certificate; this is the profile of another key host, or the certificate was revoked: enroll again"
            }
            Self::ForeignServer => {
                "its certificate was not made by the authority that the profile trusts; either this is another server, or the profile is of another key host"
            }
            Self::ServerExpired => "its certificate is not valid at this time; check the clock here, and renew the certificate on the key host",
            Self::OtherServerName => "its certificate is for another name; check endpoints and server_name in the profile",
            Self::NotOurProtocol => "what answers there is no key host (no TLS 1.3 with HTTP/2); check host and port of the endpoint in the profile",
            Self::UnknownHost => "no such host; check the endpoint in the profile and the name service",
            Self::ConnectionRefused => "nothing listens there; check that chanceryd serves, and the endpoint in the profile",
            Self::HungUp => {
                "it hung up without a word; if it is a relay, no key host is parked there: check that chanceryd serves with --dial, and the log of `chancery relay`"
            }
            Self::Timeout => "no answer in time; check network and firewall on the way",
            Self::Other(fault) => return write!(f, "{fault}; try again, and look into the log of chanceryd if it stays"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_below_errors_that_hide_it() {
        let tls = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
        let hidden = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert_eq!(Trouble::of(&hidden), Trouble::CertificateExpired);
        assert_eq!(Trouble::of(&io::Error::from(io::ErrorKind::ConnectionRefused)), Trouble::ConnectionRefused);
        assert_eq!(Trouble::of(&io::Error::other("no \u{7} idea")), Trouble::Other("no \u{fffd} idea".to_owned()));
    }

    #[test]
    fn faults_of_certificates_last_and_those_of_the_network_pass() {
        assert!(Trouble::CertificateExpired.lasts() && Trouble::ForeignServer.lasts());
        assert!(!Trouble::Timeout.lasts() && !Trouble::ConnectionRefused.lasts());
    }
}
