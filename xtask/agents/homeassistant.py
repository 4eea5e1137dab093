"""Home Assistant itself against the dispatcher: what it shows, switches and forgets.

Run by `cargo xtask homeassistant` with the Python in which Home Assistant is installed, in a folder of its own. Starts the
dispatcher and Home Assistant, plays the module with paho, and asks Home Assistant's REST API. Ends with 1 where something is not as
it has to be.
"""

import atexit
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import paho.mqtt.client as mqtt

BINARY, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
BIN = pathlib.Path(sys.executable).parent
HALL = """
[device.hall]
id = 21
room = "Hall"
io.lamp   = { kind = "light" }
io.plug   = { kind = "switch" }
io.motion = { kind = "motion" }
io.door   = { kind = "contact" }
io.temp   = { kind = "temperature" }
io.power  = { kind = "analog", unit = "W" }
io.button = { kind = "button" }
io.blind  = { kind = "cover" }
io.bell   = { kind = "buzzer" }
io.pulses = { kind = "counter" }
io.vane   = { kind = "servo" }
io.fire   = { kind = "stove" }
"""
HOUSE = """
format = 1
allow = ["device-unused"]

[kind.stove]
target.mode = ["off", "eco", "max"]
target.note = "text"
target.fan  = "bool"
state.tank  = { kind = "number", min = 0, max = 100 }

[device.socket]
id = 22
mqtt = { preset = "zigbee2mqtt" }
io.plug = { kind = "switch" }
"""
# Entity -> what it shows after the module reported.
SHOWN = {
    "light.hall_lamp": "on",
    "switch.hall_plug": "on",
    "binary_sensor.hall_motion": "on",
    "binary_sensor.hall_door": "on",
    "sensor.hall_temp": "21.5",
    "sensor.hall_power": "40",
    "event.hall_button": None,
    "cover.hall_blind": "open",
    "siren.hall_bell": "off",
    "button.hall_bell_beep": "unknown",
    "sensor.hall_pulses_count": "7",
    "sensor.hall_pulses_rate": "1.5",
    "button.hall_pulses_reset": "unknown",
    "number.hall_vane": "90",
    "select.hall_fire_mode": "eco",
    "text.hall_fire_note": "warm",
    "switch.hall_fire_fan": "off",
    "sensor.hall_fire_tank": "55",
    "switch.socket_plug": "on",
}
REPORTS = {
    "lamp": '{"on":true,"brightness":40,"hue":120,"saturation":80}',
    "plug": "ON",
    "motion": '{"active":true}',
    "door": "open",
    "temp": "21.5",
    "power": '{"value":40}',
    "blind": '{"position":60}',
    "bell": "false",
    "pulses": '{"count":7,"rate":1.5}',
    "vane": '{"angle":90}',
    "fire": '{"mode":"eco","note":"warm","fan":false,"tank":55}',
}
# Service, entity and data -> what the module is told, where.
ORDERS = [
    ("light/turn_on", "light.hall_lamp", {"brightness_pct": 70}, "lamp/target", {"on": True, "brightness": 70}),
    ("light/turn_on", "light.hall_lamp", {"hs_color": [30, 60]}, "lamp/target", {"hue": 30, "saturation": 60}),
    ("light/turn_on", "light.hall_lamp", {"kelvin": 2700}, "lamp/target", {"kelvin": 2703}),
    ("light/turn_off", "light.hall_lamp", {}, "lamp/target", {"on": False}),
    ("switch/turn_off", "switch.hall_plug", {}, "plug/target", {"on": False}),
    ("cover/set_cover_position", "cover.hall_blind", {"position": 20}, "blind/target", {"position": 20}),
    ("cover/open_cover", "cover.hall_blind", {}, "blind/target", {"position": 100}),
    ("cover/stop_cover", "cover.hall_blind", {}, "blind/command", {"command": "stop"}),
    ("siren/turn_on", "siren.hall_bell", {}, "bell/target", {"on": True}),
    ("button/press", "button.hall_bell_beep", {}, "bell/command", {"command": "beep", "ms": 200}),
    ("button/press", "button.hall_pulses_reset", {}, "pulses/command", {"command": "reset"}),
    ("number/set_value", "number.hall_vane", {"value": 45}, "vane/target", {"angle": 45}),
    ("select/select_option", "select.hall_fire_mode", {"option": "max"}, "fire/target", {"mode": "max"}),
    ("text/set_value", "text.hall_fire_note", {"value": 'say "hot"'}, "fire/target", {"note": 'say "hot"'}),
    ("switch/turn_on", "switch.hall_fire_fan", {}, "fire/target", {"fan": True}),
]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


