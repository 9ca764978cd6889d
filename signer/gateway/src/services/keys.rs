//! `chancery.v1.KeyService`.

use super::{ask, principal, unexpected};
use crate::link::{KeeperState, Link};
use crate::wire;
use chancery_channel::{Answer, Cell, KeyDescription, RefusalKind, ToKeeper};
use chancery_proto::v1::key_service_server::KeyService;
use chancery_proto::v1::{GetKeyRequest, Key, ListKeysRequest, ListKeysResponse};
use std::time::Duration;
use tonic::{Request, Response, Status};

/// `chancery.v1.KeyService`.
pub struct Keys {
    link: Link,
    limit: Duration,
    cells: Cells,
}

/// What both processes of the key host gave up.
#[derive(Debug, Clone)]
pub struct Cells {
    /// The keeper.
    pub keeper: Cell,
    /// This process.
    pub gateway: Cell,
}

impl Keys {
    /// Asks this keeper, and waits for so long.
    #[must_use]
    pub const fn new(link: Link, limit: Duration, cells: Cells) -> Self {
        Self { link, limit, cells }
    }

    async fn list(&self) -> Result<Vec<KeyDescription>, Status> {
        match ask(&self.link, self.limit, |id| ToKeeper::Keys { id }).await? {
            Answer::Keys(keys) => Ok(keys),
            other => Err(wire::status(unexpected(other, None))),
        }
    }
}

#[tonic::async_trait]
impl KeyService for Keys {
    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        principal(&request)?;
        let keys = self.list().await?.into_iter().map(wire::key).collect();
        let [keeper_cell, gateway_cell] = [&self.cells.keeper, &self.cells.gateway].map(|cell| Some(wire::cell(cell.clone())));
        let not_signing = match &*self.link.keeper().borrow() {
            KeeperState::ReadOnly(why) => why.clone(),
            KeeperState::Signing | KeeperState::Gone => String::new(),
        };
        Ok(Response::new(ListKeysResponse { keys, keeper_cell, gateway_cell, not_signing }))
    }

    async fn get_key(&self, request: Request<GetKeyRequest>) -> Result<Response<Key>, Status> {
        principal(&request)?;
        let name = request.into_inner().name;
        let found = self.list().await?.into_iter().find(|k| k.name.as_str() == name);
        let missing = || wire::own_refusal(RefusalKind::NotFound, "key-unknown", "there is no key of this name; list the keys".to_owned());
        found.map(|k| Response::new(wire::key(k))).ok_or_else(|| wire::status(missing()))
    }
}
