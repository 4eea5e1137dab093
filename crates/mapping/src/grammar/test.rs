//! Test files.

use super::{DURATION, Form, Forms, Keys, Names, Others, TEXT, Takes, Values, keys, words};

/// A file of tests.
pub static TESTS: Keys = keys!(
    "a test file",
    Others::Nothing,
    (
        "test",
        May,
        Takes::Declares(Names::Test, &Takes::Table(&TEST)),
        "what must happen, on virtual time"
    ),
);

/// `[test.T]`.
pub static TEST: Keys = keys!(
    "a test",
    Others::Nothing,
    (
        "start",
        May,
        Takes::Moment,
        "local date and time at which it starts"
    ),
    (
        "only",
        May,
        Takes::List(&Takes::Name(Names::Rule)),
        "the rules that it is about; all others rest"
    ),
    (
        "given",
        May,
        Takes::Table(&GIVEN),
        "how the house is before the first step"
    ),
    (
        "steps",
        Must,
        Takes::List(&Takes::Table(&STEP)),
        "what happens, in order"
    ),
    ("note", May, TEXT, "for people"),
);

/// `given = { .. }`.
pub static GIVEN: Keys = keys!(
    "`given`",
    Others::Nothing,
    (
        "state",
        May,
        Takes::Values(Values::State),
        "what was reported"
    ),
    ("var", May, Takes::VarValues, "variables"),
    (
        "offline",
        May,
        Takes::List(&Takes::Name(Names::Device)),
        "devices that are not there"
    ),
    (
        "blocked",
        May,
        Takes::List(&Takes::Name(Names::Device)),
        "devices that are blocked"
    ),
    ("sun", May, words(&["up", "down"]), "the sun stands still"),
    (
        "clock",
        May,
        words(&["unsynced"]),
        "the dispatcher does not know the time yet"
    ),
    (
        "age",
        May,
        Takes::Values(Values::Age),
        "how long ago it was reported"
    ),
    (
        "holds",
        May,
        Takes::By(Names::Rule, &HELD),
        "conditions that are true already: for how long, or that their rule has fired"
    ),
    (
        "fired",
        May,
        Takes::By(Names::Rule, &Takes::OneOrMore(&DURATION)),
        "how long ago rules fired that have a `limit`"
    ),
    (
        "timers",
        May,
        Takes::By(Names::Timer, &DURATION),
        "timers that run: how long they have to go"
    ),
    (
        "on_for",
        May,
        Takes::Values(Values::OnFor),
        "outputs that are on for a time: how long still"
    ),
    (
        "kept",
        May,
        Takes::Values(Values::Kept),
        "outputs that are kept from rules: how long still"
    ),
);

/// What a `holds` of a rule was before the test.
static HELD: Takes = Takes::Either(&[HELD_SO_LONG, Takes::ByPlace(&HELD_SO_LONG)]);
const HELD_SO_LONG: Takes = Takes::Either(&[words(&["fired"]), DURATION]);

/// `restart = { .. }`.
pub static RESTART: Keys = keys!(
    "`restart`",
    Others::Nothing,
    (
        "down",
        Must,
        DURATION,
        "how long the dispatcher is not there"
    ),
    (
        "clock",
        May,
        words(&["unsynced"]),
        "it comes up without knowing the time, after a power cut"
    ),
);

/// A step. `set` takes fields of its channel beside it.
pub static STEP: Keys = keys!(
    "a step",
    Others::FieldsOf("set"),
    (
        "at",
        May,
        DURATION,
        "time since the start; absent: as the step before"
    ),
    (
        "event",
        May,
        Takes::Name(Names::OneEvent),
        "this event comes"
    ),
    ("with", May, Takes::FieldsOf("event"), "the event's fields"),
    (
        "report",
        May,
        Takes::Values(Values::State),
        "a channel reports"
    ),
    (
        "set",
        May,
        Takes::Name(Names::Target),
        "a person asks for a target"
    ),
    (
        "restart",
        May,
        Takes::Table(&RESTART),
        "the dispatcher is killed, and comes back after a while"
    ),
    (
        "clock",
        May,
        Takes::Either(&[words(&["synced"]), Takes::Moment]),
        "the clock is synced, or set to this local time"
    ),
    (
        "sun",
        May,
        words(&["up", "down", "real"]),
        "the sun stands still from now on, or goes its way"
    ),
    (
        "hold",
        May,
        DURATION,
        "with `set`: keeps rules from it for so long"
    ),
    ("for", May, DURATION, "with `set`: off again after so long"),
    (
        "expect",
        May,
        Takes::List(&Takes::Forms(&EXPECTED)),
        "everything that is sent since the last step"
    ),
    (
        "state",
        May,
        Takes::Values(Values::State),
        "reported state that must hold afterwards"
    ),
    (
        "target",
        May,
        Takes::Values(Values::Target),
        "targets that must hold afterwards"
    ),
    (
        "emitted",
        May,
        Takes::List(&Takes::Forms(&EMITTED)),
        "every event that rules emitted since the last step"
    ),
    (
        "var",
        May,
        Takes::VarValues,
        "variables that must hold afterwards"
    ),
    (
        "waiting",
        May,
        Takes::Firings,
        "how many runs of rules wait afterwards"
    ),
    (
        "fired",
        May,
        Takes::Firings,
        "how often rules fired since the last step"
    ),
    (
        "by",
        May,
        Takes::Name(Names::Rule),
        "the rule that must have sent it"
    ),
    ("log", May, TEXT, "a word that must stand in the record"),
);

/// What stands in `expect`.
pub static EXPECTED: Forms = Forms {
    what: "an expected command",
    text: Takes::Name(Names::Command),
    all: &[
        Form {
            name: "command",
            keys: keys!(
                "an expected command",
                Others::ArgumentsOf("command"),
                (
                    "command",
                    Must,
                    Takes::Name(Names::Command),
                    "a command with these arguments at least"
                ),
            ),
        },
        Form {
            name: "notify",
            keys: keys!(
                "an expected notification",
                Others::Nothing,
                ("notify", Must, Takes::Word, "the carrier"),
                ("text", May, TEXT, "what it must say; absent: anything"),
            ),
        },
        Form {
            name: "set",
            keys: keys!(
                "an expected target",
                Others::FieldsOf("set"),
                (
                    "set",
                    Must,
                    Takes::Name(Names::Target),
                    "the target of this channel or group"
                ),
                (
                    "for",
                    May,
                    DURATION,
                    "on for just so long; absent: unchecked"
                ),
            ),
        },
        Form {
            name: "on",
            keys: keys!(
                "an expected target with `on`",
                Others::Nothing,
                (
                    "on",
                    Must,
                    Takes::Name(Names::Target),
                    "this channel or group is switched on"
                ),
                ("for", May, DURATION, "for just so long; absent: unchecked"),
            ),
        },
        Form {
            name: "scene",
            keys: keys!(
                "an expected scene",
                Others::Nothing,
                (
                    "scene",
                    Must,
                    Takes::Name(Names::Scene),
                    "all that this scene sends"
                ),
            ),
        },
    ],
};

/// What stands in `emitted`.
pub static EMITTED: Forms = Forms {
    what: "an emitted event",
    text: Takes::Name(Names::OneEvent),
    all: &[Form {
        name: "emit",
        keys: keys!(
            "an emitted event",
            Others::EventFieldsOf("emit"),
            (
                "emit",
                Must,
                Takes::Name(Names::OneEvent),
                "an event of a virtual device"
            ),
        ),
    }],
};
