//! Circles in a graph of imports.

use std::collections::{BTreeMap, VecDeque};

/// Nodes that all reach each other.
#[derive(Debug, PartialEq, Eq)]
pub struct Component {
    /// All of them, in ascending order.
    pub members: Vec<usize>,
    /// A shortest circle: each node imports the next, the last the first.
    pub circle: Vec<usize>,
}

/// Returns the components of the graph that have a circle, the largest first.
pub fn find<Edge>(graph: &[BTreeMap<usize, Edge>]) -> Vec<Component> {
    let mut components: Vec<Component> = strongly_connected(graph)
        .into_iter()
        .filter_map(|mut members| {
            members.sort_unstable();
            let circles = members.iter().filter_map(|start| shortest(graph, &members, *start));
            let circle = circles.min_by_key(Vec::len)?;
            Some(Component { members, circle })
        })
        .collect();
    components.sort_by_key(|component| (usize::MAX - component.members.len(), component.members[0]));
    components
}

/// Returns the shortest way from `start` back to it inside `members`, by breadth-first search.
fn shortest<Edge>(graph: &[BTreeMap<usize, Edge>], members: &[usize], start: usize) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph[node].keys().copied() {
            if next == start {
                let mut way = vec![node];
                while let Some(previous) = way.last().and_then(|node| before.get(node)) {
                    way.push(*previous);
                }
                way.reverse();
                return Some(way);
            }
            if members.binary_search(&next).is_ok() && !before.contains_key(&next) {
                before.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}

/// Tarjan's algorithm, with a stack of its own instead of recursion.
fn strongly_connected<Edge>(graph: &[BTreeMap<usize, Edge>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut order = vec![UNSEEN; graph.len()];
    let mut lowest = vec![UNSEEN; graph.len()];
    let mut open = vec![false; graph.len()];
    let mut stack = Vec::new();
    let mut components = Vec::new();
    let mut count = 0;
    for root in 0..graph.len() {
        if order[root] != UNSEEN {
            continue;
        }
        let mut calls: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut enter = Some(root);
        loop {
            if let Some(node) = enter.take() {
                order[node] = count;
                lowest[node] = count;
                count += 1;
                open[node] = true;
                stack.push(node);
                calls.push((node, graph[node].keys().rev().copied().collect()));
            }
            let Some((node, next)) = calls.last_mut() else { break };
            let node = *node;
            if let Some(next) = next.pop() {
                if order[next] == UNSEEN {
                    enter = Some(next);
                } else if open[next] {
                    lowest[node] = lowest[node].min(order[next]);
                }
                continue;
            }
            calls.pop();
            if let Some((caller, _)) = calls.last() {
                lowest[*caller] = lowest[*caller].min(lowest[node]);
            }
            if lowest[node] == order[node] {
                let start = stack.iter().rposition(|member| *member == node).unwrap_or(0);
                let component = stack.split_off(start);
                for member in &component {
                    open[*member] = false;
                }
                components.push(component);
            }
        }
    }
    components
}
