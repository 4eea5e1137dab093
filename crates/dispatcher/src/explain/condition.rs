//! A condition taken apart for people: each part of an `&&` as text, what it came to, and the values it saw.
//!
//! ```text
//!   sun.is_down            true
//!   state.hall.lux < 50    false     state.hall.lux = 120
//!   !var.night             not asked
//! ```

use engine::{
    Cause, Seen, Term,
    eval::{View, truth},
};
use mapping::{
    Program,
    program::{
        self, Binary, Condition, DeviceIx, Expr, Function, RuleIx, SlotIx, Sun, Trigger, VarIx,
    },
};
use types::{Shown, Value};

use super::Explainer;

/// One part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As an expression.
    pub text: String,
    /// What it came to.
    pub truth: Truth,
    /// What it saw: the term, and its value or `None` for unknown. Empty where the text says it all.
    pub seen: Vec<(String, Option<Value>)>,
    /// The terms as the engine names them, in the order of `seen`.
    pub terms: Vec<Term>,
}

/// What a part of a condition came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It held.
    True,
    /// It did not.
    False,
    /// Something that it reads was unknown.
    Unknown,
    /// An earlier part decided already.
    NotAsked,
}

impl Truth {
    /// For people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
            Self::NotAsked => "not asked",
        }
    }
}

impl Explainer<'_> {
    /// The parts of `condition` of `rule`, as they came out with the values in `seen`; `cause` is what made the
    /// rule look.
    #[must_use]
    pub fn parts(
        &self,
        rule: RuleIx,
        condition: &Condition,
        cause: Option<&Cause>,
        seen: &[Seen],
    ) -> Vec<Part> {
        let whole = std::slice::from_ref(&condition.expr);
        let parts = match &condition.expr {
            Expr::And(parts) => parts,
            _ => whole,
        };
        let view = SeenBefore(seen);
        let mut all = Vec::with_capacity(parts.len());
        for expr in parts {
            let mut own = Vec::new();
            let truth = truth(expr, &view, &mut own);
            let was_asked = own.iter().all(|read| view.of(read.term).is_some());
            // An expression may read a thing twice.
            let mut known: Vec<Seen> = Vec::with_capacity(own.len());
            for read in own {
                if known.iter().all(|before| before.term != read.term) {
                    known.push(read);
                }
            }
            let own = known;
            let text = self.expression(rule, cause, expr);
            let shows = |read: &&Seen| {
                let term = self.term_of(rule, cause, read.term);
                read.value.is_none() || (term != text && format!("!{term}") != text)
            };
            let told: Vec<&Seen> = own.iter().filter(shows).collect();
            all.push(Part {
                truth: match truth {
                    _ if !was_asked => Truth::NotAsked,
                    Some(true) => Truth::True,
                    Some(false) => Truth::False,
                    None => Truth::Unknown,
                },
                seen: told
                    .iter()
                    .filter(|_| was_asked)
                    .map(|read| (self.term_of(rule, cause, read.term), read.value.clone()))
                    .collect(),
                terms: told.iter().map(|read| read.term).collect(),
                text,
            });
        }
        all
    }

    /// `expr` as people write it; `cause` gives the event's fields their names.
    #[must_use]
    pub fn expression(&self, rule: RuleIx, cause: Option<&Cause>, expr: &Expr) -> String {
        let writer = Writer {
            program: self.program,
            field: &|place| self.term_of(rule, cause, Term::EventField(place)),
        };
        writer.text(expr, Binds::Loosest)
    }

    fn term_of(&self, rule: RuleIx, cause: Option<&Cause>, term: Term) -> String {
        // Without a cause, any trigger that is an event names the fields.
        let any = self.program[rule].triggers.iter().find_map(|t| match t {
            Trigger::Event { event, .. } => Some(Cause::Event(*event, Vec::new())),
            _ => None,
        });
        self.term(term, rule, cause.or(any.as_ref()).unwrap_or(&Cause::Tick))
    }
}

/// The house as a record saw it: what it did not look at is unknown.
struct SeenBefore<'a>(&'a [Seen]);

impl SeenBefore<'_> {
    fn of(&self, term: Term) -> Option<&Seen> {
        self.0.iter().find(|seen| seen.term == term)
    }

    fn value(&self, term: Term) -> Option<&Value> {
        self.of(term)?.value.as_ref()
    }
}

impl View for SeenBefore<'_> {
    fn state(&self, slot: SlotIx) -> Option<&Value> {
        self.value(Term::State(slot))
    }

    fn age(&self, slot: SlotIx) -> Option<f64> {
        self.value(Term::Age(slot))?.as_number()
    }

    fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.value(Term::Target(slot))
    }

    fn var(&self, var: VarIx) -> &Value {
        // A variable that was not looked at: any value does, the part counts as not asked.
        static NOTHING: Value = Value::Bool(false);
        self.value(Term::Var(var)).unwrap_or(&NOTHING)
    }

    fn online(&self, device: DeviceIx) -> bool {
        let known = self.value(Term::Online(device));
        known.and_then(Value::as_bool).unwrap_or(false)
    }

    fn event(&self, field: u8) -> Option<&Value> {
        self.value(Term::EventField(field))
    }

    fn sun(&self, sun: Sun) -> Option<Value> {
        self.value(Term::Sun(sun)).cloned()
    }

    fn now(&self, now: program::Now) -> Option<Value> {
        self.value(Term::Now(now)).cloned()
    }
}

