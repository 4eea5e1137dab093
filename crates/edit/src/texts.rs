//! The texts of a house while one edit changes them, value by value.

use std::collections::BTreeMap;

use mapping::{
    FileIx,
    outline::{Outline, Step},
};

use crate::{
    house::{House, TESTS},
    model::Model,
    page::{Page, Planned},
    place,
    pointer::Pointer,
    refusal::Refusal,
    splice::Overlap,
};

/// Tables whose entries have headers of their own: `[rule.R]`.
const WITH_HEADERS: &[&str] = &["device", "kind", "scene", "rule", "test"];

/// The texts while they are being changed.
#[derive(Debug)]
pub(crate) struct Texts {
    /// Those of the mapping and of the tests.
    pages: BTreeMap<String, Page>,
    /// Their names: the mapping's files and then the tests', in the order of reading.
    order: Vec<String>,
    /// The others, which no edit of a value changes.
    others: BTreeMap<String, String>,
}

fn tangled(path: &[Step]) -> impl Fn(Overlap) -> Refusal {
    move |_| Refusal::TooTangled(Pointer(path.to_vec()).to_string())
}

impl Texts {
    pub(crate) fn of(house: &House) -> Self {
        let analysis = house.analysis();
        let files = analysis.mapping.iter().chain(&analysis.tests);
        let name = |file: &FileIx| analysis.loaded.sources.file(*file).name.to_string();
        let order: Vec<String> = files.map(name).collect();
        let (pages, others): (BTreeMap<_, _>, BTreeMap<_, _>) = house
            .texts()
            .into_iter()
            .partition(|(name, _)| order.contains(name));
        let pages = pages.into_iter();
        Self {
            pages: pages.map(|(name, text)| (name, Page::new(text))).collect(),
            order,
            others,
        }
    }

    /// All texts by their names, as `at` asked for them.
    pub(crate) fn into_all(self, at: &Pointer) -> Result<BTreeMap<String, String>, Refusal> {
        let mut all = self.others;
        for (name, page) in self.pages {
            let (text, _) = page.into_text().map_err(tangled(&at.0))?;
            all.insert(name, text);
        }
        Ok(all)
    }

    /// A file; one that is not there yet is empty.
    fn page(&mut self, name: &str) -> &mut Page {
        let pages = self.pages.entry(name.to_owned());
        pages.or_insert_with(|| Page::new(String::new()))
    }

