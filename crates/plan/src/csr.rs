//! Rows of different length in one allocation.

/// A list of lists: row `i` is `items[starts[i]..starts[i + 1]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Csr<T> {
    fn default() -> Self {
        Self {
            starts: vec![0],
            items: Vec::new(),
        }
    }
}

impl<T> Csr<T> {
    /// Appends a row.
    pub fn push_row(&mut self, row: impl IntoIterator<Item = T>) {
        self.items.extend(row);
        self.starts
            .push(u32::try_from(self.items.len()).expect("fewer than 2^32 items in all rows"));
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// A row.
    pub fn row(&self, i: usize) -> &[T] {
        &self.items[self.range(i)]
    }

    /// Where a row's items stand among all items.
    pub fn range(&self, i: usize) -> core::ops::Range<usize> {
        self.starts[i] as usize..self.starts[i + 1] as usize
    }

    /// The items of all rows, in order.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The rows of `parts`, one part after the other.
    pub fn concat(parts: Vec<Self>) -> Self {
        let items = parts.iter().map(|p| p.items.len()).sum();
        let rows: usize = parts.iter().map(Self::rows).sum();
        let mut all = Self {
            starts: Vec::with_capacity(rows + 1),
            items: Vec::with_capacity(items),
        };
        all.starts.push(0);
        for part in parts {
            let base = u32::try_from(all.items.len() + part.items.len())
                .expect("fewer than 2^32 items in all rows")
                - part.items.len() as u32;
            all.starts
                .extend(part.starts[1..].iter().map(|&s| base + s));
            all.items.extend(part.items);
        }
        all
    }
}

impl Csr<u32> {
    /// Who points at each of `columns`: row `j` lists, ascending, the rows that contain `j`.
    pub fn transposed(&self, columns: usize) -> Self {
        let mut starts = vec![0; columns + 1];
        for &j in &self.items {
            starts[j as usize + 1] += 1;
        }
        for j in 0..columns {
            starts[j + 1] += starts[j];
        }
        let mut next = starts.clone();
        let mut items = vec![0; self.items.len()];
        for i in 0..self.rows() {
            for &j in self.row(i) {
                items[next[j as usize] as usize] = i as u32;
                next[j as usize] += 1;
            }
        }
        Self { starts, items }
    }
}
