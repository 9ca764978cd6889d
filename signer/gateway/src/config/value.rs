//! Values as people write them, with their bounds.

use crate::accept::Rate;
use chancery_channel::Principal;
use chancery_exporter::MetricsAt;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::net::SocketAddr;
use std::time::Duration;

/// A number of bytes, such as `"16 MiB"`.
pub(super) fn size<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(d: D) -> Result<u64, D::Error> {
    let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let text = String::deserialize(d)?;
    let bytes = quantity(&text, &units).ok_or_else(|| D::Error::custom("write a size as \"16 MiB\"; units are B, KiB, MiB, GiB"))?;
    if (MIN..=MAX).contains(&bytes) { Ok(bytes) } else { Err(D::Error::custom(format!("must be {MIN} B to {MAX} B"))) }
}

/// A time span, such as `"10 s"`.
pub(super) fn time<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    const MAX: u64 = 24 * 3_600_000;
    let units = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];
    let text = String::deserialize(d)?;
    let ms = quantity(&text, &units).ok_or_else(|| D::Error::custom("write a time as \"10 s\"; units are ms, s, min, h"))?;
    if (1..=MAX).contains(&ms) { Ok(Duration::from_millis(ms)) } else { Err(D::Error::custom("must be 1 ms to 24 h")) }
}

/// A number of things. None at all would mean that nothing is ever served.
pub(super) fn count<'de, D: Deserializer<'de>, const MAX: u32>(d: D) -> Result<u32, D::Error> {
    let n = u32::deserialize(d)?;
    if (1..=MAX).contains(&n) { Ok(n) } else { Err(D::Error::custom(format!("must be 1 to {MAX}"))) }
}

pub(super) fn endpoints<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    let urls = Vec::<String>::deserialize(d)?;
    let is_good = |url: &String| url.parse::<tonic::transport::Uri>().is_ok_and(|u| u.scheme_str() == Some("https") && u.port().is_some());
    if !urls.is_empty() && urls.iter().all(is_good) {
        Ok(urls)
    } else {
        Err(D::Error::custom("write at least one endpoint, each as \"https://HOST:PORT\""))
    }
}

/// A number of requests in a time, such as `"600/min"`; `None` for `"unlimited"`.
pub(super) fn rate<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Rate>, D::Error> {
    const MAX: u32 = 1_000_000_000;
    let text = String::deserialize(d)?;
    if text == "unlimited" {
        return Ok(None);
    }
    let advice = || D::Error::custom("write a rate as \"600/min\", or \"unlimited\"; times are s, min, h");
    let (count, unit) = text.split_once('/').ok_or_else(advice)?;
    let per = [("s", 1), ("min", 60), ("h", 3600)].iter().find(|(name, _)| *name == unit).ok_or_else(advice)?.1;
    let count = count.parse().ok().filter(|n| (1..=MAX).contains(n)).ok_or_else(advice)?;
    Ok(Some(Rate { count, per: Duration::from_secs(per) }))
}

/// Where numbers are to be had on this machine.
pub(super) fn place<'de, D: Deserializer<'de>>(d: D) -> Result<MetricsAt, D::Error> {
    String::deserialize(d)?.parse().map_err(D::Error::custom)
}

/// A collector that only this machine reaches, as the URL that OpenTelemetry has for it.
pub(super) fn collector<'de, D: Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    let url = String::deserialize(d)?;
    let address =
        url.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest)).and_then(|at| at.parse::<SocketAddr>().ok());
    address.filter(|at| at.ip().is_loopback() && at.port() != 0).ok_or_else(|| {
        let advice = "write the address of a collector on this machine, such as \"http://127.0.0.1:4317\": traces are not encrypted, so one elsewhere is for that collector to reach";
        D::Error::custom(advice)
    })
}

pub(super) fn relays<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    Vec::<String>::deserialize(d)?.into_iter().map(|relay| is_relay(&relay).map_err(D::Error::custom)).collect()
}

/// Where a relay is: a host name or an address, and a port.
///
/// # Errors
/// What to write instead.
pub fn is_relay(text: &str) -> Result<String, &'static str> {
    let authority: Option<tonic::transport::Uri> = format!("https://{text}/").parse().ok();
    let is_good =
        |uri: tonic::transport::Uri| uri.port_u16().is_some_and(|p| p != 0) && uri.authority().is_some_and(|a| a.as_str() == text);
    if !text.contains('@') && authority.is_some_and(is_good) { Ok(text.to_owned()) } else { Err("write a relay as \"HOST:PORT\"") }
}

/// Where a witness is: the prefix of `/add-checkpoint` (C2SP tlog-witness).
pub(super) fn witness_url<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    let url = String::deserialize(d)?;
    let is_good = |u: tonic::transport::Uri| {
        matches!(u.scheme_str(), Some("http" | "https")) && u.query().is_none() && u.authority().is_some_and(|a| !a.as_str().contains('@'))
    };
    if !url.contains('#') && url.parse().is_ok_and(is_good) {
        Ok(Some(url))
    } else {
        Err(D::Error::custom("write the URL of the witness as \"https://HOST/PREFIX\", without query and user name"))
    }
}

pub(super) fn trust_domain<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let name = String::deserialize(d)?;
    match Principal::new(format!("spiffe://{name}/publisher/a")) {
        Ok(_) if !name.contains('/') => Ok(name),
        _ => Err(D::Error::custom("write a lower-case DNS name, such as \"example.org\"")),
    }
}

/// A whole number and a unit, with or without a space between them.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}
