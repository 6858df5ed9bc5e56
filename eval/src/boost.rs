//! Boosted trees (Friedman, *Greedy function approximation*, 2001; second order as in XGBoost): each tree is a step along the
//! slopes of a loss that whoever grows them names, over features in bins.

use rag::forest::Node;

use crate::interval::Draws;

/// Bounds tried per feature.
const BOUNDS: usize = 40;
/// What a leaf is drawn towards nothing by.
const RIDGE: f64 = 3.0;

/// How a tree may grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Splits above a leaf.
    pub depth: usize,
    /// How much of a step is taken.
    pub rate: f64,
    /// The fewest rows of a leaf.
    pub leaf: usize,
}

/// Rows with their features in bins, and how far the trees so far have come.
pub(crate) struct Boosting {
    shape: Shape,
    bounds: Vec<Vec<f32>>,
    /// By row, by feature: how many bounds are at or below the value.
    bins: Vec<Vec<u8>>,
    /// What each row's trees sum up to, with what it began with.
    pub sums: Vec<f64>,
}

impl Boosting {
    /// Over rows that begin with these sums.
    pub fn new(rows: &[&[f32]], sums: Vec<f64>, shape: Shape) -> Self {
        let features = rows.first().map_or(0, |row| row.len());
        let bounds: Vec<Vec<f32>> = (0..features).map(|feature| bounds(rows, feature)).collect();
        let bin = |features: &[f32]| -> Vec<u8> {
            features.iter().zip(&bounds).map(|(value, bounds)| bounds.partition_point(|bound| bound <= value) as u8).collect()
        };
        Self { shape, bins: rows.iter().map(|row| bin(row)).collect(), bounds, sums }
    }

    /// One more tree, along the first and second derivatives of the rows' gain.
    pub fn grow(&mut self, slopes: &[(f64, f64)]) -> Vec<Node> {
        let mut tree = Vec::new();
        self.node(&mut tree, slopes, (0..self.sums.len()).collect(), 0);
        tree
    }

    /// Adds the node for these rows, and those under it.
    fn node(&mut self, tree: &mut Vec<Node>, slopes: &[(f64, f64)], rows: Vec<usize>, depth: usize) {
        let split = if depth < self.shape.depth { self.split(slopes, &rows) } else { None };
        let Some((feature, bin)) = split else {
            let (g, h) = total(slopes, &rows);
            let value = self.shape.rate * g / (h + RIDGE);
            rows.iter().for_each(|&row| self.sums[row] += value);
            // Five digits are enough, and keep the file small.
            return tree.push(Node::Leaf((value * 1e5).round() as f32 / 1e5));
        };
        let at = tree.len();
        tree.push(Node::Leaf(0.0));
        let (below, not): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(|&row| self.bins[row][feature] <= bin);
        self.node(tree, slopes, below, depth + 1);
        tree[at] = Node::Split { feature, below: self.bounds[feature][bin as usize], or: tree.len() };
        self.node(tree, slopes, not, depth + 1);
    }

    /// The feature and the last bin of the first side that gain most.
    fn split(&self, slopes: &[(f64, f64)], rows: &[usize]) -> Option<(usize, u8)> {
        let (all_g, all_h) = total(slopes, rows);
        let mut sides = vec![[(0.0, 0.0, 0_usize); BOUNDS + 1]; self.bounds.len()];
        for &row in rows {
            let (g, h) = slopes[row];
            for (side, bin) in sides.iter_mut().zip(&self.bins[row]) {
                let cell = &mut side[*bin as usize];
                *cell = (cell.0 + g, cell.1 + h, cell.2 + 1);
            }
        }
        let gain = |g: f64, h: f64| g * g / (h + RIDGE);
        let mut best: Option<(f64, usize, u8)> = None;
        for (feature, side) in sides.iter().enumerate() {
            let (mut g, mut h, mut n) = (0.0, 0.0, 0);
            for (bin, cell) in side.iter().enumerate().take(self.bounds[feature].len()) {
                (g, h, n) = (g + cell.0, h + cell.1, n + cell.2);
                if n < self.shape.leaf || rows.len() - n < self.shape.leaf {
                    continue;
                }
                let gained = gain(g, h) + gain(all_g - g, all_h - h) - gain(all_g, all_h);
                if gained > 1e-3 && best.is_none_or(|(most, ..)| gained > most) {
                    best = Some((gained, feature, bin as u8));
                }
            }
        }
        best.map(|(_, feature, bin)| (feature, bin))
    }
}

fn total(slopes: &[(f64, f64)], rows: &[usize]) -> (f64, f64) {
    rows.iter().fold((0.0, 0.0), |(g, h), &row| (g + slopes[row].0, h + slopes[row].1))
}

/// Bounds between the values of a feature, evenly by rank over a sample; short, since they are written down.
fn bounds(rows: &[&[f32]], feature: usize) -> Vec<f32> {
    let mut draws = Draws(7);
    let n = rows.len().min(20_000);
    let mut values: Vec<f32> = (0..n).map(|_| rows[draws.below(rows.len())][feature]).collect();
    values.sort_by(f32::total_cmp);
    let short = |value: f32| (value * 1e3).round() / 1e3;
    let mut bounds: Vec<f32> = (1..=BOUNDS).filter_map(|i| values.get(i * n / (BOUNDS + 1)).copied().map(short)).collect();
    bounds.dedup();
    // Nothing is below the smallest value.
    if bounds.first().is_some_and(|first| values.first().is_some_and(|least| first <= least)) {
        bounds.remove(0);
    }
    bounds
}
