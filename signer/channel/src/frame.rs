//! Framing: `u32le length | postcard body`. One stream, many messages in flight.

use serde::{Deserialize, Serialize};

/// Greatest body of a frame, in bytes. Content travels in chunks below it.
pub const MAX_FRAME: usize = 1024 * 1024 + 64 * 1024;

const PREFIX: usize = 4;

/// Why a frame was refused. The stream cannot be used after any of these.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer announced or the caller made a body over [`MAX_FRAME`].
    #[error("a frame of {len} bytes is over the limit of {MAX_FRAME}")]
    TooLarge {
        /// Length of the body in bytes.
        len: usize,
    },
    /// The body is not a message of the expected kind.
    #[error("a frame does not hold a valid message")]
    Malformed(#[source] postcard::Error),
}

/// Appends one message to `out`.
///
/// # Errors
/// [`FrameError::TooLarge`] leaves `out` as it was.
pub fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    let mut buf = postcard::to_extend(message, std::mem::take(out)).map_err(FrameError::Malformed)?;
    let len = buf.len().saturating_sub(start).saturating_sub(PREFIX);
    match (u32::try_from(len), len <= MAX_FRAME) {
        (Ok(n), true) => {
            if let Some(prefix) = buf.get_mut(start..start.saturating_add(PREFIX)) {
                prefix.copy_from_slice(&n.to_le_bytes());
            }
            *out = buf;
            Ok(())
        }
        _ => {
            buf.truncate(start);
            *out = buf;
            Err(FrameError::TooLarge { len })
        }
    }
}

/// Takes the first whole message from `buf`: the message and how many bytes it took, or `None` when more bytes are needed.
///
/// # Errors
/// [`FrameError`] when the announced length or the body is not acceptable.
pub fn split<'a, T: Deserialize<'a>>(buf: &'a [u8]) -> Result<Option<(T, usize)>, FrameError> {
    let Some((prefix, rest)) = buf.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let len = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
    if len > MAX_FRAME {
        return Err(FrameError::TooLarge { len });
    }
    let Some(body) = rest.get(..len) else {
        return Ok(None);
    };
    let (message, tail) = postcard::take_from_bytes(body).map_err(FrameError::Malformed)?;
    if tail.is_empty() {
        Ok(Some((message, len.saturating_add(PREFIX))))
    } else {
        Err(FrameError::Malformed(postcard::Error::DeserializeBadEncoding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RequestId, ToKeeper};
    use proptest::prelude::*;

    #[test]
    fn an_oversized_announcement_is_refused_before_its_body_arrives() {
        let prefix = u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes();
        assert!(matches!(split::<ToKeeper<'_>>(&prefix), Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn an_oversized_message_leaves_the_buffer_as_it_was() {
        let bytes = vec![0; MAX_FRAME + 1];
        let mut out = vec![7];
        assert!(encode(&ToKeeper::Chunk { id: 1, last: true, bytes: &bytes }, &mut out).is_err());
        assert_eq!(out, [7]);
    }

    #[test]
    fn a_frame_with_bytes_after_its_message_is_refused() {
        let mut out = Vec::new();
        encode(&RequestId([1; 16]), &mut out).unwrap();
        out.push(0);
        out[0] += 1;
        assert!(matches!(split::<RequestId>(&out), Err(FrameError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn messages_come_back_in_order_however_the_stream_is_cut(ids in prop::collection::vec(any::<u64>(), 1..20), cut in any::<prop::sample::Index>()) {
            let mut wire = Vec::new();
            for id in &ids {
                encode(&ToKeeper::Chunk { id: *id, last: false, bytes: &id.to_be_bytes() }, &mut wire).unwrap();
            }
            let cut = cut.index(wire.len());
            let (mut seen, mut have, mut pos) = (Vec::new(), cut, 0);
            loop {
                match split::<ToKeeper<'_>>(&wire[pos..have]).unwrap() {
                    Some((ToKeeper::Chunk { id, .. }, used)) => { seen.push(id); pos += used; }
                    Some(_) => unreachable!(),
                    None if have < wire.len() => have = wire.len(),
                    None => break,
                }
            }
            prop_assert_eq!(seen, ids);
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = split::<ToKeeper<'_>>(&bytes);
        }
    }
}
