//! Who is behind each client of the broker.

use std::sync::Arc;

use broker::ClientKey;
use dispatcher::Publisher;
use mapping::program::DeviceIx;

/// By [`ClientKey`].
#[derive(Default)]
pub(super) struct Clients(Vec<Option<Connected>>);

/// A client whose session is known.
pub(super) struct Connected {
    pub(super) user: Arc<str>,
    /// `None`: the login of a device that the mapping does not have.
    pub(super) publisher: Option<Publisher>,
    /// Whether it is connected now.
    pub(super) here: bool,
}

impl Clients {
    pub(super) fn came(&mut self, key: ClientKey, client: Connected) {
        let place = key.0 as usize;
        if self.0.len() <= place {
            self.0.resize_with(place + 1, || None);
        }
        self.0[place] = Some(client);
    }

    pub(super) fn left(&mut self, key: ClientKey) {
        if let Some(client) = self.0.get_mut(key.0 as usize).and_then(Option::as_mut) {
            client.here = false;
        }
    }

    pub(super) fn find(&self, key: ClientKey) -> Option<&Connected> {
        self.0.get(key.0 as usize)?.as_ref()
    }

    /// The device that a client speaks for.
    pub(super) fn device(&self, key: ClientKey) -> Option<DeviceIx> {
        match self.find(key)?.publisher {
            Some(Publisher::Device(device)) => Some(device),
            _ => None,
        }
    }

    /// Looks every client's device up again: places in tables hold for one program only. Returns the devices of connected
    /// clients that the mapping did not have before.
    pub(super) fn recognise(
        &mut self,
        publisher: impl Fn(&str) -> Option<Publisher>,
    ) -> Vec<DeviceIx> {
        let mut back = Vec::new();
        for client in self.0.iter_mut().flatten() {
            let publisher = publisher(&client.user);
            if let (None, Some(Publisher::Device(device)), true) =
                (&client.publisher, &publisher, client.here)
            {
                back.push(*device);
            }
            client.publisher = publisher;
        }
        back
    }
}
