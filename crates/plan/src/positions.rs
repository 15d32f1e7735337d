//! Where each satellite stands in a list that ascends by id, for hundreds of thousands of questions.

use skyweave_base::SatId;

/// A table of ids by their leading bits: ids are positions in a constellation most of which is in service, so that one look mostly
/// answers. Ids of any other kind only take longer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions {
    ids: Vec<SatId>,
    shift: u32,
    /// Where those with the same leading bits begin; one more entry than there are such groups.
    firsts: Vec<u32>,
}

impl Positions {
    /// Of ids that ascend.
    pub(crate) fn of(ids: impl Iterator<Item = SatId>) -> Self {
        let ids: Vec<SatId> = ids.collect();
        let most = ids.iter().max().map_or(0, |id| id.0);
        let mut shift = 0;
        while (most >> shift) as usize > 2 * ids.len() {
            shift += 1;
        }
        let mut firsts = vec![0];
        for (&id, i) in ids.iter().zip(0..) {
            while firsts.len() <= (id.0 >> shift) as usize {
                firsts.push(i);
            }
        }
        firsts.push(ids.len() as u32);
        Self { ids, shift, firsts }
    }

    /// Where an id stands, if it is one of them.
    pub(crate) fn of_id(&self, id: SatId) -> Option<usize> {
        let group = (id.0 >> self.shift) as usize;
        let (start, end) = (*self.firsts.get(group)?, *self.firsts.get(group + 1)?);
        let same = &self.ids[start as usize..end as usize];
        same.binary_search(&id).ok().map(|i| start as usize + i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_look_finds_what_a_search_finds(
            ids in proptest::collection::btree_set(prop_oneof![0..300_u32, any::<u32>(), Just(u32::MAX)], 0..100),
            others in proptest::collection::vec(prop_oneof![0..400_u32, any::<u32>()], 20),
        ) {
            let ids: Vec<SatId> = ids.into_iter().map(SatId).collect();
            let positions = Positions::of(ids.iter().copied());
            for id in ids.iter().copied().chain(others.into_iter().map(SatId)) {
                prop_assert_eq!(positions.of_id(id), ids.binary_search(&id).ok());
            }
        }
    }
}
