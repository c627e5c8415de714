//! Disjoint sets of numbers (union by size, with paths that are shortened on the way).

/// Disjoint sets over the numbers `0..n`.
#[derive(Debug, Default)]
pub(super) struct Sets {
    parent: Vec<usize>,
    size: Vec<usize>,
}

impl Sets {
    /// `count` sets of one number each.
    pub(super) fn new(count: usize) -> Self {
        Self { parent: (0..count).collect(), size: vec![1; count] }
    }

    /// Adds a set of one new number.
    pub(super) fn push(&mut self) {
        self.parent.push(self.parent.len());
        self.size.push(1);
    }

    /// The number that stands for the set of `at`. It changes when sets are joined.
    pub(super) fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            super::steps::add(1);
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// How many numbers the set of `at` has.
    pub(super) fn size(&mut self, at: usize) -> usize {
        let root = self.root(at);
        self.size[root]
    }

    /// Makes one set of the sets of `a` and `b`.
    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            let (small, large) = if self.size[a] < self.size[b] { (a, b) } else { (b, a) };
            self.parent[small] = large;
            self.size[large] += self.size[small];
        }
    }
}
