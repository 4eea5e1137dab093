//! What the grammar accepts, and what becomes of it. Called by the test runner alone.

use types::{Type, Value};

use super::{
    super::{Scope, condition, template, value, whole_hole},
    here,
    house::{events, house},
};
use crate::program::{Binary, DeviceIx, Expr, Function, Now, Piece, SlotIx, Sun, VarIx};

const LAMP_ON: SlotIx = SlotIx(0);
const LAMP_BRIGHTNESS: SlotIx = SlotIx(1);
const LUX: SlotIx = SlotIx(2);
const CONTACT: SlotIx = SlotIx(3);
const STAIRS_ON: SlotIx = SlotIx(4);
const ANNA: SlotIx = SlotIx(5);
const BEN: SlotIx = SlotIx(6);

/// Compiles `text` as a value in a rule that waits for a key press.
fn compiled(text: &str) -> (Expr, Type) {
    let program = house();
    let events = events(&program, &["piano.keys.press"]);
    let mut scope = Scope::new(&program, &events);
    value(text, &here, &mut scope, None).unwrap_or_else(|errors| panic!("{text}: {errors:#?}"))
}

fn check(text: &str, expected: Expr) {
    assert_eq!((text, compiled(text).0), (text, expected));
}

fn num(value: f64) -> Expr {
    Expr::Const(Value::Number(value))
}

fn text(value: &str) -> Expr {
    Expr::Const(Value::from(value))
}

fn truth(value: bool) -> Expr {
    Expr::Const(Value::Bool(value))
}

fn op(operator: Binary, left: Expr, right: Expr) -> Expr {
    Expr::Binary(operator, Box::new((left, right)))
}

fn and(parts: impl Into<Box<[Expr]>>) -> Expr {
    Expr::And(parts.into())
}

fn or(parts: impl Into<Box<[Expr]>>) -> Expr {
    Expr::Or(parts.into())
}

fn not(inner: Expr) -> Expr {
    Expr::Not(Box::new(inner))
}

const KEY: Expr = Expr::EventField(0);
const NIGHT: Expr = Expr::Var(VarIx(0));
const COMFORT: Expr = Expr::Var(VarIx(1));

#[test]
fn literals_are_constants() {
    for (written, expected) in [
        ("12", num(12.0)),
        ("12.5", num(12.5)),
        ("1e3", num(1000.0)),
        ("2.5e-1", num(0.25)),
        ("-7", num(-7.0)),
        ("true", truth(true)),
        ("'it\\'s'", text("it's")),
        ("\"a\\n\\\\\"", text("a\n\\")),
        ("'}'", text("}")),
    ] {
        check(written, expected);
    }
}

#[test]
fn constants_are_computed_at_load() {
    for (written, expected) in [
        ("1 + 2 * 3", num(7.0)),
        ("(1 + 2) * 3", num(9.0)),
        ("7 - 2 - 1", num(4.0)),
        ("-7 % 3", num(-1.0)),
        ("-(2 + 3)", num(-5.0)),
        ("'a' + 'b'", text("ab")),
        ("1 < 2 && 'a' != 'b'", truth(true)),
        ("5 in [1, 5]", truth(true)),
        ("true ? 1 : 2", num(1.0)),
        ("round(2.5)", num(3.0)),
        ("round(-2.5)", num(-3.0)),
        ("clamp(130, 0, 100)", num(100.0)),
        ("min(3, 1, 2)", num(1.0)),
        ("max(3, 1)", num(3.0)),
        ("abs(-3)", num(3.0)),
        ("between(5, 1, 5)", truth(true)),
        ("between(1, 1, 5)", truth(true)),
        ("between(0, 1, 5)", truth(false)),
        ("between(6, 1, 5)", truth(false)),
        ("startsWith('hall', 'ha')", truth(true)),
        ("contains('hall', 'al')", truth(true)),
    ] {
        check(written, expected);
    }
}

#[test]
fn every_root_resolves() {
    for (written, expected) in [
        ("event.key", KEY),
        ("state.hall.lux", Expr::State(LUX)),
        ("state.hall.lux.lux", Expr::State(LUX)),
        ("state.hall.lamp.brightness", Expr::State(LAMP_BRIGHTNESS)),
        ("target.hall.lamp.on", Expr::Target(LAMP_ON)),
        ("target.stairs.lamp", Expr::Target(STAIRS_ON)),
        ("var.night", NIGHT),
        ("sun.is_down", Expr::Sun(Sun::IsDown)),
        ("sun.is_up", Expr::Sun(Sun::IsUp)),
        ("sun.elevation", Expr::Sun(Sun::Elevation)),
        ("now.hour", Expr::Now(Now::Hour)),
        ("now.minute", Expr::Now(Now::Minute)),
        ("now.weekday", Expr::Now(Now::Weekday)),
        ("now.date", Expr::Now(Now::Date)),
        ("hall.online", Expr::Online(DeviceIx(1))),
        ("has(state.hall.lux)", Expr::Has(LUX)),
        ("age(state.hall.lux)", Expr::Age(LUX)),
    ] {
        check(written, expected);
    }
}

#[test]
fn operators_bind_from_choice_over_or_and_comparison_to_sign() {
    let low = op(Binary::Lt, KEY, num(3.0));
    check(
        "var.night || event.key < 3 && !hall.online",
        or([NIGHT, and([low.clone(), not(Expr::Online(DeviceIx(1)))])]),
    );
    check(
        "event.key + 2 * 3 < -event.key",
        op(
            Binary::Lt,
            op(Binary::Add, KEY, num(6.0)),
            Expr::Neg(Box::new(KEY)),
        ),
    );
    check(
        "var.night ? 1 : event.key < 3 ? 2 : 3",
        Expr::If(Box::new((
            NIGHT,
            num(1.0),
            Expr::If(Box::new((low, num(2.0), num(3.0)))),
        ))),
    );
    check(
        "event.key / 2 / 3",
        op(Binary::Div, op(Binary::Div, KEY, num(2.0)), num(3.0)),
    );
}

