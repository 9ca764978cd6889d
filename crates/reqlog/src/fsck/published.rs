//! Comparing the published files with what the segments say they must be.

use super::{Finding, Problem, Report};
use crate::tiles::{Builder, Tile};
use chancery_tlog::{Checkpoint, CheckpointError, Edge, Hash, NoteError, VerifierKey};
use std::io;
use std::path::{Path, PathBuf};

pub(super) struct Published {
    public: PathBuf,
    checkpoint: Option<Checkpoint>,
    /// Makes the files anew; `None` once an entry is missing, or all that is published was compared.
    builder: Option<Builder>,
}

impl Published {
    pub(super) fn read(dir: &Path, key: &VerifierKey, report: &mut Report) -> Self {
        let public = dir.join("public");
        let file = public.join("checkpoint");
        let found = |problem| Finding { file: file.clone(), offset: None, index: None, problem };
        let mut checkpoint = None;
        match std::fs::read(&file) {
            Ok(bytes) => match open(bytes, key) {
                Ok(valid) => checkpoint = Some(valid),
                Err(e) => report.find(found(Problem::Published(e))),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => report.find(found(Problem::Missing)),
            Err(e) => report.find(found(Problem::Unreadable(e))),
        }
        report.published = checkpoint.as_ref().map(|c| c.size);
        let builder = checkpoint.as_ref().filter(|c| c.size > 0).map(|_| Builder::default());
        Self { public, checkpoint, builder }
    }

    /// An entry is missing, so what follows cannot be compared.
    pub(super) fn lose_track(&mut self) {
        self.builder = None;
    }

    /// Takes in the next entry; `edge` is the tree with it.
    pub(super) fn entry(&mut self, entry: &[u8], hash: Hash, edge: &Edge, report: &mut Report) {
        let (Some(checkpoint), Some(builder)) = (&self.checkpoint, &mut self.builder) else { return };
        let mut tiles = Vec::new();
        builder.push(entry, hash, &mut tiles);
        let is_all = builder.size() == checkpoint.size;
        if is_all {
            builder.partials(0, &mut tiles);
            self.builder = None;
            if edge.root() != checkpoint.root {
                let file = self.public.join("checkpoint");
                report.find(Finding { file, offset: None, index: Some(checkpoint.size), problem: Problem::Fork });
            }
        }
        tiles.iter().for_each(|tile| self.compare(tile, report));
    }

    fn compare(&self, tile: &Tile, report: &mut Report) {
        let file = self.public.join(tile.path.to_string());
        let problem = match std::fs::read(&file) {
            Ok(bytes) if bytes == tile.bytes => return,
            Ok(_) => Problem::Differs,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                // While a writer is at work, a partial tile may just have been replaced by the full one.
                if self.public.join(chancery_tlog::TilePath { width: chancery_tlog::TILE_WIDTH, ..tile.path }.to_string()).exists() {
                    return;
                }
                Problem::Missing
            }
            Err(e) => Problem::Unreadable(e),
        };
        report.find(Finding { file, offset: None, index: None, problem });
    }

    pub(super) fn finish(&self, edge: &Edge, report: &mut Report) {
        if let Some(published) = self.checkpoint.as_ref().map(|c| c.size).filter(|published| *published > edge.size()) {
            let problem = Problem::Rollback { published, size: edge.size() };
            report.find(Finding { file: self.public.join("checkpoint"), offset: None, index: None, problem });
        }
    }
}

fn open(bytes: Vec<u8>, key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
    let note = String::from_utf8(bytes).map_err(|_| NoteError::Form)?;
    Checkpoint::open(&note, key)
}