MQTT_PORT, HTTP_PORT = free_port(), free_port()
HOUSE_FOLDER, STATE, CONFIG = FOLDER / "house", FOLDER / "state", FOLDER / "config"


def until(what, found, seconds=60):
    """What `found` gives, as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = found()
        if got:
            return got
        time.sleep(0.1)
    raise SystemExit(f"error: {what} did not come within {seconds} s")


def dispatcher():
    environment = dict(
        os.environ,
        IOT_CONTROL__MQTT__LISTEN=f"127.0.0.1:{MQTT_PORT}",
        IOT_CONTROL__HOME_ASSISTANT__DISCOVERY="on",
    )
    log = open(FOLDER / "dispatcher.log", "a+")
    start = log.seek(0, 2)
    words = [BINARY, "run", HOUSE_FOLDER, "--state", STATE]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=log)

    def ready():
        assert process.poll() is None, (FOLDER / "dispatcher.log").read_text()
        return "ready in" in (FOLDER / "dispatcher.log").read_text()[start:]

    atexit.register(process.kill)
    until("the dispatcher", ready)
    return process


def login(name, *words):
    words = [BINARY, "user", "add", name, *words, "--state", STATE]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


class Client:
    """A module of the house, or a bridge."""

    def __init__(self, user, password, will=None, topics=()):
        self.got = []
        self.client = mqtt.Client(client_id=user)
        self.client.username_pw_set(user, password)
        if will:
            self.client.will_set(will, "offline", retain=True)
        self.client.on_connect = lambda client, *_: [client.subscribe(topic, 1) for topic in topics]
        self.client.on_message = lambda _, __, message: self.got.append((message.topic, message.payload.decode()))
        self.client.connect("127.0.0.1", MQTT_PORT)
        self.client.loop_start()

    def says(self, topic, payload, retain=True):
        self.client.publish(topic, payload, 1, retain).wait_for_publish(10)


def configure(password):
    """Home Assistant's folder, as its own dialogue would leave it."""
    (CONFIG / ".storage").mkdir(parents=True)
    (CONFIG / "configuration.yaml").write_text(
        f"http:\n  server_host: 127.0.0.1\n  server_port: {HTTP_PORT}\napi:\nwebsocket_api:\nlogger:\n  default: warning\n"
    )
    entry = {
        "entry_id": "8f6c2d1e4b5a49d38a7c0e1f2d3b4c5d",
        "version": 1,
        "minor_version": 1,
        "domain": "mqtt",
        "title": "iot-control",
        "data": {
            "broker": "127.0.0.1",
            "port": MQTT_PORT,
            "username": "ha",
            "password": password,
            "discovery": True,
        },
        "options": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "unique_id": None,
        "disabled_by": None,
    }
    store = {"version": 1, "minor_version": 1, "key": "core.config_entries", "data": {"entries": [entry]}}
    (CONFIG / ".storage/core.config_entries").write_text(json.dumps(store))
    words = [BIN / "hass", "--script", "auth", "--config", CONFIG, "add", "test", "a-password"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class HomeAssistant:
    def __init__(self):
        self.log = open(FOLDER / "home-assistant.log", "w")
        words = [BIN / "hass", "--config", CONFIG]
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log)
        self.token = None
        atexit.register(self.process.kill)
        until("Home Assistant", self.is_up, 120)
        client = f"http://127.0.0.1:{HTTP_PORT}/"
        asked = {"client_id": client, "handler": ["homeassistant", None], "redirect_uri": client}
        flow = self.ask("/auth/login_flow", asked)
        words = {"username": "test", "password": "a-password", "client_id": client}
        code = self.ask(f"/auth/login_flow/{flow['flow_id']}", words)["result"]
        form = f"grant_type=authorization_code&code={code}&client_id={client}".encode()
        self.token = json.loads(self.open("/auth/token", form, "application/x-www-form-urlencoded"))["access_token"]

    def is_up(self):
        assert self.process.poll() is None, (FOLDER / "home-assistant.log").read_text()
        try:
            self.open("/manifest.json")
            return True
        except OSError:
            return False

    def open(self, path, body=None, kind="application/json"):
        request = urllib.request.Request(f"http://127.0.0.1:{HTTP_PORT}{path}", body, {"Content-Type": kind})
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def ask(self, path, body=None):
        return json.loads(self.open(path, body and json.dumps(body).encode()))

    def states(self):
        ours = SHOWN.keys()
        return {row["entity_id"]: row for row in self.ask("/api/states") if row["entity_id"] in ours}

    def call(self, service, entity, data):
        self.ask(f"/api/services/{service}", dict(data, entity_id=entity))


