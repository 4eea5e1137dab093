#!/bin/sh
# Who is at home, by their phones: looks for each phone now and then, and tells the house.
#
#   presence.sh DEVICE CHANNEL=PHONE ..
#   presence.sh people anna=192.168.1.20 ben=a4:c3:f0:12:34:56
#
# A PHONE is an address that answers a ping, or a MAC address: then the address is the one that dnsmasq, the DHCP server of
# many routers, gave it. DEVICE is a virtual device of the house:
#
#   [device.people]
#   virtual = true
#   io.anna = { kind = "presence" }
#   io.ben  = { kind = "presence" }
#
# Its login is `iot-control user add presence --device people`. mosquitto_pub reads it from ~/.config/mosquitto_pub, where
# nobody else sees it: a line `-u presence`, a line `-P PASSWORD`, and `-h HOST` where the house runs elsewhere.
set -eu

# Seconds between two looks.
every=${EVERY_S:-15}
# Looks in vain until somebody counts as away: a phone sleeps for minutes.
away_after=${AWAY_AFTER:-20}
# Looks after which it is told again, changed or not: the house may have been away.
again_after=${AGAIN_AFTER:-40}
leases=${LEASES:-/var/lib/misc/dnsmasq.leases}

if [ $# -lt 2 ]; then
  echo "usage: presence.sh DEVICE CHANNEL=PHONE .." >&2
  exit 2
fi
device=$1
shift
notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT
trap 'exit 0' INT TERM

# The address of a phone; nothing: it has none.
address() { # PHONE
  case $1 in
    *:*:*:*:*:*)
      [ -r "$leases" ] || return 0
      # Time of expiry, MAC, address, name; 0 is a lease for good.
      awk -v mac="$1" -v now="$(date +%s)" \
        'tolower($2) == tolower(mac) && ($1 == 0 || $1 > now) { print $3; exit }' "$leases"
      ;;
    *) echo "$1" ;;
  esac
}

is_there() { # PHONE
  address=$(address "$1")
  [ -n "$address" ] && ping -c 1 -W 2 "$address" >/dev/null 2>&1
}

note() { # NAME: what was noted, 0 at first
  cat "$notes/$1" 2>/dev/null || echo 0
}

look() { # CHANNEL PHONE
  missed=$(($(note "$1.missed") + 1))
  if is_there "$2"; then
    missed=0
  fi
  echo "$missed" >"$notes/$1.missed"
  if [ "$missed" -eq 0 ]; then
    word=home
  elif [ "$missed" -ge "$away_after" ]; then
    word=away
  else
    return 0
  fi
  since=$(($(note "$1.since") + 1))
  if [ "$word" != "$(note "$1.told")" ] || [ "$since" -ge "$again_after" ]; then
    # What can't be told is told with the next look.
    mosquitto_pub -q 1 -r -t "iot/$device/$1/state" -m "$word" || return 0
    echo "$word" >"$notes/$1.told"
    since=0
  fi
  echo "$since" >"$notes/$1.since"
}

while :; do
  for pair in "$@"; do
    look "${pair%%=*}" "${pair#*=}"
  done
  sleep "$every"
done