/// How tightly what stands around an expression binds; one that binds less gets parentheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Binds {
    Loosest,
    Or,
    And,
    Compare,
    Sum,
    Product,
    Unary,
}

struct Writer<'a> {
    program: &'a Program,
    field: &'a dyn Fn(u8) -> String,
}

impl Writer<'_> {
    fn text(&self, expr: &Expr, around: Binds) -> String {
        let program = self.program;
        let (binds, text) = match expr {
            Expr::Const(value) => return literal(value),
            Expr::EventField(place) => return (self.field)(*place),
            Expr::State(slot) => return format!("state.{}", program.slot_path(*slot)),
            Expr::Target(slot) => return format!("target.{}", program.slot_path(*slot)),
            Expr::Var(var) => return format!("var.{}", program[*var].name),
            Expr::Online(device) => return format!("{}.online", program[*device].name),
            Expr::Sun(sun) => return super::sun(*sun).to_owned(),
            Expr::Now(now) => return super::now(*now).to_owned(),
            Expr::Has(slot) => return format!("has(state.{})", program.slot_path(*slot)),
            Expr::Age(slot) => return format!("age(state.{})", program.slot_path(*slot)),
            Expr::Count(parts) => return self.call("count", parts),
            Expr::Call(function, parts) => return self.call(name(*function), parts),
            Expr::Not(inner) => (Binds::Unary, format!("!{}", self.text(inner, Binds::Unary))),
            Expr::Neg(inner) => (Binds::Unary, format!("-{}", self.text(inner, Binds::Unary))),
            Expr::And(parts) => (Binds::And, self.joined(parts, " && ", Binds::And)),
            Expr::Or(parts) => (Binds::Or, self.joined(parts, " || ", Binds::Or)),
            Expr::Binary(operator, sides) => {
                let (binds, sign) = sign(*operator);
                let left = self.text(&sides.0, binds);
                let right = self.text(&sides.1, binds.tighter());
                (binds, format!("{left} {sign} {right}"))
            }
            Expr::In(inner, values) => {
                let values: Vec<String> = values.iter().map(literal).collect();
                let inner = self.text(inner, Binds::Sum);
                (
                    Binds::Compare,
                    format!("{inner} in [{}]", values.join(", ")),
                )
            }
            Expr::If(parts) => {
                let condition = self.text(&parts.0, Binds::Or);
                let (then, otherwise) = (
                    self.text(&parts.1, Binds::Or),
                    self.text(&parts.2, Binds::Loosest),
                );
                (
                    Binds::Loosest,
                    format!("{condition} ? {then} : {otherwise}"),
                )
            }
        };
        if binds < around {
            format!("({text})")
        } else {
            text
        }
    }

    fn joined(&self, parts: &[Expr], between: &str, binds: Binds) -> String {
        let parts: Vec<String> = parts
            .iter()
            .map(|part| self.text(part, binds.tighter()))
            .collect();
        parts.join(between)
    }

    fn call(&self, name: &str, arguments: &[Expr]) -> String {
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| self.text(argument, Binds::Loosest))
            .collect();
        format!("{name}({})", arguments.join(", "))
    }
}

impl Binds {
    fn tighter(self) -> Self {
        match self {
            Self::Loosest => Self::Or,
            Self::Or => Self::And,
            Self::And => Self::Compare,
            Self::Compare => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product | Self::Unary => Self::Unary,
        }
    }
}

fn sign(operator: Binary) -> (Binds, &'static str) {
    match operator {
        Binary::Eq => (Binds::Compare, "=="),
        Binary::Ne => (Binds::Compare, "!="),
        Binary::Lt => (Binds::Compare, "<"),
        Binary::Le => (Binds::Compare, "<="),
        Binary::Gt => (Binds::Compare, ">"),
        Binary::Ge => (Binds::Compare, ">="),
        Binary::Add => (Binds::Sum, "+"),
        Binary::Sub => (Binds::Sum, "-"),
        Binary::Mul => (Binds::Product, "*"),
        Binary::Div => (Binds::Product, "/"),
        Binary::Rem => (Binds::Product, "%"),
    }
}

fn name(function: Function) -> &'static str {
    match function {
        Function::Between => "between",
        Function::Min => "min",
        Function::Max => "max",
        Function::Abs => "abs",
        Function::Round => "round",
        Function::Clamp => "clamp",
        Function::StartsWith => "startsWith",
        Function::Contains => "contains",
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => {
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
            format!("'{}'", Shown(&escaped))
        }
        other => other.to_string(),
    }
}