def check(what):
    print(f"ok: {what}", flush=True)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    HOUSE_FOLDER.mkdir(parents=True)
    mapping = HOUSE_FOLDER / "mapping.toml"
    mapping.write_text(HOUSE + HALL)
    house = dispatcher()
    configure(login("ha", "--tool"))
    topics = ["iot/hall/+/target", "iot/hall/+/command"]
    hall = Client("hall", login("hall", "--device", "hall"), "iot/hall/availability", topics)
    bridge = Client("z2m", login("z2m", "--bridge", "zigbee2mqtt/#"), None, ["zigbee2mqtt/+/set"])
    home = HomeAssistant()
    try:
        until("all entities", lambda: home.states().keys() == SHOWN.keys())
        check(f"{len(SHOWN)} entities exist")
        for channel, report in REPORTS.items():
            hall.says(f"iot/hall/{channel}/state", report)
        bridge.says("zigbee2mqtt/socket", '{"state":"ON"}')

        def wrong():
            states = home.states()
            return {
                entity: (states[entity]["state"], shown)
                for entity, shown in SHOWN.items()
                if shown is not None and not same(states[entity]["state"], shown)
            }

        def is_shown():
            global left
            left = wrong()
            return not left

        try:
            until("what the module reports", is_shown, 20)
        except SystemExit:
            raise SystemExit(f"error: (is, should be): {left}") from None
        lamp = home.states()["light.hall_lamp"]["attributes"]
        assert lamp["brightness"] == 102 and lamp["color_mode"] == "hs", lamp

        def is_pressed():
            # It subscribes a moment after its entities are there.
            hall.says("iot/hall/button/event", '{"event":"press"}', retain=False)
            return home.states()["event.hall_button"]["attributes"]["event_type"] == "press"

        until("a press", is_pressed, 20)
        check("every report is shown")
        for service, entity, data, leaf, told in ORDERS:
            hall.got.clear()
            home.call(service, entity, data)
            topic = f"iot/hall/{leaf}"

            def is_told():
                got = [json.loads(payload) for where, payload in list(hall.got) if where == topic]
                return any(told.items() <= one.items() for one in got)

            try:
                until(f"{service} {data}", is_told, 10)
            except SystemExit as error:
                raise SystemExit(f"{error}; the module got {hall.got}") from None
        home.call("switch/turn_off", "switch.socket_plug", {})
        until("a foreign device's target", lambda: ("zigbee2mqtt/socket/set", '{"state":"OFF"}') in bridge.got, 10)
        check(f"{len(ORDERS) + 1} services reach their consumers")
        log = (FOLDER / "home-assistant.log").read_text()
        bad = [line for line in log.splitlines() if "mqtt" in line and ("ERROR" in line or "WARNING" in line)]
        assert not bad, "\n".join(bad)
        check("Home Assistant complains of nothing")
        house.kill()
        house.wait()
        gone = lambda: home.states()["switch.hall_plug"]["state"] == "unavailable"
        until("nobody being there", gone)
        house = dispatcher()
        until("everybody being back", lambda: home.states()["sensor.hall_temp"]["state"] == "21.5", 180)
        check("after a kill of the dispatcher all is available again")
        mapping.write_text((HOUSE + HALL).replace('io.vane   = { kind = "servo" }\n', ""))
        until("the vane being gone", lambda: "number.hall_vane" not in home.states())
        check("a channel that was removed is gone")
        house.kill()
        house.wait()
        mapping.write_text(HOUSE)
        house = dispatcher()
        is_gone = lambda: home.states().keys() == {"switch.socket_plug"}
        until("the hall being gone", is_gone, 180)
        check("a device that was removed while the dispatcher was off is gone")
    finally:
        home.process.terminate()
        house.kill()
        home.process.wait(60)


def same(is_, shown):
    try:
        return float(is_) == float(shown)
    except ValueError:
        return is_ == shown


main()
