//! Model -> TOML text: keys, values on one line, and long lists over several.

use mapping::toml_text::{key, text};

use crate::model::Model;

/// A list longer than this stands on several lines.
const WIDTH: usize = 100;

/// A number with a point or an exponent: whole ones are written as integers are.
fn float(number: f64) -> String {
    format!("{number:?}")
}

/// A value on one line.
pub(crate) fn inline(value: &Model) -> String {
    let mut out = Writer::default();
    out.value(value, None);
    out.text
}

/// Writes values, and remembers where each of them went.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// The text so far.
    pub(crate) text: String,
}

/// Is told the place of each key and value: their path below the value that is written, and their bytes.
pub(crate) type Marks<'m> = dyn FnMut(&[mapping::outline::Step], std::ops::Range<usize>) + 'm;

impl Writer {
    /// A value on one line.
    pub(crate) fn value(&mut self, value: &Model, marks: Option<&mut Marks<'_>>) {
        let mut path = Vec::new();
        let mut nobody = |_: &[mapping::outline::Step], _| {};
        self.any(value, &mut path, marks.unwrap_or(&mut nobody), None);
    }

    /// A value; a long list stands on several lines.
    pub(crate) fn broken_value(&mut self, value: &Model, marks: &mut Marks<'_>) {
        let long = inline(value).len() > WIDTH;
        let lines = (long && matches!(value, Model::List(_))).then_some("\n");
        self.any(value, &mut Vec::new(), marks, lines);
    }

    fn any(
        &mut self,
        value: &Model,
        path: &mut Vec<mapping::outline::Step>,
        marks: &mut Marks<'_>,
        lines: Option<&str>,
    ) {
        use mapping::outline::Step;
        let start = self.text.len();
        match value {
            Model::Bool(truth) => self.text.push_str(if *truth { "true" } else { "false" }),
            Model::Int(number) => self.text.push_str(&number.to_string()),
            Model::Float(number) => self.text.push_str(&float(*number)),
            Model::Text(words) => self.text.push_str(&text(words)),
            Model::List(list) => {
                self.text.push('[');
                for (number, value) in list.iter().enumerate() {
                    match lines {
                        Some(lines) => {
                            self.text.push_str(lines);
                            self.text.push_str("  ");
                        }
                        None if number > 0 => self.text.push_str(", "),
                        None => {}
                    }
                    path.push(Step::Item(number));
                    self.any(value, path, marks, None);
                    path.pop();
                    if lines.is_some() {
                        self.text.push(',');
                    }
                }
                if let (Some(lines), false) = (lines, list.is_empty()) {
                    self.text.push_str(lines);
                }
                self.text.push(']');
            }
            Model::Table(fields) if fields.is_empty() => self.text.push_str("{}"),
            Model::Table(fields) => {
                self.text.push_str("{ ");
                for (number, (name, value)) in fields.iter().enumerate() {
                    if number > 0 {
                        self.text.push_str(", ");
                    }
                    path.push(Step::Key(name.as_str().into()));
                    let at = self.text.len();
                    self.text.push_str(&key(name));
                    marks(path, at..self.text.len());
                    self.text.push_str(" = ");
                    self.any(value, path, marks, None);
                    path.pop();
                }
                self.text.push_str(" }");
            }
        }
        marks(path, start..self.text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_they_were_written() {
        let model = Model::Table(vec![
            ("a b".to_owned(), Model::Float(21.0)),
            ("x-1".to_owned(), Model::Float(1e300)),
            (
                "t".to_owned(),
                Model::Text("\u{7f}\u{0}ä\"\\\n\r\t'\u{2028}".to_owned()),
            ),
            ("e".to_owned(), Model::List(vec![])),
            (
                "n".to_owned(),
                Model::List(vec![Model::table(), Model::Int(i64::MIN)]),
            ),
        ]);
        let text = format!("v = {}", inline(&model));
        assert_eq!(text.lines().count(), 1, "{text}");
        let table = toml::de::DeTable::parse(&text).unwrap();
        let read = crate::export::model(table.get_ref().get("v").unwrap());
        assert_eq!(read, model);
    }

    #[test]
    fn long_lists_stand_on_several_lines() {
        let list = Model::List(vec![
            Model::Text("x".repeat(60)),
            Model::Text("y".repeat(60)),
        ]);
        let mut writer = Writer::default();
        writer.broken_value(&list, &mut |_, _| {});
        assert_eq!(writer.text.lines().count(), 4);
    }
}
