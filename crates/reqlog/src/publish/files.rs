//! One publication: from entries to files.

use super::source::Pending;
use super::{PublisherConfig, io_error};
use crate::durable;
use crate::error::{PublishError, ReadError};
use crate::reader::Reader;
use crate::state::SignedCheckpoint;
use crate::tiles::{Builder, LoadError, Tile};
use chancery_tlog::{TILE_WIDTH, TilePath};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many files are staged before they are moved to their names: what a publication may take in memory and disk at once.
const STAGE: usize = 256;

impl From<ReadError> for PublishError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// What is known of `public/`.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) config: PublisherConfig,
    pub(super) reader: Reader,
    /// The tiles at the right edge of what is published; `None` until they were read.
    builder: Option<Builder>,
}

/// Tiles that are written but do not have their names yet.
struct Staged<'a> {
    publication: &'a Publication,
    tiles: Vec<Tile>,
    /// The directories whose names must be synced.
    touched: BTreeSet<PathBuf>,
    /// Full tiles of this publication: their partial forerunners can go.
    full: Vec<TilePath>,
}

impl Publication {
    pub(super) fn new(config: PublisherConfig, reader: Reader) -> Self {
        Self { config, reader, builder: None }
    }

    /// Publishes everything up to the newest checkpoint; `None` if that was published already.
    pub(super) fn publish(&mut self) -> Result<Option<Arc<SignedCheckpoint>>, PublishError> {
        let pending = Pending::new(&self.reader);
        let published = self.reader.published();
        if published.note == pending.newest.note {
            return Ok(None);
        }
        if published.checkpoint == pending.newest.checkpoint && !published.note.is_empty() {
            self.publish_checkpoint(&pending.newest)?;
            return Ok(Some(pending.newest));
        }
        let (mut builder, from) = match self.builder.take() {
            Some(builder) => {
                let from = builder.size();
                (builder, from)
            }
            None => self.take_up(&published)?,
        };
        // A failure below leaves no builder, so that the next try begins with what is really published.
        let mut staged = Staged { publication: self, tiles: Vec::new(), touched: BTreeSet::new(), full: Vec::new() };
        pending.each(from, |entry, leaf| {
            builder.push(entry, leaf, &mut staged.tiles);
            staged.flush_if(STAGE)
        })?;
        builder.partials(from, &mut staged.tiles);
        staged.flush_if(1)?;
        let full = staged.finish()?;
        self.publish_checkpoint(&pending.newest)?;
        self.builder = Some(builder);
        full.into_iter().for_each(|path| self.drop_partials(path));
        Ok(Some(pending.newest))
    }

    fn publish_checkpoint(&self, signed: &SignedCheckpoint) -> Result<(), PublishError> {
        Ok(self.config.store.publish_checkpoint(&self.public().join("checkpoint"), signed.note.as_bytes())?)
    }

    fn public(&self) -> PathBuf {
        self.config.dir.join("public")
    }

    /// The right edge of what is published, and from which entry on tiles must be made. Where the published edge does not verify, all
    /// files are made anew from the segments; those that exist are compared.
    fn take_up(&self, published: &SignedCheckpoint) -> Result<(Builder, u64), PublishError> {
        let (size, root) = (published.checkpoint.size, &published.checkpoint.root);
        let read = |path: TilePath| read_if_exists(&self.public().join(path.to_string()));
        match Builder::load(size, root, read) {
            Ok(builder) => Ok((builder, size)),
            Err(LoadError::Missing(_) | LoadError::Differs(_)) => Ok((Builder::default(), 0)),
            Err(LoadError::Read(error)) => Err(error),
        }
    }

    /// Removes the partial tiles that a full one replaces. A failure costs disk space only.
    fn drop_partials(&self, full: TilePath) {
        let _ = std::fs::remove_dir_all(self.public().join(format!("{full}.p")));
    }
}

impl Staged<'_> {
    /// Stages the tiles made so far and gives them their names, if there are at least so many.
    fn flush_if(&mut self, least: usize) -> Result<(), PublishError> {
        if self.tiles.len() < least {
            return Ok(());
        }
        let (config, public) = (&self.publication.config, self.publication.public());
        let staging = config.dir.join("staging");
        let mut moves = Vec::new();
        for (number, tile) in self.tiles.drain(..).enumerate() {
            let target = public.join(tile.path.to_string());
            match read_if_exists(&target)? {
                Some(bytes) if bytes == tile.bytes => {}
                Some(_) => return Err(PublishError::Differs { path: target }),
                None => {
                    let file = staging.join(number.to_string());
                    config.store.stage(&file, &tile.bytes).map_err(io_error("write", &file))?;
                    moves.push((file, target));
                }
            }
            if tile.path.width == TILE_WIDTH {
                self.full.push(tile.path);
            }
        }
        let files: Vec<PathBuf> = moves.iter().map(|(file, _)| file.clone()).collect();
        config.store.sync_staged(&files).map_err(io_error("sync", &staging))?;
        for (file, target) in moves {
            let parent = durable::parent(&target);
            durable::create_dir_all(parent, 0o755)?;
            config.store.rename(&file, &target).map_err(io_error("publish", &target))?;
            self.touched.insert(parent.to_owned());
        }
        Ok(())
    }

    /// Makes the names durable.
    fn finish(self) -> Result<Vec<TilePath>, PublishError> {
        self.touched.iter().try_for_each(|directory| self.publication.config.store.sync_dir(directory))?;
        Ok(self.full)
    }
}

fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>, PublishError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(io_error("read", path)(e)),
    }
}
