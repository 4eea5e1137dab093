"""Rules as a dict, beside a broker: what a person writes who needs no dispatcher. Started by `cargo xtask bench`.

    dict.py HOST PORT RULES

RULES is a JSON file: "TOPIC#NUMBER" of an event -> [topic of the target, what is added to the event's value]. It has paho do what makes it
fast: no delay at the socket, no bound on messages in flight.
"""

import json
import socket
import sys

import paho.mqtt.client as mqtt

host, port, path = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    rules = {}
    for event, (topic, base) in json.load(file).items():
        event_topic, number = event.rsplit("#", 1)
        rules[event_topic, int(number)] = (topic, base)


def connected(client, _data, _flags, _reason, _properties):
    client.subscribe("iot/+/+/event", 2)


def no_delay(_client, _data, sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def heard(client, _data, message):
    event = json.loads(message.payload)
    rule = rules.get((message.topic, event["number"]))
    if rule is not None:
        topic, base = rule
        client.publish(topic, json.dumps({"angle": base + event["value"]}), message.qos)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="dict")
client.on_connect = connected
client.on_message = heard
client.on_socket_open = no_delay
client.max_inflight_messages_set(0)
client.connect(host, int(port))
client.loop_forever()
