//! Settings as people write them, right and wrong.

use std::collections::BTreeMap;

use super::{keys::KEYS, *};

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()))
        .collect()
}

/// What is said about a file and variables.
fn wrong(text: &str, variables: &[(&str, &str)]) -> String {
    Settings::parse("settings.toml", text, &environment(variables))
        .expect_err("something is wrong")
        .to_string()
}

fn read(text: &str, variables: &[(&str, &str)]) -> Settings {
    Settings::parse("settings.toml", text, &environment(variables))
        .unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Each key with a value that is not its default, as the file has it and as a variable has it.
const VALUES: &[(&str, &str, &str)] = &[
    ("state", "\"/srv/house\"", "/srv/house"),
    ("stream", "\"off\"", "off"),
    ("broker", "\"mqtt://hub\"", "mqtt://hub"),
    ("broker_password", "\"s3cret\"", "s3cret"),
    ("broker_ca", "\"ca.pem\"", "ca.pem"),
    (
        "mqtt.listen",
        "[\"127.0.0.1:1999\", \"[::1]:2000\"]",
        "127.0.0.1:1999, [::1]:2000",
    ),
    ("mqtt.tls_listen", "\"[::]:8883\"", "[::]:8883"),
    (
        "mqtt.websocket_listen",
        "\"127.0.0.1:8083\"",
        "127.0.0.1:8083",
    ),
    ("mqtt.websocket_tls_listen", "\"[::]:8084\"", "[::]:8084"),
    (
        "mqtt.websocket_origins",
        "[\"https://panel.example.org\", \"http://192.168.1.6:1880\"]",
        "https://panel.example.org, http://192.168.1.6:1880",
    ),
    ("mqtt.anonymous", "\"loopback\"", "loopback"),
    ("mqtt.connections_max", "7", "7"),
    ("mqtt.address_connections_per_s_max", "8", "8"),
    ("mqtt.packet_bytes_max", "4_096", "4_096"),
    ("mqtt.client_messages_per_s_max", "9", "9"),
    ("mqtt.burst_pause_us_max", "50", "50"),
    ("mqtt.sys_interval_s", "0", "0"),
    ("tls.certificate", "\"tls/server.pem\"", "tls/server.pem"),
    ("tls.key", "\"tls/server.key\"", "tls/server.key"),
    ("tls.client_ca", "\"tls/ca.pem\"", "tls/ca.pem"),
    ("udp.listen", "\"127.0.0.1:18884\"", "127.0.0.1:18884"),
    ("web.listen", "[]", ""),
    ("mdns.announce", "'off'", "off"),
    ("mdns.interfaces", "['eth0', 'wlan0']", "eth0, wlan0"),
    ("engine.fuse", "10", "10"),
    ("journal.sync_s", "11", "11"),
    ("journal.keep_days", "12", "12"),
    ("journal.size_mib_max", "0xD", "13"),
    ("history.keep_days", "90", "90"),
    ("home_assistant.discovery", "\"on\"", "on"),
    ("home_assistant.prefix", "\"ha\"", "ha"),
    ("notify.phone.kind", "\"mqtt\"", "mqtt"),
    (
        "notify.phone.url",
        "\"https://ntfy.home\"",
        "https://ntfy.home",
    ),
    ("notify.phone.topic", "\"house\"", "house"),
    ("notify.phone.token", "\"1234\"", "1234"),
    ("notify.phone.field", "\"content\"", "content"),
    ("notify.phone.host", "\"mail.home\"", "mail.home"),
    ("notify.phone.port", "2525", "2525"),
    ("notify.phone.security", "\"starttls\"", "starttls"),
    ("notify.phone.user", "\"house\"", "house"),
    ("notify.phone.password", "\"s3cret\"", "s3cret"),
    ("notify.phone.from", "\"house@home\"", "house@home"),
    (
        "notify.phone.to",
        "[\"a@home\", \"b@home\"]",
        "a@home, b@home",
    ),
    ("notify.phone.ca", "\"ca.pem\"", "ca.pem"),
    ("presence.reports_missed_max", "0", "0"),
    ("presence.silence_max.hall_sensor", "\"26h\"", "26h"),
    ("reload.watch", "false", "false"),
];

#[test]
fn every_key_can_be_set_in_the_file_and_by_a_variable() {
    let known: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
    let tested = VALUES
        .iter()
        .map(|(path, ..)| path.replace(".hall_sensor", ".*").replace(".phone.", ".*."));
    assert_eq!(tested.collect::<Vec<_>>(), known);
    for (path, in_file, in_variable) in VALUES {
        if path.starts_with("notify.phone.") {
            // One alone makes no carrier; that it is read is seen before they are put together.
            let mut both = [Settings::default(), Settings::default()];
            let text = format!("{path} = {in_file}\n");
            let key = format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"));
            let variable = BTreeMap::from([(key, (*in_variable).to_owned())]);
            let mut places = read::Places::new();
            let complaints = [
                read::file(&mut both[0], "", &text, &mut places),
                read::environment(&mut both[1], &variable, &mut places),
            ];
            assert!(complaints.iter().all(Vec::is_empty), "{complaints:?}");
            assert_eq!(both[0], both[1], "{path}");
            assert_ne!(both[0], Settings::default(), "{path}");
            continue;
        }
        let from_file = read(&format!("{path} = {in_file}\n"), &[]);
        let variable = path.to_uppercase().replace('.', "__");
        let from_variable = read("", &[(&variable, in_variable)]);
        assert_eq!(from_file, from_variable, "{path}");
        assert_ne!(from_file, Settings::default(), "{path}");
    }
    let alone = VALUES
        .iter()
        .filter(|(path, ..)| !path.starts_with("notify."));
    let sections: String = alone
        .map(|(path, in_file, _)| format!("{path} = {in_file}\n"))
        .collect();
    assert_eq!(read(&sections, &[]).journal.size_mib_max, 13);
}

#[test]
fn the_documentation_has_every_key_and_no_other() {
    let text = include_str!("../../../../docs/settings.md");
    let documented = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let known = KEYS.iter().map(|key| key.path.replace('*', "NAME"));
    assert_eq!(documented.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[mqtt]\nlisten = [\"127.0.0.1:1999\"]\n";
    let settings = read(text, &[("MQTT__LISTEN", "127.0.0.1:0, [::1]:0")]);
    assert_eq!(settings.mqtt.listen.len(), 2);
    assert_eq!(settings.mqtt.listen[0].port(), 0);
    assert_eq!(settings.journal.keep_days.get(), 14);
}

#[test]
fn one_address_needs_no_list() {
    let settings = read("mqtt.listen = \"127.0.0.1:2884\"\n", &[]);
    assert_eq!(settings.mqtt.listen.len(), 1);
    assert_eq!(settings.mqtt.listen[0].port(), 2884);
}

#[test]
fn machines_are_answered_on_loopback_unless_somebody_says_otherwise() {
    assert_eq!(
        read("", &[]).web.listen,
        ["127.0.0.1:8484".parse().unwrap()]
    );
    assert_eq!(read("web.listen = \"\"\n", &[]).web.listen, []);
    assert_eq!(read("web.listen = \"[::]:80\"\n", &[]).web.listen.len(), 1);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_was_meant() {
    for (text, expected) in [
        (
            "[mqtt]\nlistn = []\n",
            "settings.toml:2:1: there is no setting `mqtt.listn`; did you mean `listen`?",
        ),
        (
            "[mqtt]\nport = 1883\n",
            "settings.toml:2:1: there is no setting `mqtt.port`; write `listen = [\"0.0.0.0:1883\"]`, with each address and its port",
        ),
        (
            "[mqtt]\nallow_anonymous = true\n",
            "settings.toml:2:1: there is no setting `mqtt.allow_anonymous`; write `anonymous = \"loopback\"`, or \"never\"",
        ),
        (
            "[mqtt]\n\nanonymous = \"everybody\"\n",
            "settings.toml:3:13: `mqtt.anonymous` takes 'never' or 'loopback', not 'everybody'",
        ),
        (
            "[jornal]\nsync_s = 1\n",
            "settings.toml:1:2: there is no setting `jornal`; did you mean `journal`?",
        ),
        (
            "keep_days = 3\n",
            "settings.toml:1:1: there is no setting `keep_days`; did you mean `journal.keep_days`?",
        ),
        (
            "journal = 3\n",
            "settings.toml:1:1: `journal` is a section: write [journal], and its keys below",
        ),
        (
            "journal.keep_days = 0\n",
            "settings.toml:1:21: `journal.keep_days` takes a whole number from 1 to 36500, not '0'",
        ),
        (
            "journal.keep_days = -1\n",
            "settings.toml:1:21: `journal.keep_days` takes a whole number from 1 to 36500, not '-1'",
        ),
        (
            "mqtt.listen = \"0.0.0.0\"\n",
            "settings.toml:1:15: `mqtt.listen` takes addresses with a port, as in [\"0.0.0.0:1883\", \"[::]:1883\"], \
             not '0.0.0.0'",
        ),
        (
            "[notify.phone]\nkind = \"ntfi\"\n",
            "settings.toml:2:8: `notify.phone.kind` takes 'ntfy' or 'webhook' or 'smtp' or 'mqtt', not 'ntfi'",
        ),
        (
            "[mqtt]\nlisten = [\"127.0.0.1:2884]\n",
            "settings.toml:2:27: this text has no closing `\"`",
        ),
        (
            "mqtt.listen = [\"localhost\"]\n",
            "settings.toml:1:15: `mqtt.listen` takes addresses with a port, as in [\"0.0.0.0:1883\", \"[::]:1883\"], \
             not 'localhost'",
        ),
        (
            "reload.watch = \"yes\"\n",
            "settings.toml:1:16: `reload.watch` takes true or false, not 'yes'",
        ),
        (
            "[presence.silence_max]\nhall = 3\n",
            "settings.toml:2:8: `presence.silence_max.hall` takes a time such as \"800ms\", \"30s\", \
             \"5m\", \"1h30m\" or \"2d\", not '3'",
        ),
        (
            "presence.silence_max.hall = \"0s\"\n",
            "settings.toml:1:29: `presence.silence_max.hall` takes at least 1 s and at most 31536000 s, not '0s'",
        ),
        (
            "presence.silence_max.Hall = \"1m\"\n",
            "settings.toml:1:22: `presence.silence_max.Hall`: a name has small letters, digits and '_', and begins with \
             a letter",
        ),
        (
            "[reload.watch]\nx = 1\n",
            "settings.toml:1:1: `reload.watch` takes true or false, not a table",
        ),
    ] {
        assert_eq!(wrong(text, &[]), expected, "{text}");
    }
    for (key, value, expected) in [
        (
            "MQTT__LISTN",
            "x",
            "environment variable IOT_CONTROL__MQTT__LISTN: there is no such setting; did you mean \
             IOT_CONTROL__MQTT__LISTEN?",
        ),
        (
            "MQTT__CONNECTIONS_MAX",
            "many",
            "environment variable IOT_CONTROL__MQTT__CONNECTIONS_MAX: takes a whole number from 1 to 1000000, not 'many'",
        ),
        (
            "",
            "x",
            "environment variable IOT_CONTROL__: there is no such setting",
        ),
        (
            "PRESENCE__SILENCE_MAX__9",
            "1m",
            "environment variable IOT_CONTROL__PRESENCE__SILENCE_MAX__9: there is no such setting; did you mean \
             IOT_CONTROL__PRESENCE__SILENCE_MAX__NAME?",
        ),
        (
            "PRESENCE__SILENCE_MAX__HALL__LAMP",
            "1m",
            "environment variable IOT_CONTROL__PRESENCE__SILENCE_MAX__HALL__LAMP: there is no such setting; did you mean \
             IOT_CONTROL__PRESENCE__SILENCE_MAX__NAME?",
        ),
    ] {
        assert_eq!(wrong("", &[(key, value)]), expected, "{key}");
    }
}

#[test]
fn a_list_in_a_variable_is_parted_by_commas_or_as_the_file_writes_it() {
    for (value, expected) in [
        ("[]", &[][..]),
        ("", &[]),
        (" [ ] ", &[]),
        ("127.0.0.1:1,[::1]:2", &["127.0.0.1:1", "[::1]:2"]),
        ("[\"127.0.0.1:1\", '[::1]:2',]", &["127.0.0.1:1", "[::1]:2"]),
    ] {
        let read = Settings::parse("", "", &environment(&[("WEB__LISTEN", value)]));
        let listen = read.expect("it is a list").web.listen;
        let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
        assert_eq!(listen, expected, "{value}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = "stream = 1\n[mqtt]\nlistn = []\nanonymous = 2\n[engine\n";
    let said = wrong(text, &[("X", "1")]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    for (line, place) in lines.iter().zip([":1:", ":3:", ":4:", ":5:", "__X:"]) {
        assert!(line.contains(place), "{place} in {said}");
    }
}

#[test]
fn what_people_type_never_panics() {
    let nul = "mqtt.listen = [\"\\u0000\"]\n\u{0}";
    for text in [
        nul,
        "=",
        "[[mqtt]]\nlisten = 1",
        "\u{feff}stream = \"on\"",
        "[mqtt",
        "a.b.c = {}",
    ] {
        let _ = Settings::parse("settings.toml", text, &BTreeMap::new());
    }
    for value in ["", "\0", "99999999999999999999", "-", "ü", "1,,2"] {
        for (path, ..) in VALUES {
            let variable = path.to_uppercase().replace('.', "__");
            let _ = Settings::parse("", "", &environment(&[(&variable, value)]));
        }
    }
}

#[test]
fn carriers_are_read_whole_and_completed_by_variables() {
    let text = r#"
        [notify.phone]
        kind = "ntfy"
        topic = "house-4711"

        [notify.mail]
        kind = "smtp"
        host = "mail.example.org"
        user = "house"
        from = "iot-control <house@example.org>"
        to = ["anna@example.org"]

        [notify.wall]
        kind = "mqtt"
    "#;
    let settings = read(text, &[("NOTIFY__MAIL__PASSWORD", "s3cret")]);
    let names = settings
        .notify
        .carriers
        .iter()
        .map(|carrier| &*carrier.name);
    assert_eq!(names.collect::<Vec<_>>(), ["mail", "phone"]);
    assert!(settings.notify.mqtt.contains("wall"));
    let ::notify::Way::Ntfy(ntfy) = &settings.notify.carriers[1].way else {
        panic!("{settings:?}");
    };
    assert_eq!(ntfy.server, "https://ntfy.sh");
    assert!(!format!("{settings:?}").contains("s3cret"));
    // All of it from variables.
    let settings = read(
        "",
        &[
            ("NOTIFY__MY_HOOK__KIND", "webhook"),
            ("NOTIFY__MY_HOOK__URL", "https://example.org/s3cret"),
        ],
    );
    assert_eq!(&*settings.notify.carriers[0].name, "my_hook");
}

#[test]
fn what_is_wrong_with_a_carrier_is_said_at_its_key_and_without_a_secret() {
    for (text, expected) in [
        (
            "[notify.phone]\n",
            ":1:9: `notify.phone`: `kind` is missing: one of 'ntfy', 'webhook', 'smtp', 'mqtt'",
        ),
        (
            "[notify.phone]\nkind = \"ntfi\"\n",
            ":2:8: `notify.phone.kind` takes 'ntfy' or 'webhook' or 'smtp' or 'mqtt', not 'ntfi'",
        ),
        (
            "[notify.phone]\nkind = \"ntfy\"\n",
            ":1:9: `notify.phone`: `topic` is missing",
        ),
        (
            "[notify.phone]\nkind = \"ntfy\"\ntopic = \"x\"\npassword = \"s3cret\"\n",
            ":4:12: `notify.phone.password`: ntfy has no `password`; it takes url, topic, token, ca",
        ),
        (
            "[notify.phone]\nkind = \"mqtt\"\ntopic = \"s3cret\"\n",
            ":3:9: `notify.phone.topic`: mqtt has no `topic`; it takes no other key",
        ),
        (
            "[notify.all]\nkind = \"mqtt\"\n",
            ":1:9: `notify.all`: `all` stands for every carrier: choose another name",
        ),
        (
            "[notify.phone]\nkind = \"ntfy\"\ntopic = \"s3cret topic\"\n",
            ":3:9: `notify.phone.topic`: a topic of ntfy has 1 to 64 letters, digits, '-' or '_'",
        ),
        (
            "[notify.hook]\nkind = \"webhook\"\nurl = \"s3cret\"\n",
            ":1:9: `notify.hook`: the address is none: it begins with http:// or https://, names a host, and holds no spaces",
        ),
        (
            "[notify.hook]\nkind = \"webhook\"\nurl = 4711\n",
            ":3:7: `notify.hook.url` takes a text in quotes",
        ),
        (
            "[notify.hook]\ntoken = [\"s3cret\"]\n",
            ":2:9: `notify.hook.token` takes a text in quotes",
        ),
        (
            "[notify.hook]\ntokn = \"s3cret\"\n",
            ":2:1: there is no setting `notify.hook.tokn`; did you mean `token`?",
        ),
        ("[notify.hook]\ntoken = \"s3cret\ntoken2 = 1\n", ":2:"),
        (
            "notify.hook = \"s3cret\"\n",
            ":1:8: `notify.hook` is a section: write [notify.hook], and its keys below",
        ),
        (
            "[notify.mail]\nkind = \"smtp\"\nhost = \"10.0.0.4\"\nuser = \"u\"\npassword = \"s3cret\"\nsecurity = \"none\"\n",
            ":6:12: `notify.mail.security`: a password would go through the network for everybody to read: set it to 'tls' or \
             'starttls'",
        ),
        (
            "[notify.mail]\nkind = \"smtp\"\nhost = \"m\"\nfrom = \"x\"\nto = [\"a@b.c\"]\n",
            ":1:9: `notify.mail`: 'x' is no mail address",
        ),
        (
            "[notify.mail]\nkind = \"smtp\"\nhost = \"m\"\npassword = \"s3cret\"\n",
            ":1:9: `notify.mail`: `user` is missing",
        ),
        (
            "[notify.phone]\nkind = \"ntfy\"\ntopic = \"x\"\nca = \"/nowhere/ca.pem\"\n",
            ":4:6: `notify.phone.ca`: /nowhere/ca.pem: No such file",
        ),
    ] {
        let said = wrong(text, &[]);
        assert!(said.contains(expected), "{expected}\nin\n{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    let said = wrong(
        "",
        &[
            ("NOTIFY__PHONE__TOKEN", "s3cret\r\n"),
            ("NOTIFY__PHONE__KIND", "ntfy"),
        ],
    );
    assert_eq!(
        said,
        "environment variable IOT_CONTROL__NOTIFY__PHONE__KIND: `notify.phone`: `topic` is missing"
    );
    let said = wrong(
        "",
        &[
            ("NOTIFY__PHONE__TOPIC", "x"),
            ("NOTIFY__PHONE__TOKEN", "s3cret\r\n"),
            ("NOTIFY__PHONE__KIND", "ntfy"),
        ],
    );
    assert!(
        said.contains("the token holds a character that no token has") && !said.contains("s3cret"),
        "{said}"
    );
}

/// `toml settings` in the docs; the dispatcher's tests look at all other snippets.
#[test]
fn settings_that_the_docs_show_are_read() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut checked = 0;
    for document in std::fs::read_dir(docs).expect("the docs are there") {
        let document = document.expect("the docs are there").path();
        let text = std::fs::read_to_string(&document).expect("the docs are there");
        for snippet in text.split("\n```toml settings\n").skip(1) {
            let (snippet, _) = snippet.split_once("\n```").expect("a fence is closed");
            // What the snippet itself says of the environment.
            let variables = [("NOTIFY__MAIL__PASSWORD", "s3cret")];
            let variables = if snippet.contains(variables[0].0) {
                &variables[..]
            } else {
                &[]
            };
            let settings = read(snippet, variables);
            assert_ne!(
                settings,
                Settings::default(),
                "{}: {snippet}",
                document.display()
            );
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked} snippets");
}

#[test]
fn each_simulated_house_has_a_state_folder_of_its_own_and_keeps_it() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let settings = read("", &[]);
    let folder_of = |name: &str| {
        let house = parent.path().join(name);
        std::fs::create_dir_all(&house).expect("it is made");
        settings.state_folder(Some(&house))
    };
    let (one, other) = (folder_of("a/my house"), folder_of("b/my house"));
    assert_ne!(one, other);
    assert_eq!(one, folder_of("a/my house"));
    assert_eq!(one, folder_of("b/../a/my house"));
    let name = one.file_name().and_then(std::ffi::OsStr::to_str);
    assert!(
        name.is_some_and(|name| name.starts_with("my-house-")),
        "{one:?}"
    );
    assert_eq!(one.parent(), Some(&*simulations_folder()));
    let long = folder_of(&"x".repeat(200));
    assert!(long.file_name().is_some_and(|name| name.len() < 40));
    let named = read("state = \"/srv/house\"", &[]);
    assert_eq!(
        named.state_folder(Some(parent.path())),
        Path::new("/srv/house")
    );
}

#[test]
fn the_state_of_the_file_begins_at_the_house_and_a_home_is_written_whole() {
    let state = |text: &str, variables: &[(&str, &str)]| {
        let read = Settings::parse("/srv/house/settings.toml", text, &environment(variables));
        read.unwrap_or_else(|wrong| panic!("{wrong}")).state
    };
    let is = |path: &str| Some(PathBuf::from(path));
    assert_eq!(
        state("state = \"../state\"", &[]),
        is("/srv/house/../state")
    );
    assert_eq!(state("state = \"/var/state\"", &[]), is("/var/state"));
    // As the option of the same meaning, which people type where they stand.
    let typed = [("STATE", "here")];
    assert_eq!(state("", &typed), is("here"));
    for home in ["~", "~/state"] {
        let said = wrong(&format!("state = \"{home}\""), &[]);
        assert!(said.contains("write the path whole"), "{said}");
        assert!(
            said.contains(&format!("\"/home/NAME{}\"", &home[1..])),
            "{said}"
        );
    }
    assert_eq!(state("state = \"~other\"", &[]), is("/srv/house/~other"));
}

#[test]
fn the_state_of_a_house_that_is_put_elsewhere_begins_there() {
    let staged = tempfile::tempdir().expect("a folder for the test");
    let file = staged.path().join(FILE);
    std::fs::write(file, "state = \"../state\"\n").expect("it is written");
    let state = Settings::state_of(FILE, staged.path(), Path::new("/srv/house"));
    let state = state.expect("they are settings");
    assert_eq!(state, Some(PathBuf::from("/srv/house/../state")));
}
