//! Framing offsets: where the parts of a container end.

/// The width of the framing offsets of a container of `size` bytes, offsets included.
pub(crate) const fn width_of(size: usize) -> usize {
    match size {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

/// The size of a container of `body` bytes with `count` framing offsets of the smallest width that does.
pub(crate) fn framed_size(body: usize, count: usize) -> Option<usize> {
    [1_usize, 2, 4, 8].into_iter().find_map(|width| {
        let size = body.checked_add(count.checked_mul(width)?)?;
        (width_of(size) <= width).then_some(size)
    })
}

/// The last offset of a table: the table's remaining front part, and the offset.
pub(crate) fn split_last(table: &[u8], width: usize) -> Option<(&[u8], usize)> {
    let (front, last) = table.split_at_checked(table.len().checked_sub(width)?)?;
    Some((front, number(last)?))
}

/// The first offset of a table: the offset, and the table's remaining part.
pub(crate) fn split_first(table: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let (first, rest) = table.split_at_checked(width)?;
    Some((number(first)?, rest))
}

fn number(bytes: &[u8]) -> Option<usize> {
    let mut wide = [0_u8; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    usize::try_from(u64::from_le_bytes(wide)).ok()
}
