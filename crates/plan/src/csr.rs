//! Rows of different length in one allocation.

use core::borrow::Borrow;
use rayon::prelude::*;

/// A list of lists: row `i` is `items[from..to]` with `(from, to) = bounds[i]`. Rows follow each other; where they were written in
/// parallel there may be unused items between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr<T> {
    bounds: Vec<(u32, u32)>,
    items: Vec<T>,
}

impl<T> Default for Csr<T> {
    fn default() -> Self {
        Self {
            bounds: Vec::new(),
            items: Vec::new(),
        }
    }
}

fn position(items: usize) -> u32 {
    u32::try_from(items).expect("fewer than 2^32 items in all rows")
}

impl<T> Csr<T> {
    /// Appends a row.
    pub fn push_row(&mut self, row: impl IntoIterator<Item = T>) {
        let start = position(self.items.len());
        self.items.extend(row);
        self.bounds.push((start, position(self.items.len())));
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.bounds.len()
    }

    /// A row.
    pub fn row(&self, i: usize) -> &[T] {
        &self.items[self.range(i)]
    }

    /// Where a row's items stand among all items.
    pub fn range(&self, i: usize) -> core::ops::Range<usize> {
        let (from, to) = self.bounds[i];
        from as usize..to as usize
    }

    /// Number of items in all rows.
    pub fn count(&self) -> usize {
        self.bounds
            .iter()
            .map(|(from, to)| (to - from) as usize)
            .sum()
    }

    /// The memory of so many rows and items, to be written by the caller.
    pub(crate) fn rewrite(&mut self, rows: usize, items: usize) -> (&mut [(u32, u32)], &mut [T])
    where
        T: Copy + Default,
    {
        position(items);
        self.bounds.resize(rows, (0, 0));
        self.items.resize(items, T::default());
        (&mut self.bounds, &mut self.items)
    }

    /// The rows of `parts`, one part after the other.
    pub fn concat<P: Borrow<Self>>(parts: &[P]) -> Self
    where
        T: Copy + Default + Send + Sync,
    {
        let mut bounds = Vec::with_capacity(parts.iter().map(|p| p.borrow().rows()).sum());
        let mut base = 0;
        for part in parts {
            let part = part.borrow();
            let shifted = |&(from, to): &(u32, u32)| (position(base) + from, position(base) + to);
            bounds.extend(part.bounds.iter().map(shifted));
            base += part.items.len();
        }
        position(base);
        let items: Vec<&[T]> = parts.iter().map(|p| p.borrow().items.as_slice()).collect();
        Self {
            bounds,
            items: concat_slices(&items),
        }
    }
}

/// The items of all slices, one slice after the other; copied in parallel.
fn concat_slices<T: Copy + Default + Send + Sync>(slices: &[&[T]]) -> Vec<T> {
    let mut all = vec![T::default(); slices.iter().map(|s| s.len()).sum()];
    let mut rest = all.as_mut_slice();
    let mut places = Vec::with_capacity(slices.len());
    for slice in slices {
        let (place, after) = rest.split_at_mut(slice.len());
        places.push(place);
        rest = after;
    }
    places
        .into_par_iter()
        .zip(slices)
        .for_each(|(place, slice)| place.copy_from_slice(slice));
    all
}

impl Csr<u32> {
    /// Who points at each of `columns`: row `j` lists, ascending, the rows that contain `j`.
    pub fn transposed(&self, columns: usize) -> Self {
        let pairs = (0..self.rows()).flat_map(|i| self.row(i).iter().map(move |&j| (i as u32, j)));
        Self::pointing_at(pairs, columns)
    }

    /// From pairs of who points and at what, ascending: who points at each of `columns`, ascending.
    pub(crate) fn pointing_at(
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
        columns: usize,
    ) -> Self {
        let mut starts = vec![0; columns + 1];
        for (_, j) in pairs.clone() {
            starts[j as usize + 1] += 1;
        }
        for j in 0..columns {
            starts[j + 1] += starts[j];
        }
        let mut next = starts.clone();
        let mut items = vec![0; starts[columns] as usize];
        for (i, j) in pairs {
            items[next[j as usize] as usize] = i;
            next[j as usize] += 1;
        }
        Self {
            bounds: starts.windows(2).map(|pair| (pair[0], pair[1])).collect(),
            items,
        }
    }
}
