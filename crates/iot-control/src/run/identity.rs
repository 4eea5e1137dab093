//! Who a client is: from its login, never from what it says.

use std::{net::IpAddr, sync::Arc};

use broker::{Access, Admission, Filter, Login, Refusal, password};
use dispatcher::{Dispatcher, Publisher, access};
use mapping::program::DeviceIx;
use store::db::UserKind;

use super::{uplink, users::Known};
use crate::settings::Anonymous;

/// The name under which clients without a user run, where they are let in at all.
pub(super) const ANONYMOUS: &str = "anonymous";

/// Decides on a login.
pub(super) fn admit(
    login: &Login<'_>,
    dispatcher: &Dispatcher,
    known: Option<&Known>,
    access: impl Fn(&str, &Known) -> Access,
    anonymous: Anonymous,
) -> Admission {
    let Some(name) = login.user else {
        let welcome = anonymous == Anonymous::Loopback && is_loopback(login.peer.ip());
        return if welcome {
            Admission::Accept(Access::superuser(ANONYMOUS))
        } else {
            Admission::Refuse(Refusal::NotAuthorized)
        };
    };
    let Some(known) = known else {
        return Admission::Verify {
            hash: password::decoy(),
            access: Err(Refusal::BadCredentials),
        };
    };
    let device = known
        .device
        .as_deref()
        .and_then(|device| dispatcher.program().device(device));
    let is_blocked = device.is_some_and(|device| !dispatcher.may_connect(device));
    // Its own way in is another.
    let is_sealed = device.is_some_and(|device| dispatcher.is_sealed(device));
    Admission::Verify {
        hash: Arc::clone(&known.hash),
        access: if is_blocked {
            Err(Refusal::Banned)
        } else if is_sealed {
            Err(Refusal::NotAuthorized)
        } else {
            Ok(access(name, known))
        },
    }
}

/// What whoever comes in without a user may do, where such are let in; `None`: the name is another's, or they are not.
pub(super) fn rights_without_login(user: &str, anonymous: Anonymous) -> Option<Access> {
    let is_welcome = user == ANONYMOUS && anonymous == Anonymous::Loopback;
    is_welcome.then(|| Access::superuser(ANONYMOUS))
}

/// What a user may do under the mapping in force. The login of a device that the mapping does not
/// have may do nothing, but stays connected: the mapping may get it back.
/// `told_at`: where Home Assistant is told of the house, if it is.
pub(super) fn access_of(
    user: &str,
    known: &Known,
    dispatcher: &Dispatcher,
    told_at: Option<&str>,
) -> Access {
    let mut lists = match (known.kind, device_of(known, dispatcher)) {
        (UserKind::Device, Some(device)) => dispatcher.access(device),
        (UserKind::Device, None) => access::Access::default(),
        (UserKind::Tool, _) if !known.bridge.is_empty() => access::of_bridge(&known.bridge),
        (UserKind::Tool, _) => access::of_tool(dispatcher.program(), told_at),
        (UserKind::Person, _) => access::of_person(dispatcher.program(), &[]),
    };
    lists.subscribe.extend_from_slice(&known.read);
    let filters = |list: &[String]| {
        list.iter()
            .filter_map(|text| Filter::new(text).ok())
            .collect()
    };
    Access {
        publish: filters(&lists.publish),
        subscribe: filters(&lists.subscribe),
        ..Access::none(user)
    }
}

/// Whose words a user's messages are; `None`: nobody's.
pub(super) fn publisher(
    user: &str,
    known: Option<&Known>,
    dispatcher: &Dispatcher,
) -> Option<Publisher> {
    match known {
        None if user == uplink::USER => Some(Publisher::ExternalBroker),
        None => (user == ANONYMOUS).then_some(Publisher::Superuser),
        Some(known) => match known.kind {
            UserKind::Device => device_of(known, dispatcher).map(Publisher::Device),
            UserKind::Person => Some(Publisher::Person(user.into())),
            UserKind::Tool => Some(Publisher::Tool(user.into())),
        },
    }
}

fn device_of(known: &Known, dispatcher: &Dispatcher) -> Option<DeviceIx> {
    dispatcher.program().device(known.device.as_deref()?)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    use broker::Version;
    use dispatcher::{Blocklist, Config};
    use types::Now;

    #[test]
    fn an_unknown_user_is_checked_as_a_known_one_is() {
        let text = "format = 1\n[device.a]\nid = 1\nio.b = { kind = \"button\" }\n";
        let house = mapping::load_texts([("mapping.toml", text.to_owned())]).program;
        let dispatcher = Dispatcher::new(
            house.expect("it checks"),
            Config::default(),
            Blocklist::default(),
            Now::default(),
        );
        let login = Login {
            client_id: "a",
            user: Some("nobody"),
            password: None,
            peer: ([10, 0, 0, 1], 1883).into(),
            version: Version::V5,
        };
        let access = |_: &str, _: &Known| panic!("nobody asks what nobody may do");
        match admit(&login, &dispatcher, None, access, Anonymous::Never) {
            Admission::Verify { hash, access } => {
                assert_eq!(hash, password::decoy());
                assert!(matches!(access, Err(Refusal::BadCredentials)));
            }
            other => panic!("{other:?}"),
        }
    }
}
