//! Tells the local network where this house is reached, so that no program and no module needs an address: DNS-based service
//! discovery over multicast DNS (RFC 6763, RFC 6762).
//!
//! Called by [`super::serve`] once all sockets listen. A thread of the library answers and follows the machine's addresses as
//! they come and go; nothing of it touches the hot one. What isn't announced works all the same: a failure is told, and no more.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use wire::{PublicKey, Site};

use super::tls::{Address, Way};
use crate::{
    hex, printer,
    settings::{Mdns, Switch},
};

/// How long the end waits until the network has heard that the house is gone.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// Bytes of a label of DNS at most.
const LABEL_MAX: usize = 63;

/// A way into the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// As the registry of service names has it.
    kind: &'static str,
    address: SocketAddr,
    /// What a device that knows its house can tell this one by.
    site: Option<Site>,
}

/// The ways into a house that others on the network may look for: not those for browsers, which know their page.
pub(super) fn services(
    mqtt: &[Address],
    sealed: &[SocketAddr],
    own: Option<(PublicKey, Site)>,
) -> Vec<Service> {
    let mqtt = mqtt.iter().filter_map(|Address { way, address }| {
        let kind = match way {
            Way::Plain => "_mqtt._tcp.local.",
            Way::Tls => "_secure-mqtt._tcp.local.",
            Way::WebSocket | Way::WebSocketTls => return None,
        };
        Some(Service {
            kind,
            address: *address,
            site: None,
        })
    });
    let sealed = sealed.iter().map(|&address| Service {
        kind: "_iot-control._udp.local.",
        address,
        site: own.map(|(_, site)| site),
    });
    mqtt.chain(sealed).collect()
}

/// While this lives, the network is answered.
pub(super) struct Announced(ServiceDaemon);

impl Drop for Announced {
    fn drop(&mut self) {
        // The network forgets by itself whom it doesn't hear any more.
        if let Ok(gone) = self.0.shutdown() {
            drop(gone.recv_timeout(GOODBYE_MAX));
        }
    }
}

/// Announces what others can reach of `services`; `None`: nothing is, or it can't be.
pub(super) fn announce(settings: &Mdns, mut services: Vec<Service>) -> Option<Announced> {
    let is_local = settings.interfaces.iter().any(|name| name == "lo");
    services.retain(|service| is_local || !service.address.ip().is_loopback());
    if settings.announce == Switch::Off || services.is_empty() {
        return None;
    }
    for name in missing(&settings.interfaces) {
        printer::tell(format_args!(
            "mDNS: this machine has no network interface {name:?} now, which mdns.interfaces in settings.toml names; `ip link` lists them"
        ));
    }
    match begin(settings, &services, &host()) {
        Ok(announced) => Some(announced),
        Err(why) => {
            printer::tell(format_args!(
                "mDNS: {why}; others find this house by its address only (mdns.announce = \"off\" says nothing of it)"
            ));
            None
        }
    }
}

/// Names that no network interface has: a slip, or one that comes later.
fn missing(interfaces: &[String]) -> impl Iterator<Item = &String> {
    let known = Path::new("/sys/class/net");
    interfaces
        .iter()
        .filter(move |name| !known.join(name).exists())
}

fn begin(settings: &Mdns, services: &[Service], host: &str) -> mdns_sd::Result<Announced> {
    let announced = Announced(ServiceDaemon::new()?);
    let daemon = &announced.0;
    if settings.interfaces.is_empty() {
        daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    } else {
        daemon.disable_interface(IfKind::All)?;
        let names = settings.interfaces.iter().cloned();
        daemon.enable_interface(names.map(IfKind::Name).collect::<Vec<_>>())?;
    }
    for service in services {
        daemon.register(service.info(host)?)?;
    }
    Ok(announced)
}

impl Service {
    fn info(&self, host: &str) -> mdns_sd::Result<ServiceInfo> {
        let mut name = format!("iot-control on {host}");
        name.truncate(LABEL_MAX);
        let site = self.site.map(|Site(bytes)| ("site", hex::of(&bytes)));
        let texts: Vec<(&str, String)> = site.into_iter().collect();
        let (ip, port) = (self.address.ip(), self.address.port());
        let ips: &[IpAddr] = if ip.is_unspecified() { &[] } else { &[ip] };
        let host = format!("{host}.local.");
        let mut info = ServiceInfo::new(self.kind, &name, &host, ips, port, &texts[..])?;
        if ip.is_unspecified() {
            info = info.enable_addr_auto();
        }
        if ip.is_ipv4() {
            info.set_interfaces(vec![IfKind::IPv4]);
        }
        Ok(info)
    }
}

/// The machine's name, as a label of DNS.
fn host() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let label = name.split('.').next().unwrap_or_default();
    let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let label: String = label.chars().filter(fits).take(LABEL_MAX).collect();
    if label.is_empty() {
        "iot-control".to_owned()
    } else {
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, way: Way) -> Address {
        let address = address.parse().unwrap();
        Address { way, address }
    }

    #[test]
    fn what_others_can_look_for_is_named_as_they_look_for_it() {
        let mqtt = [
            at("0.0.0.0:1883", Way::Plain),
            at("0.0.0.0:8883", Way::Tls),
            at("0.0.0.0:9001", Way::WebSocket),
            at("0.0.0.0:9002", Way::WebSocketTls),
        ];
        let own = (PublicKey([1; 32]), Site([0xa5; 8]));
        let sealed = ["0.0.0.0:18884".parse().unwrap()];
        let services = services(&mqtt, &sealed, Some(own));
        let told = services.iter().map(|service| {
            let info = service.info("pi").unwrap();
            let site = info.get_property_val_str("site").map(str::to_owned);
            (info.get_fullname().to_owned(), info.get_port(), site)
        });
        let (mqtt, secure, sealed) = (
            "iot-control on pi._mqtt._tcp.local.".to_owned(),
            "iot-control on pi._secure-mqtt._tcp.local.".to_owned(),
            "iot-control on pi._iot-control._udp.local.".to_owned(),
        );
        let site = Some("a5a5a5a5a5a5a5a5".to_owned());
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (mqtt, 1883, None),
                (secure, 8883, None),
                (sealed, 18884, site)
            ]
        );
    }

    #[test]
    fn a_name_is_no_longer_than_dns_takes() {
        let service = Service {
            kind: "_mqtt._tcp.local.",
            address: "192.0.2.1:1883".parse().unwrap(),
            site: None,
        };
        let info = service.info(&"h".repeat(LABEL_MAX)).unwrap();
        let (name, _) = info.get_fullname().split_once("._mqtt").unwrap();
        assert_eq!(name.len(), LABEL_MAX);
    }

    #[test]
    fn an_interface_that_the_machine_lacks_is_told() {
        let names = ["lo", "eht0"].map(str::to_owned);
        assert_eq!(missing(&names).collect::<Vec<_>>(), ["eht0"]);
    }

    #[test]
    fn who_is_reached_on_this_machine_alone_announces_nothing() {
        let local = services(&[at("127.0.0.1:1883", Way::Plain)], &[], None);
        assert!(announce(&Mdns::default(), local).is_none());
    }
}
