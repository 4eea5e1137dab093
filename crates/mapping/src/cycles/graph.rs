//! A directed graph: which nodes lie on a circle together, and the shortest way from one to another.
//!
//! Called by the search for rules that set each other off. Must not know what a node is.

use std::collections::VecDeque;

/// One edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<L> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: L,
}

/// Edges by the node where they begin.
#[derive(Debug)]
pub(super) struct Graph<L> {
    out: Vec<Vec<Edge<L>>>,
}

impl<L: Copy> Graph<L> {
    pub(super) fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// Adds a node without edges.
    pub(super) fn node(&mut self) -> usize {
        self.out.push(Vec::new());
        self.out.len() - 1
    }

    pub(super) fn edge(&mut self, from: usize, to: usize, label: L) {
        self.out[from].push(Edge { from, to, label });
    }

    /// Every edge, by the node where it begins.
    pub(super) fn edges(&self) -> impl Iterator<Item = &Edge<L>> {
        self.out.iter().flatten()
    }

    /// The edges that `keep` lets stand.
    pub(super) fn only(&self, keep: impl Fn(&Edge<L>) -> bool) -> Self {
        let kept = |edges: &Vec<Edge<L>>| edges.iter().filter(|edge| keep(edge)).copied().collect();
        Self {
            out: self.out.iter().map(kept).collect(),
        }
    }

    /// For each node the number of its strongly connected component (Tarjan, without recursion: a chain of
    /// rules may be as long as the house has rules). Two nodes lie on a circle together where theirs are equal.
    pub(super) fn components(&self) -> Vec<usize> {
        const NONE: usize = usize::MAX;
        let nodes = self.out.len();
        let (mut number, mut low) = (vec![NONE; nodes], vec![0; nodes]);
        let (mut component, mut next_component) = (vec![NONE; nodes], 0);
        let (mut open, mut next_number) = (Vec::new(), 0);
        for root in 0..nodes {
            if number[root] != NONE {
                continue;
            }
            let mut path = vec![(root, 0)];
            while let Some((node, edge)) = path.pop() {
                if edge == 0 {
                    number[node] = next_number;
                    low[node] = next_number;
                    next_number += 1;
                    open.push(node);
                }
                if let Some(next) = self.out[node].get(edge) {
                    path.push((node, edge + 1));
                    if number[next.to] == NONE {
                        path.push((next.to, 0));
                    } else if component[next.to] == NONE {
                        low[node] = low[node].min(number[next.to]);
                    }
                    continue;
                }
                if low[node] == number[node] {
                    while let Some(member) = open.pop() {
                        component[member] = next_component;
                        if member == node {
                            break;
                        }
                    }
                    next_component += 1;
                }
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
            }
        }
        component
    }

    /// The edges of a shortest way from `from` to `to` through nodes that `may` lets pass; empty where they are
    /// the same node, `None` where there is none.
    pub(super) fn way(
        &self,
        from: usize,
        to: usize,
        may: impl Fn(usize) -> bool,
    ) -> Option<Vec<Edge<L>>> {
        let mut came: Vec<Option<Edge<L>>> = vec![None; self.out.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut way = Vec::new();
                let mut at = to;
                while let Some(edge) = came[at].filter(|_| at != from) {
                    way.push(edge);
                    at = edge.from;
                }
                way.reverse();
                return Some(way);
            }
            for edge in &self.out[node] {
                if edge.to != from && came[edge.to].is_none() && may(edge.to) {
                    came[edge.to] = Some(*edge);
                    queue.push_back(edge.to);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(nodes: usize, edges: &[(usize, usize)]) -> Graph<()> {
        let mut graph = Graph::new();
        for _ in 0..nodes {
            graph.node();
        }
        for (from, to) in edges {
            graph.edge(*from, *to, ());
        }
        graph
    }

    proptest! {
        #[test]
        fn two_nodes_share_a_component_where_each_reaches_the_other(
            edges in proptest::collection::vec((0..12_usize, 0..12_usize), 0..30),
        ) {
            let graph = graph(12, &edges);
            let component = graph.components();
            for a in 0..12 {
                for b in 0..12 {
                    let both = graph.way(a, b, |_| true).is_some() && graph.way(b, a, |_| true).is_some();
                    prop_assert_eq!(component[a] == component[b], both, "{} {}", a, b);
                }
            }
        }
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let edges: Vec<(usize, usize)> = (0..200_000).map(|at| (at, at + 1)).collect();
        let component = graph(200_001, &edges).components();
        assert_ne!(component[0], component[200_000]);
    }

    #[test]
    fn a_way_is_shortest_and_keeps_off_what_may_not_pass() {
        let graph = graph(5, &[(0, 1), (1, 2), (2, 3), (0, 4), (4, 3)]);
        let stops = |way: Option<Vec<Edge<()>>>| -> Option<Vec<usize>> {
            way.map(|way| way.iter().map(|edge| edge.to).collect())
        };
        assert_eq!(stops(graph.way(0, 3, |_| true)), Some(vec![4, 3]));
        assert_eq!(
            stops(graph.way(0, 3, |node| node != 4)),
            Some(vec![1, 2, 3])
        );
        assert_eq!(stops(graph.way(3, 0, |_| true)), None);
        assert_eq!(stops(graph.way(2, 2, |_| true)), Some(vec![]));
    }
}
