//! The tree of an expression before names and types are known.

use std::{ops::Range, sync::Arc};

use crate::program::Binary;

/// A node and the text it stands for.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) range: Range<usize>,
    pub(super) kind: NodeKind,
    /// Levels from here down to the deepest leaf, 1 for a leaf.
    pub(super) depth: usize,
}

/// What a node is. Names are ranges of the text.
#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    Number(f64),
    Text(Arc<str>),
    Bool(bool),
    List(Vec<Node>),
    /// `a.b.c`: at least one name.
    Path(Vec<Range<usize>>),
    /// `f(x, y)`.
    Call(Range<usize>, Vec<Node>),
    /// `a.b.f(x, y)`: the path before the last point, the name, the arguments.
    Method(Box<Node>, Range<usize>, Vec<Node>),
    Not(Box<Node>),
    Neg(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Binary(Binary, Box<(Node, Node)>),
    In(Box<(Node, Node)>),
    If(Box<(Node, Node, Node)>),
    /// Already reported.
    Broken,
}

impl Node {
    /// A node over `range`.
    pub(super) fn new(range: Range<usize>, kind: NodeKind) -> Self {
        let below = kind.deepest_child();
        Self {
            range,
            kind,
            depth: below + 1,
        }
    }
}

impl NodeKind {
    fn deepest_child(&self) -> usize {
        let of = |nodes: &[Node]| nodes.iter().map(|node| node.depth).max().unwrap_or(0);
        match self {
            Self::Number(_) | Self::Text(_) | Self::Bool(_) | Self::Path(_) | Self::Broken => 0,
            Self::List(nodes) | Self::And(nodes) | Self::Or(nodes) | Self::Call(_, nodes) => {
                of(nodes)
            }
            Self::Method(on, _, nodes) => on.depth.max(of(nodes)),
            Self::Not(node) | Self::Neg(node) => node.depth,
            Self::Binary(_, sides) | Self::In(sides) => sides.0.depth.max(sides.1.depth),
            Self::If(parts) => parts.0.depth.max(parts.1.depth).max(parts.2.depth),
        }
    }
}
