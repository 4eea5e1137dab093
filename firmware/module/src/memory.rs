//! What a module's flash holds: who it is and how it reaches the dispatcher, written when it was flashed; and what it
//! writes itself, spread over several sectors: how often it booted, how its outputs were.

use core::ops::Range;

use device::record_len;
use embedded_storage_async::nor_flash::NorFlash;
use log::warn;
use sequential_storage::{
    cache::Cache,
    map::{MapConfig, MapStorage},
};
use wire::{IDENTITY_LEN, Identity, NET_LEN_MAX, Net};

use crate::{CHANNELS_MAX, StartError};

/// Where in the flash lies what, in bytes from its start.
#[derive(Clone, Debug)]
pub struct Partitions {
    /// The identity, in a sector of its own.
    pub identity: u32,
    /// How the dispatcher is reached, in a sector of its own.
    pub net: u32,
    /// What the module writes: at least two whole sectors.
    pub own: Range<u32>,
}

/// What the module writes; a number is never given to anything else.
const BOOTS: u8 = 1;
const KEPT: u8 = 2;

/// Of an item, its key and what surrounds them.
const ITEM_LEN_MAX: usize = record_len(CHANNELS_MAX) + 32;

pub(crate) struct Memory<F> {
    flash: F,
    partitions: Partitions,
}

impl<F: NorFlash> Memory<F> {
    pub(crate) fn new(flash: F, partitions: Partitions) -> Self {
        Self { flash, partitions }
    }

    pub(crate) async fn identity(&mut self) -> Result<Identity, StartError<F::Error>> {
        let mut bytes = [0; IDENTITY_LEN];
        self.read(self.partitions.identity, &mut bytes).await?;
        Identity::decode(&bytes).map_err(StartError::Identity)
    }

    pub(crate) async fn net<'r>(
        &mut self,
        room: &'r mut [u8; NET_LEN_MAX],
    ) -> Result<Net<'r>, StartError<F::Error>> {
        self.read(self.partitions.net, room).await?;
        Net::decode(room).map_err(StartError::Net)
    }

    async fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), StartError<F::Error>> {
        self.flash.read(at, bytes).await.map_err(StartError::Flash)
    }

    /// Counts this boot. A module whose flash fails boots all the same: the dispatcher tells people that the count went back.
    pub(crate) async fn count_boot(&mut self) -> u32 {
        let mut room = [0; ITEM_LEN_MAX];
        let mut own = self.own();
        let before = match own.fetch_item::<u32>(&mut room, &BOOTS).await {
            Ok(before) => before.unwrap_or(0),
            Err(why) => {
                warn!("how often this module booted can't be read: {why:?}");
                0
            }
        };
        let count = before.saturating_add(1);
        if let Err(why) = own.store_item(&mut room, &BOOTS, &count).await {
            warn!("this boot can't be written down: {why:?}");
        }
        count
    }

    /// How the outputs were; empty where that is not known.
    pub(crate) async fn kept<'r>(
        &mut self,
        room: &'r mut [u8; record_len(CHANNELS_MAX)],
    ) -> &'r [u8] {
        let mut item = [0; ITEM_LEN_MAX];
        let found = self.own().fetch_item::<&[u8]>(&mut item, &KEPT).await;
        match found {
            Ok(Some(found)) => match room.get_mut(..found.len()) {
                Some(room) => {
                    room.copy_from_slice(found);
                    room
                }
                None => &[],
            },
            Ok(None) => &[],
            Err(why) => {
                warn!("how the outputs were can't be read: {why:?}");
                &[]
            }
        }
    }

    /// Writes down how the outputs are.
    pub(crate) async fn keep(&mut self, record: &[u8]) {
        let mut room = [0; ITEM_LEN_MAX];
        if let Err(why) = self.own().store_item(&mut room, &KEPT, &record).await {
            warn!("how the outputs are can't be written down: {why:?}");
        }
    }

    fn own(&mut self) -> MapStorage<u8, &mut F, impl sequential_storage::cache::CacheImpl<u8>> {
        let config = MapConfig::new(self.partitions.own.clone());
        MapStorage::new(&mut self.flash, config, Cache::new_uncached())
    }
}
