//! A sum of small decision trees, read from text: what a learned weight is, shipped as data that a person can diff.
//!
//! The first line names the features, the second the base, each line after it is a tree in preorder: `3<0.25` asks whether
//! feature 3 is below 0.25 (yes goes on with the next node), `=0.1` is a leaf.

/// A sum of trees: a score, or something whose logistic is a chance.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    base: f32,
    trees: Vec<Vec<Node>>,
}

/// A node of a tree in preorder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// Whether a feature is below a bound; if not, go on at that node of the tree.
    Split {
        /// Which feature.
        feature: usize,
        /// The bound.
        below: f32,
        /// Where it goes on if it is not below.
        or: usize,
    },
    /// What the tree adds.
    Leaf(f32),
}

impl Forest {
    /// A forest of trees in preorder.
    pub fn new(base: f32, trees: Vec<Vec<Node>>) -> Self {
        Self { base, trees }
    }

    /// Reads a forest made for these features; `None` if it was made for others or is no forest.
    pub fn read(text: &str, features: &[&str]) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()?.split(' ').ne(features.iter().copied()) {
            return None;
        }
        let base = lines.next()?.parse().ok()?;
        let trees = lines.map(|line| tree(line, features.len())).collect::<Option<_>>()?;
        Some(Self { base, trees })
    }

    /// Writes it as [`Forest::read`] reads it.
    pub fn write(&self, features: &[&str]) -> String {
        let mut text = format!("{}\n{}\n", features.join(" "), self.base);
        for tree in &self.trees {
            let nodes: Vec<String> = tree
                .iter()
                .map(|node| match node {
                    Node::Split { feature, below, .. } => format!("{feature}<{below}"),
                    Node::Leaf(value) => format!("={value}"),
                })
                .collect();
            text.push_str(&nodes.join(" "));
            text.push('\n');
        }
        text
    }

    /// What the trees and the base add up to.
    pub fn sum(&self, features: &[f32]) -> f32 {
        self.base + self.trees.iter().map(|tree| leaf(tree, features)).sum::<f32>()
    }

    /// The chance that the features speak for, 0 to 1.
    pub fn chance(&self, features: &[f32]) -> f32 {
        1.0 / (1.0 + (-self.sum(features)).exp())
    }
}

fn leaf(tree: &[Node], features: &[f32]) -> f32 {
    let mut at = 0;
    loop {
        match tree.get(at) {
            Some(Node::Split { feature, below, or }) => {
                at = if features.get(*feature).is_some_and(|value| value < below) { at + 1 } else { *or };
            }
            Some(Node::Leaf(value)) => return *value,
            None => return 0.0,
        }
    }
}

fn tree(line: &str, features: usize) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    // Splits whose first side is being read.
    let mut open = Vec::new();
    for word in line.split_whitespace() {
        let at = nodes.len();
        if let Some(value) = word.strip_prefix('=') {
            nodes.push(Node::Leaf(value.parse().ok()?));
            if let Some(split) = open.pop()
                && let Some(Node::Split { or, .. }) = nodes.get_mut(split)
            {
                *or = at + 1;
            }
        } else {
            let (feature, below) = word.split_once('<')?;
            let feature = feature.parse().ok().filter(|feature| *feature < features)?;
            nodes.push(Node::Split { feature, below: below.parse().ok()?, or: usize::MAX });
            open.push(at);
        }
    }
    let leaves = nodes.iter().filter(|node| matches!(node, Node::Leaf(_))).count();
    (open.is_empty() && 2 * leaves == nodes.len() + 1).then_some(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_walked_to_the_leaf_that_its_features_ask_for() {
        let text = "a b\n0\n0<1 1<2 =-1 =1 =3\n";
        let forest = Forest::read(text, &["a", "b"]).unwrap();
        let check = |features: [f32; 2], sum: f32| {
            assert!((forest.chance(&features) - 1.0 / (1.0 + (-sum).exp())).abs() < 1e-6, "{features:?}");
        };
        check([0.0, 0.0], -1.0);
        check([0.0, 2.0], 1.0);
        check([1.0, 0.0], 3.0);
        assert_eq!(forest.write(&["a", "b"]), text);
    }

    #[test]
    fn a_forest_for_other_features_is_not_read() {
        assert_eq!(Forest::read("a b\n0\n=1\n", &["a", "c"]), None);
        assert_eq!(Forest::read("a\n0\n1<2 =1 =2\n", &["a"]), None);
        assert_eq!(Forest::read("a\n0\n0<2 =1\n", &["a"]), None);
        assert_eq!(Forest::read("", &["a"]), None);
    }
}
