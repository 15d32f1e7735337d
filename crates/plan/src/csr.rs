//! Rows of different length in one allocation.

use core::borrow::Borrow;
use rayon::prelude::*;

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
    pub fn concat<P: Borrow<Self>>(parts: &[P]) -> Self
    where
        T: Copy + Default + Send + Sync,
    {
        let rows: usize = parts.iter().map(|p| p.borrow().rows()).sum();
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        let mut base = 0_u32;
        for part in parts {
            let part = part.borrow();
            let items = u32::try_from(part.items.len()).ok();
            starts.extend(part.starts[1..].iter().map(|&s| base.wrapping_add(s)));
            base = items
                .and_then(|items| base.checked_add(items))
                .expect("fewer than 2^32 items in all rows");
        }
        let items: Vec<&[T]> = parts.iter().map(|p| p.borrow().items.as_slice()).collect();
        Self {
            starts,
            items: concat_slices(&items),
        }
    }
}

/// The items of all slices, one slice after the other; copied in parallel.
pub(crate) fn concat_slices<T: Copy + Default + Send + Sync>(slices: &[&[T]]) -> Vec<T> {
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
