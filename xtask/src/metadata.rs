//! The workspace as `cargo metadata` tells it. Called by `tidy` (edges, licences) and `test`, `bench` (where the binary is).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

/// The workspace.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// The workspace's own crates by name.
    pub(crate) members: BTreeMap<String, Member>,
    /// Every crate of the build by name: what it is built with. Tests' own dependencies don't count.
    pub(crate) built_with: BTreeMap<String, BTreeSet<String>>,
    /// All crates that cargo knows of, our own too, by name and version.
    pub(crate) packages: Vec<Package>,
}

/// A crate, and the licence it says it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression; `None`: it says nothing, or names a file.
    pub(crate) license: Option<String>,
}

/// A crate of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) folder: PathBuf,
    /// The workspace's crates it names, for whatever purpose.
    pub(crate) edges: BTreeSet<String>,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// Cargo fails, or speaks another dialect.
    pub(crate) fn read() -> Result<Self> {
        let text = shell::output(&mut shell::cargo(["metadata", "--format-version", "1"]))?;
        let mut workspace = Self::parse(&text)?;
        // `cargo metadata` counts crates behind weak features (`dep?/feature`) that are never built.
        let words = "tree --workspace --edges normal,build --target all --prefix depth";
        workspace.keep_edges_of(&shell::output(&mut shell::cargo(words.split(' ')))?);
        Ok(workspace)
    }

    /// Forgets what no line of `cargo tree --prefix depth` is built with.
    fn keep_edges_of(&mut self, tree: &str) {
        let mut edges = BTreeSet::new();
        let mut above: Vec<&str> = Vec::new();
        for line in tree.lines() {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let (depth, package) = line.split_at(digits);
            let (Ok(depth), Some(name)) = (depth.parse::<usize>(), package.split(' ').next())
            else {
                continue;
            };
            above.truncate(depth);
            if let Some(user) = above.last() {
                edges.insert((*user, name));
            }
            above.push(name);
        }
        for (user, used) in &mut self.built_with {
            used.retain(|name| edges.contains(&(user.as_str(), name.as_str())));
        }
    }

    /// Takes what cargo printed.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).context("`cargo metadata` is not JSON")?;
        let mut workspace = Self {
            target: PathBuf::from(string(&json["target_directory"])?),
            ..Self::default()
        };
        let own: BTreeSet<&str> = array(&json["workspace_members"])
            .filter_map(Value::as_str)
            .collect();
        let mut names = BTreeMap::new();
        for package in array(&json["packages"]) {
            let (id, name) = (string(&package["id"])?, string(&package["name"])?);
            names.insert(id, name);
            workspace.packages.push(Package {
                name: name.to_owned(),
                version: string(&package["version"])?.to_owned(),
                license: package["license"].as_str().map(str::to_owned),
            });
            if own.contains(id) {
                workspace
                    .members
                    .insert(name.to_owned(), Member::parse(package)?);
            }
        }
        for node in array(&json["resolve"]["nodes"]) {
            let used = array(&node["deps"]).filter(|dep| is_built(dep));
            let used = used.filter_map(|dep| {
                names
                    .get(dep["pkg"].as_str()?)
                    .map(|name| (*name).to_owned())
            });
            let name = names
                .get(string(&node["id"])?)
                .context("a node without a package")?;
            workspace
                .built_with
                .entry((*name).to_owned())
                .or_default()
                .extend(used);
        }
        Ok(workspace)
    }

    /// Everything a crate is built with, over any number of steps.
    pub(crate) fn tree(&self, name: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for dependency in self.built_with.get(name).into_iter().flatten() {
                if reached.insert(dependency.as_str()) {
                    open.push(dependency);
                }
            }
        }
        reached
    }
}

impl Member {
    fn parse(package: &Value) -> Result<Self> {
        let manifest = PathBuf::from(string(&package["manifest_path"])?);
        let folder = manifest
            .parent()
            .context("a manifest without a folder")?
            .to_owned();
        let edges = array(&package["dependencies"])
            .filter(|dependency| dependency["path"].is_string())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect();
        Ok(Self { folder, edges })
    }
}

/// Whether an edge exists outside tests.
fn is_built(dependency: &Value) -> bool {
    array(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev")
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn string(value: &Value) -> Result<&str> {
    value
        .as_str()
        .context("`cargo metadata` lacks a name, an id or a path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_built_is_no_edge() {
        let edge = |user: &str, used: &[&str]| {
            let used = used.iter().map(|name| (*name).to_owned()).collect();
            (user.to_owned(), used)
        };
        let mut workspace = Workspace {
            built_with: [
                edge("notify", &["mail", "log"]),
                edge("mail", &["runtime", "log"]),
            ]
            .into(),
            ..Workspace::default()
        };
        workspace.keep_edges_of("0notify v0.1.0 (/crates/notify)\n1log v1\n1mail v1\n2log v1\n");
        let kept = [edge("notify", &["mail", "log"]), edge("mail", &["log"])].into();
        assert_eq!(workspace.built_with, kept);
    }

    #[test]
    fn edges_trees_and_licences_come_from_what_cargo_says() {
        let text = r#"{
          "target_directory": "/t", "workspace_members": ["a", "b"],
          "packages": [
            {"id": "a", "name": "engine", "version": "0.1.0", "license": "MIT", "manifest_path": "/w/engine/Cargo.toml",
             "dependencies": [{"name": "types", "path": "/w/types"}, {"name": "tokio", "path": null}]},
            {"id": "b", "name": "types", "version": "0.1.0", "license": null, "manifest_path": "/w/types/Cargo.toml", "dependencies": []},
            {"id": "c", "name": "tokio", "version": "1.0.0", "dependencies": []}, {"id": "d", "name": "mio", "version": "1.0.0", "dependencies": []}],
          "resolve": {"nodes": [
            {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b", "deps": [{"pkg": "d", "dep_kinds": [{"kind": null}]}]},
            {"id": "c", "deps": []}, {"id": "d", "deps": []}]}}"#;
        let workspace = Workspace::parse(text).expect("it is what cargo prints");
        assert_eq!(
            workspace.members["engine"].edges,
            BTreeSet::from(["types".to_owned()])
        );
        assert_eq!(workspace.members["types"].folder, PathBuf::from("/w/types"));
        assert_eq!(
            workspace.tree("engine"),
            BTreeSet::from(["types", "mio"]),
            "tests may use more"
        );
        let licenses: Vec<Option<&str>> = workspace
            .packages
            .iter()
            .map(|package| package.license.as_deref())
            .collect();
        assert_eq!(licenses, [Some("MIT"), None, None, None]);
    }
}
