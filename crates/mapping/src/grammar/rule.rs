//! Rules: triggers, one condition, actions.

use super::{BOOL, DURATION, Form, Forms, Keys, Names, Others, TEXT, Takes, keys, words};
use crate::paths::GESTURE_WORDS;

/// `[rule.R]`.
pub static RULE: Keys = keys!(
    "a rule",
    Others::Nothing,
    (
        "when",
        Must,
        Takes::OneOrMore(&Takes::Forms(&TRIGGERS)),
        "what makes it look; any one of them"
    ),
    (
        "do",
        Must,
        Takes::OneOrMore(&Takes::Forms(&ACTIONS)),
        "what it does, in order"
    ),
    ("if", May, Takes::Condition, "what must be true then"),
    (
        "limit",
        May,
        Takes::Limit,
        "fires at most so often: \"1 per 30s\""
    ),
    (
        "mode",
        May,
        words(&["restart", "single", "queue", "parallel"]),
        "what a second firing does while the first one waits"
    ),
    (
        "after_downtime",
        May,
        Takes::Either(&[words(&["resume", "drop"]), Takes::Table(&LATE)]),
        "what happens to what fell due while the dispatcher was down"
    ),
    ("enabled", May, BOOL, "false: it never fires"),
    ("note", May, TEXT, "for people"),
    (
        "allow",
        May,
        Takes::List(&Takes::Name(Names::Lint)),
        "warnings that it silences"
    ),
);

/// `after_downtime = { run_late = ".." }`.
pub static LATE: Keys = keys!(
    "`after_downtime`",
    Others::Nothing,
    (
        "run_late",
        Must,
        DURATION,
        "it still runs if at most that late"
    ),
);

/// What stands in `when`.
pub static TRIGGERS: Forms = Forms {
    what: "a trigger",
    text: Takes::Name(Names::Event),
    all: &[
        Form {
            name: "gesture",
            keys: keys!(
                "a trigger with `gesture`",
                Others::Nothing,
                ("gesture", Must, words(&GESTURE_WORDS), "a button's gesture"),
                ("on", Must, Takes::Name(Names::Button), "on which button"),
                ("hold", May, DURATION, "how long a long press is held"),
                ("within", May, DURATION, "largest pause between two presses"),
            ),
        },
        Form {
            name: "chord",
            keys: keys!(
                "a trigger with `chord`",
                Others::EventFieldsOf("chord"),
                (
                    "chord",
                    Must,
                    Takes::Name(Names::OneEvent),
                    "several values of one event's field, in any order"
                ),
                ("within", May, DURATION, "from the first to the last"),
            ),
        },
        Form {
            name: "holds",
            keys: keys!(
                "a trigger with `holds`",
                Others::Nothing,
                (
                    "holds",
                    Must,
                    Takes::Condition,
                    "fires when this becomes true"
                ),
                ("for", May, DURATION, "and stays so for that long"),
            ),
        },
        Form {
            name: "timer",
            keys: keys!(
                "a trigger with `timer`",
                Others::Nothing,
                (
                    "timer",
                    Must,
                    Takes::Name(Names::Timer),
                    "fires when that timer runs out"
                ),
            ),
        },
        Form {
            name: "at",
            keys: keys!(
                "a trigger with `at`",
                Others::Nothing,
                ("at", Must, Takes::TimeOfDay, "a time of day at home"),
                ("days", May, Takes::Days, "on which days; absent: every day"),
            ),
        },
        Form {
            name: "sequence",
            keys: keys!(
                "a trigger with `sequence`",
                Others::EventFieldsOf("sequence"),
                (
                    "sequence",
                    Must,
                    Takes::Either(&[
                        Takes::List(&Takes::Forms(&STEPS)),
                        Takes::Name(Names::OneEvent)
                    ]),
                    "events one after the other, or one event with the values of a field"
                ),
                ("within", May, DURATION, "from the first to the last"),
            ),
        },
        Form {
            name: "cron",
            keys: keys!(
                "a trigger with `cron`",
                Others::Nothing,
                (
                    "cron",
                    Must,
                    TEXT,
                    "local times as cron writes them: \"0 7 * * mon-fri\""
                ),
            ),
        },
        Form {
            name: "sun",
            keys: keys!(
                "a trigger with `sun`",
                Others::Nothing,
                (
                    "sun",
                    Must,
                    words(&["sunrise", "sunset", "dawn", "dusk"]),
                    "when the sun gets there"
                ),
                (
                    "offset",
                    May,
                    TEXT,
                    "so much later, or earlier with a minus: \"-30m\""
                ),
            ),
        },
    ],
};

