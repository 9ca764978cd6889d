//! A summary of any size, written here by the rules of GVariant, so that tests need no repository of that size.

/// A summary with these refs, which must be in order; each names the same commit.
pub(crate) fn summary(refs: impl Iterator<Item = String>) -> Vec<u8> {
    let elements: Vec<Vec<u8>> = refs.map(|name| element(&name)).collect();
    let refs = array(&elements);
    let end = refs.len();
    let mut out = refs;
    pad(&mut out);
    let offset_size = offset_size(out.len(), 1);
    out.extend_from_slice(&(end as u64).to_le_bytes()[..offset_size]);
    out
}

/// `(s(taya{sv}))`
fn element(name: &str) -> Vec<u8> {
    let mut out = name.as_bytes().to_vec();
    out.push(0);
    let name_end = out.len();
    pad(&mut out);
    let inner_start = out.len();
    out.extend_from_slice(&150_u64.to_le_bytes());
    out.extend_from_slice(&[7; 32]);
    let checksum_end = out.len() - inner_start;
    pad(&mut out);
    out.push(checksum_end as u8);
    out.push(name_end as u8);
    out
}

fn array(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut ends = Vec::new();
    for e in elements {
        pad(&mut out);
        out.extend_from_slice(e);
        ends.push(out.len());
    }
    let size = offset_size(out.len(), ends.len());
    for end in ends {
        out.extend_from_slice(&(end as u64).to_le_bytes()[..size]);
    }
    out
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(8), 0);
}

fn offset_size(body: usize, offsets: usize) -> usize {
    [1_usize, 2, 4, 8].into_iter().find(|size| body + size * offsets < 1 << (8 * size).min(63)).unwrap()
}
