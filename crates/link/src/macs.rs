//! What is checked before any handshake is computed: `mac1`, cookies and `mac2` as in WireGuard, and the token of a
//! RESET as in QUIC. Called by the state machines of both ends. Must not keep addresses or time.

use blake2::{
    Blake2s256, Blake2sMac, Digest,
    digest::{FixedOutput, KeyInit, Update, consts::U16},
};
use chacha20poly1305::{AeadInPlace, XChaCha20Poly1305};
use wire::{Cookie, Hello, PublicKey, Reset, Secret};
use zeroize::Zeroize;

type Mac = Blake2sMac<U16>;

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // Keys here have 16 or 32 bytes, and BLAKE2s takes up to 32.
    let Ok(mut mac) = <Mac as KeyInit>::new_from_slice(key) else {
        unreachable!("a key of {} bytes", key.len());
    };
    parts.iter().for_each(|part| Update::update(&mut mac, part));
    mac.finalize_fixed().into()
}

/// Compares without telling by its time where the first difference is.
pub(crate) fn same(one: &[u8; 16], other: &[u8; 16]) -> bool {
    one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// Keys that whoever knows the dispatcher's public key can compute.
#[derive(Clone, Debug)]
pub struct DispatcherMacs {
    mac1: Secret,
    cookie: Secret,
}

impl DispatcherMacs {
    /// The keys for this dispatcher.
    #[must_use]
    pub fn new(dispatcher: &PublicKey) -> Self {
        let key = |label: &[u8]| {
            let hash = Blake2s256::new()
                .chain_update(label)
                .chain_update(dispatcher.0);
            Secret::new(hash.finalize().into())
        };
        Self {
            mac1: key(b"ic1-mac1"),
            cookie: key(b"ic1-cookie"),
        }
    }

    /// Of bytes 0..136 of a HELLO.
    #[must_use]
    pub fn mac1(&self, hello: &Hello) -> [u8; 16] {
        mac(self.mac1.expose(), &[&hello.encode()[..Hello::MAC1_AT]])
    }

    /// Whether a HELLO's `mac1` is right: its sender knows this dispatcher.
    #[must_use]
    pub fn knows(&self, hello: &Hello) -> bool {
        same(&self.mac1(hello), &hello.mac1)
    }

    /// Seals a cookie for the sender of a HELLO. The nonce must be random.
    #[must_use]
    pub fn seal_cookie(&self, value: &[u8; 16], hello: &Hello, nonce: [u8; 24]) -> Cookie {
        let mut sealed = [0; 32];
        sealed[..16].copy_from_slice(value);
        let cipher = XChaCha20Poly1305::new(self.cookie.expose().into());
        let (text, tag) = sealed.split_at_mut(16);
        let made = cipher.encrypt_in_place_detached(&nonce.into(), &hello.mac1, text);
        // 16 bytes are not too long.
        let Ok(made) = made else {
            unreachable!("16 bytes are sealed")
        };
        tag.copy_from_slice(&made);
        Cookie {
            device_index: hello.device_index,
            nonce,
            sealed,
        }
    }

    /// Opens the answer to a HELLO with this `mac1`.
    #[must_use]
    pub fn open_cookie(&self, cookie: &Cookie, mac1: &[u8; 16]) -> Option<[u8; 16]> {
        let mut value = [0; 16];
        let (text, tag) = cookie.sealed.split_at(16);
        value.copy_from_slice(text);
        let cipher = XChaCha20Poly1305::new(self.cookie.expose().into());
        let nonce = &cookie.nonce.into();
        let opened = cipher.decrypt_in_place_detached(nonce, mac1, &mut value, tag.into());
        opened.ok().map(|()| value)
    }
}

/// Of bytes 0..152 of a HELLO, keyed by a cookie.
pub(crate) fn mac2(cookie: &[u8; 16], hello: &Hello) -> [u8; 16] {
    mac(cookie, &[&hello.encode()[..Hello::MAC2_AT]])
}

/// Makes cookies: a source gets the same one until the secret is replaced, and nothing is kept for it.
#[derive(Debug)]
pub struct CookieJar {
    secret: Secret,
    before: Option<Secret>,
}

impl CookieJar {
    /// With a random secret.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self {
            secret,
            before: None,
        }
    }

    /// Replaces the secret; cookies of the one before still count.
    pub fn turn(&mut self, secret: Secret) {
        self.before = Some(core::mem::replace(&mut self.secret, secret));
    }

    /// The cookie of a source: any bytes that name it.
    #[must_use]
    pub fn cookie(&self, source: &[u8]) -> [u8; 16] {
        mac(self.secret.expose(), &[source])
    }

    /// Whether a HELLO came from where its cookie was sent to.
    #[must_use]
    pub fn proves(&self, hello: &Hello, source: &[u8]) -> bool {
        let proves = |secret: &Secret| {
            let mut cookie = mac(secret.expose(), &[source]);
            let proves = same(&mac2(&cookie, hello), &hello.mac2);
            cookie.zeroize();
            proves
        };
        proves(&self.secret) || self.before.as_ref().is_some_and(proves)
    }
}

/// The dispatcher's key for RESETs; it outlives restarts, so that nothing else has to.
#[derive(Debug)]
pub struct ResetKey(Secret);

impl ResetKey {
    /// From 32 random bytes that are kept with the dispatcher's other keys.
    #[must_use]
    pub const fn new(key: Secret) -> Self {
        Self(key)
    }

    /// The token of a session's index.
    #[must_use]
    pub fn token(&self, dispatcher_index: u32) -> [u8; 16] {
        mac(
            self.0.expose(),
            &[b"ic1-reset", &dispatcher_index.to_le_bytes()],
        )
    }

    /// The answer to a DATA frame of a session that is not known.
    #[must_use]
    pub fn reset(&self, dispatcher_index: u32) -> Reset {
        Reset {
            dispatcher_index,
            token: self.token(dispatcher_index),
        }
    }
}
