//! Verifying the segments, one after the other.

use super::published::Published;
use super::{Finding, Problem, Report, leaves};
use crate::durable;
use crate::wal::{
    Fault, HeaderError, Judges, Place, Record, RecordHash, Segments, Tail, Walk, WalkError, classify, list_segments, segment_path,
};
use chancery_tlog::{Checkpoint, Edge, VerifierKey, leaf_hash};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The state between two segments.
struct Check<'a> {
    key: &'a VerifierKey,
    wal: PathBuf,
    report: Report,
    published: Published,
    /// The tree of all entries so far.
    edge: Edge,
    /// The hash of the last record; `None` after damage, when it is not known.
    chain: Option<RecordHash>,
}

pub(super) fn check(dir: &Path, key: &VerifierKey, progress: &mut dyn FnMut(u64)) -> Report {
    let mut report = Report::default();
    if in_use(dir) {
        report.find(Finding { file: dir.join("lock"), offset: None, index: None, problem: Problem::InUse });
    }
    // The published checkpoint is read first: a writer may publish more while the segments are read, but never less.
    let published = Published::read(dir, key, &mut report);
    let wal = dir.join("wal");
    let segments = match list_segments(&wal) {
        Ok(segments) => segments,
        Err(e) => {
            report.find(Finding { file: wal.clone(), offset: None, index: None, problem: Problem::Unreadable(e) });
            Segments::new()
        }
    };
    let mut check = Check { key, wal, report, published, edge: Edge::new(), chain: Some([0; 32]) };
    for (number, first) in segments.iter().enumerate() {
        let is_last = number.saturating_add(1) == segments.len();
        check.segment(*first, is_last, progress);
        check.report.segments = check.report.segments.saturating_add(1);
    }
    check.finish()
}

fn in_use(dir: &Path) -> bool {
    let lock = File::options().write(true).open(dir.join("lock"));
    lock.and_then(|file| durable::try_lock(&file)).is_ok_and(|free| !free)
}

impl Check<'_> {
    fn finish(mut self) -> Report {
        self.report.size = self.edge.size();
        self.report.root = Some(self.edge.root());
        self.published.finish(&self.edge, &mut self.report);
        self.report
    }

    fn segment(&mut self, first: u64, is_last: bool, progress: &mut dyn FnMut(u64)) {
        let path = segment_path(&self.wal, first);
        let mut walk = match Walk::open(&path) {
            Ok(walk) => walk,
            Err(error) => {
                self.chain = None;
                return self.failed(&path, error);
            }
        };
        if is_last {
            walk.judge(Judges::End);
        }
        self.enter(&path, first, &walk);
        loop {
            let (before, size) = (walk.chain(), self.edge.size());
            let record = match walk.next() {
                Ok(Some(record)) => record,
                Ok(None) => break self.chain = before,
                Err(WalkError::Record { offset, index, fault }) => {
                    self.chain = None;
                    return self.damaged(&path, is_last, before, (offset, index, fault));
                }
                Err(error) => {
                    self.chain = None;
                    return self.failed(&path, error);
                }
            };
            self.record(&path, &record);
            if self.edge.size() / 1024 > size / 1024 {
                progress(self.edge.size());
            }
        }
        progress(self.edge.size());
    }

    /// Checks that the segment follows the one before, and goes on with its own idea of the tree.
    fn enter(&mut self, path: &Path, first: u64, walk: &Walk) {
        let header = &walk.header;
        let found = |problem| Finding { file: path.to_owned(), offset: Some(0), index: Some(first), problem };
        if header.origin != self.key.name() {
            self.report.find(found(Problem::Origin(header.origin.clone())));
        }
        if header.first() != first {
            self.report.find(found(Problem::Header(HeaderError::Damaged)));
        }
        if header.edge != self.edge || self.chain.is_some_and(|chain| chain != header.previous) {
            self.report.find(found(Problem::Gap));
            self.published.lose_track();
        }
        self.edge = header.edge.clone();
    }

    fn record(&mut self, path: &Path, record: &Record<'_>) {
        for entry in record.entries {
            let hash = leaf_hash(entry);
            self.edge.push(hash);
            self.published.entry(entry, hash, &self.edge, &mut self.report);
        }
        let found = |problem| Finding { file: path.to_owned(), offset: Some(record.offset), index: Some(record.first), problem };
        match Checkpoint::open(record.note, self.key) {
            Err(e) => self.report.find(found(Problem::Checkpoint(e))),
            Ok(checkpoint) if checkpoint.size != self.edge.size() || checkpoint.root != self.edge.root() => {
                self.report.find(found(Problem::OtherTree));
            }
            Ok(_) => {}
        }
        match record.private() {
            None => self.report.find(found(Problem::PrivateDamaged)),
            Some(private) => leaves::check(path, record, private, &mut self.report),
        }
        self.report.records = self.report.records.saturating_add(1);
    }

    /// A record that does not verify: at the end of the log it may have been cut off.
    fn damaged(&mut self, path: &Path, is_last: bool, chain: Option<RecordHash>, at: (u64, u64, Fault)) {
        let (offset, index, fault) = at;
        let found = |problem| Finding { file: path.to_owned(), offset: Some(offset), index: Some(index), problem };
        if let (true, Some(chain)) = (is_last && fault != Fault::Content, chain) {
            let place = Place { offset, chain: &chain, size: index, key: self.key };
            match read_from(path, offset).map(|region| classify(&region, place)) {
                Ok(Tail::Torn { bytes }) => return self.report.find(found(Problem::Torn { bytes })),
                Ok(Tail::Damaged) => {}
                Err(e) => return self.report.find(found(Problem::Unreadable(e))),
            }
        }
        self.published.lose_track();
        self.report.find(found(Problem::Record(fault)));
    }

    fn failed(&mut self, path: &Path, error: WalkError) {
        let problem = match error {
            WalkError::Io(e) => Problem::Unreadable(e),
            WalkError::Header(e) => Problem::Header(e),
            WalkError::Record { fault, .. } => Problem::Record(fault),
        };
        self.published.lose_track();
        self.report.find(Finding { file: path.to_owned(), offset: None, index: None, problem });
    }
}

fn read_from(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let left = file.metadata()?.len().saturating_sub(offset);
    let mut region = vec![0; usize::try_from(left).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut region, offset)?;
    Ok(region)
}