/// A step of a sequence.
pub static STEPS: Forms = Forms {
    what: "a step of a sequence",
    text: Takes::Name(Names::Event),
    all: &[Form {
        name: "event",
        keys: keys!(
            "a step of a sequence",
            Others::EventFieldsOf("event"),
            ("event", Must, Takes::Name(Names::Event), "which event"),
            ("if", May, Takes::Condition, "what must be true then"),
        ),
    }],
};

/// What stands in `do`. First those that take names of a kind: a field may be called as a form that comes later.
pub static ACTIONS: Forms = Forms {
    what: "an action",
    text: Takes::Name(Names::Command),
    all: &[
        Form {
            name: "command",
            keys: keys!(
                "an action with `command`",
                Others::ArgumentsOf("command"),
                (
                    "command",
                    Must,
                    Takes::Name(Names::Command),
                    "a command that takes arguments"
                ),
            ),
        },
        Form {
            name: "set",
            keys: keys!(
                "an action with `set`",
                Others::FieldsOf("set"),
                (
                    "set",
                    Must,
                    Takes::Name(Names::Target),
                    "sets fields of this channel or group"
                ),
                ("fade", May, DURATION, "how long the change takes"),
                (
                    "for",
                    May,
                    DURATION,
                    "off again after so long; the consumer itself ends it"
                ),
            ),
        },
        Form {
            name: "emit",
            keys: keys!(
                "an action with `emit`",
                Others::EventFieldsOf("emit"),
                (
                    "emit",
                    Must,
                    Takes::Name(Names::OneEvent),
                    "an event of a virtual device"
                ),
            ),
        },
        Form {
            name: "scene",
            keys: keys!(
                "an action with `scene`",
                Others::Nothing,
                (
                    "scene",
                    Must,
                    Takes::Name(Names::Scene),
                    "sets all of this scene"
                ),
                ("fade", May, DURATION, "how long the change takes"),
            ),
        },
        Form {
            name: "start",
            keys: keys!(
                "an action with `start`",
                Others::Nothing,
                (
                    "start",
                    Must,
                    Takes::Name(Names::NewTimer),
                    "starts this timer, or starts it again"
                ),
                ("for", Must, DURATION, "how long it runs"),
            ),
        },
        Form {
            name: "stop",
            keys: keys!(
                "an action with `stop`",
                Others::Nothing,
                ("stop", Must, Takes::Name(Names::Timer), "stops this timer"),
            ),
        },
        Form {
            name: "var",
            keys: keys!(
                "an action with `var`",
                Others::Nothing,
                ("var", Must, Takes::Name(Names::Var), "sets this variable"),
                ("to", Must, Takes::ValueOf("var"), "its new value"),
            ),
        },
        Form {
            name: "notify",
            keys: keys!(
                "an action with `notify`",
                Others::Nothing,
                (
                    "notify",
                    Must,
                    Takes::Word,
                    "tells people: \"all\", or the name of a carrier"
                ),
                (
                    "text",
                    Must,
                    Takes::Message,
                    "what it says; ${..} is computed"
                ),
            ),
        },
        Form {
            name: "hold",
            keys: keys!(
                "an action with `hold`",
                Others::Nothing,
                (
                    "hold",
                    Must,
                    Takes::Name(Names::Target),
                    "keeps rules from writing this target"
                ),
                (
                    "for",
                    Must,
                    DURATION,
                    "for so long; \"0s\": lets them again"
                ),
            ),
        },
        Form {
            name: "wait",
            keys: keys!(
                "an action with `wait`",
                Others::Nothing,
                ("wait", Must, DURATION, "goes on after so long"),
            ),
        },
        Form {
            name: "on",
            keys: keys!(
                "an action with `on`",
                Others::Nothing,
                (
                    "on",
                    Must,
                    Takes::Name(Names::Switched),
                    "switches on; the consumer itself ends it"
                ),
                ("for", Must, DURATION, "after so long"),
            ),
        },
    ],
};
