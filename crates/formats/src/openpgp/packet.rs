//! Packets and the numbers in them (RFC 9580 sections 3.2 and 4.2).

/// The tag of signature packets.
pub(super) const SIGNATURE: u8 = 2;

/// One packet: its tag and its body.
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// Whether `bytes` are one or more whole OpenPGP signature packets, or look armored.
///
/// What the packets say is not looked at: that is for those who have the key.
#[must_use]
pub fn is_signature(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"-----BEGIN PGP SIGNATURE-----") {
        return true;
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        match split(rest) {
            Some((packet, after)) if packet.tag == SIGNATURE => rest = after,
            _ => return false,
        }
    }
    !bytes.is_empty()
}

/// Cuts one packet off the front and returns it with the rest.
pub(super) fn split(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (header, body) = bytes.split_first()?;
    let (tag, (length, body)) = match header {
        // The old format: a length of one, two or four bytes.
        0x80..=0xbf => {
            let tag = (header >> 2) & 15;
            match header & 3 {
                0 => (tag, big_endian(body, 1)?),
                1 => (tag, big_endian(body, 2)?),
                2 => (tag, big_endian(body, 4)?),
                // To the end of the file, which is for data only.
                _ => return None,
            }
        }
        // The new format: a length whose first byte tells its own size.
        0xc0..=0xff => (header & 63, new_length(body)?),
        _ => return None,
    };
    let (body, rest) = body.split_at_checked(length)?;
    Some((Packet { tag, body }, rest))
}

/// A length in the new format; subpackets have it too.
pub(super) fn new_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes.first()? {
        0..=191 => big_endian(bytes, 1),
        192..=223 => {
            let (length, body) = big_endian(bytes, 2)?;
            Some((length.checked_sub(192 << 8)?.checked_add(192)?, body))
        }
        255 => big_endian(bytes.get(1..)?, 4),
        // The body in several parts, which is for data only.
        224..=254 => None,
    }
}

/// A packet with its header, in the old format, which every program reads.
pub(super) fn write(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len().saturating_add(3));
    match u8::try_from(body.len()) {
        Ok(length) => out.extend_from_slice(&[0x80 | tag << 2, length]),
        Err(_) => {
            out.push(0x81 | tag << 2);
            // Nothing that is made here comes near 64 KiB.
            out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    out.extend_from_slice(body);
    out
}

/// A number (MPI): how many bits it has, and its bytes without zeros before them.
pub(super) fn write_mpi(out: &mut Vec<u8>, bytes: &[u8; 32]) {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    let number = bytes.get(zeros..).unwrap_or_default();
    let first = number.first().map_or(8, |b| b.leading_zeros());
    let bits = u32::try_from(number.len()).unwrap_or(0).saturating_mul(8).saturating_sub(first % 8);
    out.extend_from_slice(&u16::try_from(bits).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(number);
}

/// Reads [`write_mpi`]; `None` also when the number is not written in its one form, or has over 32 bytes.
pub(super) fn read_mpi(bytes: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (bits, rest) = big_endian(bytes, 2)?;
    let length = bits.div_ceil(8);
    let (number, rest) = rest.split_at_checked(length)?;
    let mut out = [0; 32];
    out.get_mut(32_usize.checked_sub(length)?..)?.copy_from_slice(number);
    let mut again = Vec::with_capacity(34);
    write_mpi(&mut again, &out);
    bytes.starts_with(&again).then_some((out, rest))
}

pub(super) fn big_endian(bytes: &[u8], size: usize) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_at_checked(size)?;
    Some((number.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b)), rest))
}
