//! Just enough OpenPGP to tell a signature that gpg can read from garbage.

/// Whether `bytes` are one or more whole OpenPGP signature packets (RFC 4880 section 4.2, tag 2), or look armored.
///
/// What the packets say is not looked at: that is for those who have the key.
pub(super) fn is_signature(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"-----BEGIN PGP SIGNATURE-----") {
        return true;
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        match skip_packet(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !bytes.is_empty()
}

/// Cuts one signature packet off the front and returns the rest.
fn skip_packet(bytes: &[u8]) -> Option<&[u8]> {
    let (header, body) = bytes.split_first()?;
    let (length, body) = match header {
        // The old format: tag 2, and a length of one, two or four bytes.
        0x88 => big_endian(body, 1)?,
        0x89 => big_endian(body, 2)?,
        0x8a => big_endian(body, 4)?,
        // The new format: tag 2, and a length whose first byte tells its own size.
        0xc2 => match body.first()? {
            0..=191 => big_endian(body, 1)?,
            192..=223 => {
                let (length, body) = big_endian(body, 2)?;
                (length.checked_sub(192 << 8)?.checked_add(192)?, body)
            }
            255 => big_endian(body.get(1..)?, 4)?,
            // The body in several parts, which is for data only.
            224..=254 => return None,
        },
        _ => return None,
    };
    body.get(length..)
}

fn big_endian(bytes: &[u8], size: usize) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_at_checked(size)?;
    Some((number.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b)), rest))
}