#[test]
fn and_or_are_flattened_and_constants_in_them_disappear() {
    check(
        "var.night && (var.night && var.night)",
        and([NIGHT, NIGHT, NIGHT]),
    );
    check("var.night || (var.night || false)", or([NIGHT, NIGHT]));
    check("var.night && true", NIGHT);
    check("var.night && false", truth(false));
    check("!!var.night", NIGHT);
}

#[test]
fn in_takes_constants_as_a_list_and_others_as_alternatives() {
    let values: [Value; 2] = [60.0, 64.0].map(Value::Number);
    check(
        "event.key in [60, 64,]",
        Expr::In(Box::new(KEY), values.into()),
    );
    check(
        "event.key in [60, var.comfort]",
        or([op(Binary::Eq, KEY, num(60.0)), op(Binary::Eq, KEY, COMFORT)]),
    );
    let open = [Value::from("open")];
    check(
        "state.door.contact in ['open']",
        Expr::In(Box::new(Expr::State(CONTACT)), open.into()),
    );
}

#[test]
fn functions_can_stand_behind_their_first_argument() {
    let call = Expr::Call(
        Function::StartsWith,
        [Expr::Var(VarIx(2)), text("A")].into(),
    );
    check("startsWith(var.guest, 'A')", call.clone());
    check("var.guest.startsWith('A')", call);
}

#[test]
fn groups_are_expanded_to_their_members() {
    let away = |slot| op(Binary::Eq, Expr::State(slot), text("away"));
    check("people.all(p, p == 'away')", and([away(ANNA), away(BEN)]));
    check("people.exists(p, p == 'away')", or([away(ANNA), away(BEN)]));
    check(
        "people.count(p, p == 'away') > 1",
        op(
            Binary::Gt,
            Expr::Count([away(ANNA), away(BEN)].into()),
            num(1.0),
        ),
    );
    check(
        "lights.exists(l, l.on && l.online)",
        or([
            and([Expr::State(LAMP_ON), Expr::Online(DeviceIx(1))]),
            and([Expr::State(STAIRS_ON), Expr::Online(DeviceIx(4))]),
        ]),
    );
    check(
        "people.all(p, has(p))",
        and([Expr::Has(ANNA), Expr::Has(BEN)]),
    );
    check("nothing.all(x, x == 1)", truth(true));
    check("nothing.exists(x, x == 1)", truth(false));
    check("nothing.count(x, x == 1)", num(0.0));
    let Expr::Or(parts) = compiled("people.exists(a, lights.exists(b, a == 'home' && b.on))").0
    else {
        panic!("nested groups are alternatives");
    };
    assert_eq!(parts.len(), 4);
}

#[test]
fn texts_and_enums_compare_and_choose() {
    check(
        "'open' == state.door.contact",
        op(Binary::Eq, text("open"), Expr::State(CONTACT)),
    );
    check(
        "state.phones.anna == state.phones.ben",
        op(Binary::Eq, Expr::State(ANNA), Expr::State(BEN)),
    );
    let (_, ty) = compiled("var.night ? 'home' : state.phones.anna");
    assert!(matches!(ty, Type::Enum(_)), "{ty:?}");
    assert_eq!(compiled("var.night ? 'a' : 'b'").1, Type::Text);
}

#[test]
fn fields_of_the_event_are_numbered_as_they_are_read() {
    let program = house();
    let events = events(&program, &["piano.keys.press"]);
    let mut scope = Scope::new(&program, &events);
    for text in [
        "event.velocity > 20 && event.key == 60",
        "event.velocity < 100",
    ] {
        condition(text, &here, &mut scope).unwrap();
    }
    assert_eq!(scope.used_fields, ["velocity".into(), "key".into()]);
    assert_eq!(scope.warnings, []);
}

#[test]
fn a_field_that_all_events_have_can_be_read() {
    let program = house();
    let events = events(&program, &["piano.keys.release", "piano.keys.press"]);
    let mut scope = Scope::new(&program, &events);
    let expr = condition("event.key == 60", &here, &mut scope);
    assert_eq!(expr, Ok(op(Binary::Eq, KEY, num(60.0))));
}

#[test]
fn a_text_with_holes_keeps_its_pieces() {
    let program = house();
    let mut scope = Scope::new(&program, &[]);
    let pieces = template("It is ${now.hour}h, $${x}.", &here, &mut scope).unwrap();
    let piece = |text: &str| Piece::Text(text.into());
    assert_eq!(
        pieces.0,
        [
            piece("It is "),
            Piece::Expr(Expr::Now(Now::Hour)),
            piece("h, ${x}.")
        ]
    );
    assert_eq!(whole_hole("${event.key}"), Some(2..11));
    assert_eq!(whole_hole("${event.key} "), None);
    assert_eq!(whole_hole("60"), None);
}

#[test]
fn a_value_fits_where_it_is_written() {
    let program = house();
    let mut scope = Scope::new(&program, &[]);
    let percent = Type::Int {
        min: 1.0,
        max: 100.0,
    };
    let names = Type::Enum(["home".into(), "away".into()].into());
    for (text, expected) in [
        ("state.hall.lux / 10", &percent),
        ("50", &percent),
        ("var.night ? 'home' : 'away'", &names),
        ("state.phones.anna", &names),
        ("state.phones.anna", &Type::Text),
        ("!var.night", &Type::Bool),
    ] {
        assert!(
            value(text, &here, &mut scope, Some(expected)).is_ok(),
            "{text}"
        );
    }
}
