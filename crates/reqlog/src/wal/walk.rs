//! Reading a segment from its first record to its last.

use super::header::{Header, HeaderError, MAX_HEADER};
use super::record::{Body, Entries, Frame, Framing, Private, RecordHash, frame, private_check, record_hash};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;

/// What is wrong with the bytes where a record should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file ends within the record.
    #[error("the record is cut off")]
    Short,
    /// A length that is never written, or data where the lengths say that there is none.
    #[error("the record's length is damaged")]
    Length,
    /// The record's hash does not fit its content and the record before.
    #[error("the record does not fit the chain of hashes")]
    Chain,
    /// The hash fits, but the content is no batch of entries.
    #[error("the record's content is malformed")]
    Content,
    /// The private details do not fit their checksum.
    #[error("the record's private details are damaged")]
    Private,
    /// The record's checkpoint does not describe the entries up to it.
    #[error("the record's checkpoint is not that of its entries")]
    Checkpoint,
}

/// A segment cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalkError {
    #[error("cannot read the segment")]
    Io(#[source] io::Error),
    #[error(transparent)]
    Header(HeaderError),
    #[error("{fault} (byte {offset}, entry {index})")]
    Record { offset: u64, index: u64, fault: Fault },
}

/// A record that fits the chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// Where it ends.
    pub(crate) end: u64,
    /// The index of its first entry.
    pub(crate) first: u64,
    pub(crate) entries: Entries<'a>,
    pub(crate) note: &'a str,
    private: &'a [u8],
    check: [u8; 8],
}

impl<'a> Record<'a> {
    /// The private details, verified against their checksum; `None` if they are damaged.
    pub(crate) fn private(&self) -> Option<Private<'a>> {
        if private_check(self.private) != self.check {
            return None;
        }
        Private::parse(self.private, self.entries.number())
    }

    /// The length of what comes before the private part: body length, body, hash.
    pub(crate) fn public_length(&self) -> u64 {
        let private = u64::try_from(self.private.len()).unwrap_or(u64::MAX);
        self.end.saturating_sub(self.offset).saturating_sub(private).saturating_sub(12)
    }

    /// Whether the private details of the whole record were deleted.
    pub(crate) fn is_redacted(&self) -> bool {
        self.private.is_empty()
    }
}

/// Goes through the records of one segment. Memory: the longest record, at least a mebibyte.
#[derive(Debug)]
pub(crate) struct Walk {
    window: Window,
    pub(crate) header: Header,
    /// The hash of the last record that was read; to begin with, what the first one is chained to. `None` when the walk began in the
    /// middle of a segment: then the chain is not verified.
    chain: Option<RecordHash>,
    /// The index of the next entry.
    index: u64,
    /// Which records' private parts are verified while reading.
    judges: Judges,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judges {
    None,
    /// The segment's last record: only there can a write that was cut off have left the public part whole.
    End,
    All,
}

impl Walk {
    /// Begins at the first record.
    pub(crate) fn open(path: &Path) -> Result<Self, WalkError> {
        let file = File::open(path).map_err(WalkError::Io)?;
        let mut window = Window::new(file).map_err(WalkError::Io)?;
        window.fill(MAX_HEADER).map_err(WalkError::Io)?;
        let (header, length) = Header::decode(window.bytes()).map_err(WalkError::Header)?;
        window.skip(length);
        let (chain, index) = (Some(header.chain_start()), header.first());
        Ok(Self { window, header, chain, index, judges: Judges::None })
    }

    /// From now on these records count as damaged if their private parts do not verify.
    pub(crate) fn judge(&mut self, judges: Judges) {
        self.judges = judges;
    }

    /// Goes on at a record in the middle, whose place and first index are known, without verifying the chain from there.
    pub(crate) fn jump(&mut self, offset: u64, index: u64) {
        self.window.seek(offset);
        self.chain = None;
        self.index = index;
    }

    /// From now on the chain is not verified.
    pub(crate) fn skip_chain(&mut self) {
        self.chain = None;
    }

    /// Where the next record begins, or the zeros after the last.
    pub(crate) fn offset(&self) -> u64 {
        self.window.offset
    }

    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// The hash of the last record that was read.
    pub(crate) fn chain(&self) -> Option<RecordHash> {
        self.chain
    }

