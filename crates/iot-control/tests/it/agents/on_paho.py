"""An MQTT 5 client on paho: takes orders on stdin, tells what happens on stdout, JSON by the line."""

import json
import sys
import threading

import paho.mqtt.client as mqtt

LOCK = threading.Lock()


def tell(**what):
    with LOCK:
        print(json.dumps(what), flush=True)


def connect(order):
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=order["id"],
        protocol=mqtt.MQTTv5,
        reconnect_on_failure=False,
        transport="websockets" if order["scheme"].startswith("ws") else "tcp",
    )
    if order["ca"] is not None:
        client.tls_set(order["ca"])
    if order["user"] is not None:
        client.username_pw_set(order["user"], order["password"])
    if order["will"]:
        client.will_set(order["will"]["topic"], order["will"]["payload"], qos=1, retain=True)
    granted = []

    def connected(client, _userdata, _flags, reason, _properties):
        if reason.is_failure:
            tell(said="refused", code=reason.value)
            return
        tell(said="connected")
        for filter in order["filters"]:
            client.subscribe(filter, qos=1)

    def subscribed(_client, _userdata, _mid, reasons, _properties):
        granted.extend(reason.value for reason in reasons)
        if len(granted) == len(order["filters"]):
            tell(said="subscribed", codes=granted)

    def published(_client, _userdata, _mid, reason, _properties):
        tell(said="published", code=reason.value)

    def came(_client, _userdata, message):
        tell(
            said="message",
            topic=message.topic,
            payload=message.payload.hex(),
            retain=bool(message.retain),
            qos=message.qos,
        )

    client.on_connect = connected
    client.on_subscribe = subscribed
    client.on_message = came
    client.on_disconnect = lambda *_: tell(said="lost")
    client.acked = published
    client.connect("127.0.0.1", order["port"], keepalive=30)
    client.loop_start()
    return client


def main():
    client = None
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "connect":
            client = connect(order)
        elif order["do"] == "publish":
            # paho calls on_publish for QoS 0 as well; nobody waits for those.
            client.on_publish = client.acked if order["qos"] else None
            client.publish(
                order["topic"],
                bytes.fromhex(order["payload"]),
                qos=order["qos"],
                retain=order["retain"],
            )
        else:
            client.disconnect()
            client.loop_stop()
            return


main()
