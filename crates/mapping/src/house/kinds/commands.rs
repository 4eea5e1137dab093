//! `commands.C` of an own kind: what it sets, or a momentary command with its arguments.

use types::{Type, Value};

use super::Reader;
use crate::{
    diagnostic::Diagnostic,
    grammar::KIND_COMMAND,
    kinds::{ArgSpec, CommandSpec, EffectSpec, Shape},
    names::{self, Letters},
    read::{Key, Node},
    source::Span,
};

impl Reader<'_> {
    /// The type of a field that must take a target.
    fn target_type(&mut self, name: &str, span: &Span) -> Option<Type> {
        let ty = self.field_type(name, span)?;
        let mut fields = self.kind.fields.iter();
        if fields.any(|field| *field.name == *name && field.settable) {
            return Some(ty);
        }
        let message = format!("`{name}` can't be set: it is only reported");
        self.report.push(
            Diagnostic::error("not-settable", span.clone(), message).help(format!(
                "declare it as target.{name} instead of state.{name}"
            )),
        );
        None
    }

    /// One command; `None`: it was reported.
    pub(super) fn command(&mut self, key: &Key<'_>, node: Node<'_>) -> Option<CommandSpec> {
        names::check(self.report, key, "command", Letters::Expression);
        let what = format!("command `{}`", key.name);
        let table = node.table(self.report, &what)?;
        table.reject_unknown(self.report, KIND_COMMAND.what, KIND_COMMAND.names);
        let mut forms = ["set", "toggle", "step", "args"]
            .into_iter()
            .filter(|form| table.field(form).is_some());
        let form = forms.next();
        if let (Some(first), Some(second)) = (form, forms.next()) {
            let message = format!("a command has either `{first}` or `{second}`");
            self.report.push(
                Diagnostic::error("conflicting-keys", table.key_span(second), message)
                    .also(table.key_span(first), "and this")
                    .help("`args` are for a momentary command, which sets no field"),
            );
            return None;
        }
        if form != Some("step") && table.field("by").is_some() {
            let message = "`by` goes with `step`";
            self.report.push(
                Diagnostic::error("conflicting-keys", table.key_span("by"), message)
                    .help("write { step = \"FIELD\", by = .. }"),
            );
        }
        let mut args = Vec::new();
        let effect = match (form, form.and_then(|form| table.field(form))) {
            (Some("set"), Some(node)) => self.sets(node, &what)?,
            (Some("toggle"), Some(node)) => self.toggles(node)?,
            (Some("step"), Some(node)) => {
                let (effect, arg) = self.steps(node, table.field("by"))?;
                args.push(arg);
                effect
            }
            (Some(_), Some(node)) => {
                args = self.momentary_args(node);
                EffectSpec::Momentary
            }
            _ => EffectSpec::Momentary,
        };
        Some(CommandSpec {
            name: key.name.into(),
            args,
            effect,
        })
    }

    fn sets(&mut self, node: Node<'_>, what: &str) -> Option<EffectSpec> {
        let values = self.values(node, "`set`");
        let mut fields = Vec::with_capacity(values.len());
        for (field, value, span) in values {
            self.target_type(&field, &span)?;
            fields.push((field, value));
        }
        let empty = node.as_table().is_some_and(|set| set.entries().is_empty());
        if empty {
            let message = format!("{what} sets nothing");
            let error = Diagnostic::error("missing-key", node.span(), message);
            self.report
                .push(error.help("name a field and its value, for example set = { on = true }"));
        }
        Some(EffectSpec::Set(fields))
    }

    fn toggles(&mut self, node: Node<'_>) -> Option<EffectSpec> {
        let text = node.text(self.report, "`toggle`")?;
        let ty = self.target_type(text.text, &text.span())?;
        if ty != Type::Bool {
            self.unfit(text.text, "toggle", "true or false", &text.span());
            return None;
        }
        Some(EffectSpec::Toggle(text.text.into()))
    }

    /// `step = "F", by = 5`: the argument `step` says how far, by default so far; below 0 is the other way.
    fn steps(&mut self, node: Node<'_>, by: Option<Node<'_>>) -> Option<(EffectSpec, ArgSpec)> {
        let text = node.text(self.report, "`step`")?;
        let far = match self.target_type(text.text, &text.span())? {
            Type::Int { min, max } => Type::Int {
                min: 1.0,
                max: (max - min).max(1.0),
            },
            Type::Number { .. } => Type::Number {
                min: f64::MIN_POSITIVE,
                max: f64::INFINITY,
            },
            _ => {
                self.unfit(text.text, "step", "a number", &text.span());
                return None;
            }
        };
        let by = match by {
            Some(node) => {
                let by = node.number(self.report, "`by`")?;
                if let Err(refusal) = far.check(&Value::Number(by.abs())) {
                    self.report.push(
                        Diagnostic::error("out-of-range", node.span(), format!("`by` {refusal}"))
                            .help("it is the size of a step; a minus sign counts down"),
                    );
                    return None;
                }
                by
            }
            None => 1.0,
        };
        let either_way = match far {
            Type::Int { max, .. } => Type::Int { min: -max, max },
            _ => Type::Number {
                min: f64::NEG_INFINITY,
                max: f64::INFINITY,
            },
        };
        let arg = ArgSpec {
            name: "step".into(),
            shape: Shape::Fixed(either_way),
            default: Some(Value::Number(by.abs())),
        };
        Some((EffectSpec::Step(text.text.into(), by.signum()), arg))
    }

    fn unfit(&mut self, field: &str, form: &str, takes: &str, span: &Span) {
        let message = format!("`{form}` takes a field that is {takes}, `{field}` is not");
        self.report.push(
            Diagnostic::error("type-mismatch", span.clone(), message).help(format!(
                "write {{ set = {{ {field} = .. }} }} for a fixed value"
            )),
        );
    }

    /// Whoever names a command and no arguments means the defaults: each must have one.
    fn momentary_args(&mut self, node: Node<'_>) -> Vec<ArgSpec> {
        let args = self.arguments(node, "`args`", |key, reader| {
            let why = "an action and a request have a key of that name";
            reader.free(key, &["command"], why);
        });
        for (arg, span) in args.iter().filter(|(arg, _)| arg.default.is_none()) {
            let message = format!("the argument `{}` needs a default", arg.name);
            self.report.push(
                Diagnostic::error("missing-key", span.clone(), message)
                    .help("write for example { kind = \"int\", min = 0, max = 10, default = 5 }"),
            );
        }
        args.into_iter().map(|(arg, _)| arg).collect()
    }
}
