//! `traceparent` (W3C Trace Context, section 3.2): under which span of its client a request is.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use tonic::metadata::MetadataMap;

/// Length of what version 00 has.
const LENGTH: usize = 55;

/// The client's span, if exactly one is named and it is well-formed. Vendors' `tracestate` is not carried on.
#[must_use]
pub fn parent(metadata: &MetadataMap) -> Option<SpanContext> {
    let mut named = metadata.get_all("traceparent").iter();
    match (named.next(), named.next()) {
        (Some(value), None) => read(value.to_str().ok()?),
        _ => None,
    }
}

/// `VERSION-TRACE-SPAN-FLAGS`. What later versions add stands behind another hyphen and is passed over.
pub(super) fn read(text: &str) -> Option<SpanContext> {
    let (known, later) = text.split_at_checked(LENGTH)?;
    let mut parts = known.split('-');
    let version = hex::<1>(parts.next()?)?;
    let trace = TraceId::from_bytes(hex(parts.next()?)?);
    let span = SpanId::from_bytes(hex(parts.next()?)?);
    let [flags] = hex(parts.next()?)?;
    let is_whole = match version {
        [0] => later.is_empty(),
        [0xff] => false,
        _ => later.is_empty() || later.starts_with('-'),
    };
    let context = SpanContext::new(trace, span, TraceFlags::new(flags) & TraceFlags::SAMPLED, true, TraceState::default());
    (is_whole && parts.next().is_none() && context.is_valid()).then_some(context)
}

/// Exactly so many bytes, in lower case.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(c.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    }
}
