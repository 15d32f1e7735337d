//! Whatever the text, a profile is read or refused, and one that is read has finite rates at every angle.

use proptest::prelude::*;
use proptest::sample::Index;
use skyweave_radio::{Fade, Profile, RateTable, Sight};

const GOOD: &str = include_str!("../../../data/radio/starlink-v1.5.toml");

/// Copies of a good profile in which some characters, numbers or lines were changed, doubled or lost.
fn spoilt() -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), "[-0-9.e\\[\\]\"=# a-z]{0,4}", 0..4_u8);
    prop::collection::vec(edit, 1..5).prop_map(|edits| {
        let mut lines: Vec<String> = GOOD.lines().map(str::to_owned).collect();
        for (place, with, what) in edits {
            let i = place.index(lines.len());
            match what {
                0 => drop(lines.remove(i)),
                1 => lines.insert(i, lines[i].clone()),
                2 => {
                    // Another number in place of the line's first.
                    if let Some(at) = lines[i].find("value = ") {
                        let rest = lines[i].split_off(at + 8);
                        let after = rest.find(',').map_or("", |comma| &rest[comma..]).to_owned();
                        lines[i] += &format!("{with}{after}");
                    }
                }
                _ => lines[i] += &with,
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #[test]
    fn profiles(text in spoilt()) {
        let Ok(profile) = Profile::from_toml(&text) else { return Ok(()) };
        let table = RateTable::new(&profile.user.down);
        for sin_elevation in [-1.0, -1e-9, 0.0, 1e-9, 0.3, 1.0] {
            let sight = Sight { sin_elevation, range_m: 1e6 };
            for fade in [None, Some(Fade { zenith_db: 1e9, slope: 2.0 }), Some(Fade::NONE)] {
                let exact = profile.user.down.kbps(sight, fade);
                prop_assert!(table.under(fade).kbps(sin_elevation, sin_elevation) <= exact);
                profile.user.up.kbps(sight, fade);
                profile.feeder.kbps(sight, fade);
            }
        }
    }
}
