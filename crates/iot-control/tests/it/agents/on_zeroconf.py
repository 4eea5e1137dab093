"""Looks for services on this machine by multicast DNS, and tells each that comes or goes as a line of JSON.

Arguments: the types to look for. Ends with its standard input.
"""

import json
import socket
import sys

from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf


def told(zeroconf, service_type, name, state_change):
    line = {"type": service_type, "name": name, "is_there": state_change is not ServiceStateChange.Removed}
    info = zeroconf.get_service_info(service_type, name) if line["is_there"] else None
    if info is not None:
        line["port"] = info.port
        line["addresses"] = [socket.inet_ntoa(address) for address in info.addresses]
        line["texts"] = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
    print(json.dumps(line), flush=True)


zeroconf = Zeroconf(interfaces=["127.0.0.1"])
browser = ServiceBrowser(zeroconf, sys.argv[1:], handlers=[told])
sys.stdin.read()
browser.cancel()
zeroconf.close()