    /// Changes the first file for which there is a plan.
    fn first(
        &mut self,
        path: &[Step],
        plan: impl Fn(&str, &Outline) -> Option<Planned>,
    ) -> Result<bool, Refusal> {
        for name in &self.order {
            if let Some(page) = self.pages.get_mut(name)
                && page.change(&plan).map_err(tangled(path))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What was changed so far stands in the texts before anything else is looked for.
    fn write(&mut self, path: &[Step]) -> Result<(), Refusal> {
        let mut pages = self.pages.values_mut();
        pages.try_for_each(|page| page.write().map_err(tangled(path)))
    }

    /// Writes `new` at a path where `old` stands; a new entry `behind` another one.
    pub(crate) fn set(
        &mut self,
        path: &[Step],
        old: Option<&Model>,
        new: &Model,
        behind: Option<&str>,
    ) -> Result<(), Refusal> {
        match (old, new) {
            (Some(old), new) if old == new => Ok(()),
            (Some(Model::Table(old)), Model::Table(fields)) => {
                let below = |name: &str| {
                    let mut path = path.to_vec();
                    path.push(name.into());
                    path
                };
                let before: BTreeMap<&str, &Model> =
                    old.iter().map(|(name, old)| (&**name, old)).collect();
                let after: BTreeMap<&str, &Model> =
                    fields.iter().map(|(name, new)| (&**name, new)).collect();
                for (name, _) in old.iter().filter(|(name, _)| !after.contains_key(&**name)) {
                    self.remove(&below(name))?;
                }
                for (name, value) in fields {
                    self.set(&below(name), before.get(&**name).copied(), value, None)?;
                }
                Ok(())
            }
            (Some(_), new) => {
                let replaced = self.first(path, |text, outline| {
                    place::replaced(text, outline, path, new)
                })?;
                if !replaced {
                    self.remove(path)?;
                    self.write(path)?;
                    self.create(path, new, None)?;
                }
                Ok(())
            }
            (None, new) => self.create(path, new, behind),
        }
    }

    /// Takes out what is at a path, from all files.
    pub(crate) fn remove(&mut self, path: &[Step]) -> Result<(), Refusal> {
        for page in self.pages.values_mut().filter(|page| page.holds(path)) {
            page.change(|text, outline| Some(place::removed(text, outline, path)))
                .map_err(tangled(path))?;
        }
        Ok(())
    }

    fn create(&mut self, path: &[Step], new: &Model, behind: Option<&str>) -> Result<(), Refusal> {
        let misplaced = |why| Err(Refusal::Misplaced(Pointer(path.to_vec()).to_string(), why));
        let Some((last, parent)) = path.split_last() else {
            return misplaced("the whole house is written by import");
        };
        let name = last.to_string();
        let Some(top) = parent.first().map(Step::to_string) else {
            let Model::Table(fields) = new else {
                return misplaced("it must be a table");
            };
            for (field, value) in fields {
                let path = [path[0].clone(), field.as_str().into()];
                self.create(&path, value, None)?;
            }
            return Ok(());
        };
        let with_header = parent.len() == 1 && WITH_HEADERS.contains(&&*top);
        if with_header && !matches!(new, Model::Table(_)) {
            return misplaced("it must be a table");
        }
        let added = |text: &str, outline: &Outline| place::added(text, outline, parent, &name, new);
        if !with_header && self.first(path, added)? {
            return Ok(());
        }
        if with_header || parent.len() == 1 {
            return self.create_section(&top, &name, new, with_header, behind);
        }
        let table = Model::Table(vec![(name, new.clone())]);
        self.create(parent, &table, None)
    }

    /// A new section at the end of the file that holds its like.
    fn create_section(
        &mut self,
        top: &str,
        name: &str,
        new: &Model,
        with_header: bool,
        behind: Option<&str>,
    ) -> Result<(), Refusal> {
        let behind: Vec<Step> = [top].into_iter().chain(behind).map(Step::from).collect();
        let holds = |file: &&String| self.pages.get(*file).is_some_and(|it| it.holds(&behind));
        let found = self.order.iter().rev().find(holds);
        let file = match found {
            Some(file) => file.clone(),
            None if top == "test" => {
                if !self.order.iter().any(|file| file == TESTS) {
                    self.order.push(TESTS.to_owned());
                }
                TESTS.to_owned()
            }
            None => "mapping.toml".to_owned(),
        };
        let (path, value) = if with_header {
            (vec![top.into(), name.into()], new.clone())
        } else {
            (
                vec![top.into()],
                Model::Table(vec![(name.to_owned(), new.clone())]),
            )
        };
        let section = |text: &str, outline: &Outline| {
            Some(Planned {
                splices: place::with_section(text, outline, &behind, &path, &value),
                // The fields of `[var]` that come next belong into it.
                is_new_table: !with_header,
            })
        };
        let page = self.page(&file);
        page.change(section).map_err(tangled(&path)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the files were read for an edit of `fields` values of one table, and what came out.
    fn reads(text: &str, at: &str, old: &Model, new: &Model) -> (usize, String) {
        let house = House::from_texts([("mapping.toml", text)]);
        let mut texts = Texts::of(&house);
        let path = Pointer::read(at).expect("it is a path").0;
        texts
            .set(&path, Some(old), new, None)
            .expect("it can be written");
        let page = texts.pages.remove("mapping.toml").expect("it is there");
        let (text, reads) = page.into_text().expect("nothing overlaps");
        (reads, text)
    }

    fn vars(count: u32, start: i64) -> Model {
        let var = |at: u32| {
            let fields = [("kind", "number".into()), ("start", Model::Int(start))];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            (format!("v{at}"), Model::Table(fields.into()))
        };
        Model::Table((0..count).map(var).collect())
    }

    fn written(count: u32, start: i64) -> String {
        let lines =
            (0..count).map(|at| format!("v{at} = {{ kind = \"number\", start = {start} }}\n"));
        format!("[var]\n{}", lines.collect::<String>())
    }

    #[test]
    fn a_file_is_read_as_often_for_a_hundred_values_as_for_a_few() {
        for count in [3, 100] {
            let (old, few) = (vars(count, 1), vars(1, 1));
            let (all, one) = (written(count, 1), written(1, 1));
            let changed = reads(&all, "/var", &old, &vars(count, 2));
            assert_eq!(changed, (1, written(count, 2)), "{count}");
            assert_eq!(reads(&one, "/var", &few, &old), (1, all.clone()), "{count}");
            assert_eq!(reads(&all, "/var", &old, &few), (1, one), "{count}");
        }
    }

    #[test]
    fn what_hangs_on_another_change_waits_until_it_stands_there() {
        let model = |fields: &[(&str, i64)]| {
            let fields = fields.iter();
            Model::Table(
                fields
                    .map(|(name, is)| ((*name).to_owned(), Model::Int(*is)))
                    .collect(),
            )
        };
        for (text, old, new, expected) in [
            (
                "t = { a = 1, b = 2 }\n",
                vec![("a", 1), ("b", 2)],
                vec![("c", 3)],
                "t = { c = 3 }\n",
            ),
            (
                "t = {}\n",
                vec![],
                vec![("a", 1), ("b", 2)],
                "t = { a = 1, b = 2 }\n",
            ),
            (
                "[t]",
                vec![],
                vec![("a", 1), ("b", 2)],
                "[t]\na = 1\nb = 2\n",
            ),
            (
                "[t]\na = 1",
                vec![("a", 1)],
                vec![("b", 2), ("c", 3)],
                "[t]\nb = 2\nc = 3\n",
            ),
        ] {
            let (_, text) = reads(text, "/t", &model(&old), &model(&new));
            assert_eq!(text, expected);
        }
    }
}