    /// The next record; `None` if the rest of the file is zeros, or nothing.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, WalkError> {
        let (offset, index) = (self.window.offset, self.index);
        let fault = |fault| WalkError::Record { offset, index, fault };
        let Some(length) = self.find()? else { return Ok(None) };
        let judged = self.judges == Judges::All || (self.judges == Judges::End && self.nothing_at(length)?);
        let end = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let bytes = self.window.consume(length);
        let Framing::Record(Frame { body, hash, private, check, .. }) = frame(bytes) else { return Err(fault(Fault::Length)) };
        if self.chain.is_some_and(|previous| record_hash(&previous, body) != hash) {
            return Err(fault(Fault::Chain));
        }
        let Body { entries, note } = Body::parse(body).ok_or(fault(Fault::Content))?;
        if judged && private_check(private) != check {
            return Err(fault(Fault::Private));
        }
        self.chain = self.chain.map(|_| hash);
        self.index = index.checked_add(entries.number()).ok_or(fault(Fault::Content))?;
        Ok(Some(Record { offset, end, first: index, entries, note, private, check }))
    }

    /// Whether no record begins so many bytes further on.
    fn nothing_at(&mut self, length: usize) -> Result<bool, WalkError> {
        let more = self.window.fill(length.saturating_add(4)).map_err(WalkError::Io)?;
        Ok(!more || self.window.bytes().get(length..).and_then(|rest| rest.first_chunk()) == Some(&[0; 4]))
    }

    /// Brings the next record into the window, and says how long it is.
    fn find(&mut self) -> Result<Option<usize>, WalkError> {
        let (offset, index) = (self.window.offset, self.index);
        let fault = |fault| WalkError::Record { offset, index, fault };
        loop {
            match frame(self.window.bytes()) {
                Framing::Record(found) => return Ok(Some(found.length)),
                Framing::Needs(count) => {
                    if !self.window.fill(count).map_err(WalkError::Io)? {
                        // Fewer than four bytes that are all zero are the end of allocated space, not a record.
                        let empty = self.window.bytes().iter().all(|b| *b == 0);
                        return if empty { Ok(None) } else { Err(fault(Fault::Short)) };
                    }
                }
                Framing::End => {
                    let empty = self.window.only_zeros().map_err(WalkError::Io)?;
                    return if empty { Ok(None) } else { Err(fault(Fault::Length)) };
                }
                Framing::Implausible => return Err(fault(Fault::Length)),
            }
        }
    }
}

/// A part of a file in memory.
#[derive(Debug)]
struct Window {
    file: File,
    length: u64,
    /// The place in the file of the first byte that was not consumed.
    offset: u64,
    buffer: Vec<u8>,
    /// How many bytes of the buffer were consumed.
    used: usize,
}

impl Window {
    fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, offset: 0, buffer: Vec::new(), used: 0 })
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    fn skip(&mut self, count: usize) {
        self.used = self.used.saturating_add(count).min(self.buffer.len());
        self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn consume(&mut self, count: usize) -> &[u8] {
        let from = self.used;
        self.skip(count);
        self.buffer.get(from..self.used).unwrap_or_default()
    }

    fn seek(&mut self, offset: u64) {
        self.buffer.clear();
        self.used = 0;
        self.offset = offset;
    }

    /// Reads until `count` bytes are in the window; `false` if the file has no more.
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        if self.bytes().len() >= count {
            return Ok(true);
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        let have = self.buffer.len();
        let from = self.offset.saturating_add(u64::try_from(have).unwrap_or(u64::MAX));
        let left = usize::try_from(self.length.saturating_sub(from)).unwrap_or(usize::MAX);
        let more = count.saturating_sub(have).max(CHUNK).min(left);
        self.buffer.resize(have.saturating_add(more), 0);
        let read = read_up_to(&self.file, self.buffer.get_mut(have..).unwrap_or_default(), from)?;
        if read < more {
            // The segment was sealed meanwhile, which cuts off the zeros after its last record.
            self.length = from.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            self.buffer.truncate(have.saturating_add(read));
        }
        Ok(self.buffer.len() >= count)
    }

    /// Whether everything from here to the end of the file is zero. Consumes what it looked at.
    fn only_zeros(&mut self) -> io::Result<bool> {
        let start = self.offset;
        loop {
            // Or-ing whole blocks is what the compiler turns into wide instructions.
            if self.bytes().chunks(4096).any(|block| block.iter().fold(0, |all, b| all | b) != 0) {
                self.seek(start);
                return Ok(false);
            }
            self.skip(self.bytes().len());
            if !self.fill(1)? {
                self.seek(start);
                return Ok(true);
            }
        }
    }
}

/// Fills the buffer as far as the file goes.
fn read_up_to(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from.saturating_add(u64::try_from(read).unwrap_or(u64::MAX))) {
            Ok(0) => break,
            Ok(count) => read = read.saturating_add(count),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}
